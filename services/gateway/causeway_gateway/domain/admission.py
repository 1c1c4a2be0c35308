"""May this connection stand, and stay? The rules of connect and refresh (reference/centrifuge-protocol.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import ConnectHookReply, HookSubscription, Override
from causeway_gateway.domain import tokens as t
from causeway_gateway.domain.asks import Ends, Failed, Grant

Verdict = t.Granted | t.Expired | t.Invalid


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the configuration says about every connection; durations in milliseconds, 0 switches pings or pongs off."""

    version: str = ""
    insecure: bool = False
    anonymous: bool = False
    anonymous_tokens: bool = True
    ping_interval: int = 25_000
    pong_timeout: int = 8_000
    stale_delay: int = 10_000
    expired_delay: int = 25_000
    expired_sub_delay: int = 25_000
    channel_limit: int = 128
    in_flight_limit: int = 256
    recovery_max_bytes: int = 524_288
    default_app: str = ""
    connect_app: str = ""
    personal_channel: bool = False
    personal_channel_namespace: str = ""


def admit(verdict: Verdict, options: SessionOptions, wall: int) -> Grant | Failed | Ends:
    """The decision on a connect with a token, at `wall` (wall-clock ms)."""
    match verdict:
        case t.Expired():
            return Failed(CausewayError(ErrorName.TOKEN_EXPIRED))
        case t.Invalid():
            return Ends(CloseCode.INVALID_TOKEN)
        case t.Granted(user):
            if not user and not options.anonymous_tokens:
                return Ends(CloseCode.PERMISSION_DENIED)
            if verdict.expire_at is not None and verdict.expire_at <= wall:
                return Failed(CausewayError(ErrorName.EXPIRED))
            return _grant(verdict)
        case _:
            assert_never(verdict)


def admit_without_token(options: SessionOptions) -> Grant | Ends:
    """The decision on a connect that neither a token nor a hook speaks for."""
    return Grant("") if options.insecure or options.anonymous else Ends(CloseCode.BAD_REQUEST)


def admit_by_hook(reply: ConnectHookReply, wall: int) -> Grant | Failed:
    """The decision on a connect that the app's hook has let in."""
    if reply.expire_at_ms and reply.expire_at_ms <= wall:
        return Failed(CausewayError(ErrorName.EXPIRED))
    return Grant(
        reply.user,
        reply.info,
        reply.expire_at_ms or None,
        "hook",
        {name: t.TokenSubscription(sub.info, sub.data, _override(sub)) for name, sub in reply.subs.items()},
        reply.data,
        reply.meta,
    )


def renew(verdict: Verdict, user: str, wall: int) -> Grant | Ends:
    """The decision on a refresh of `user`'s connection at `wall` (wall-clock ms)."""
    match verdict:
        case t.Expired():
            return Ends(CloseCode.CONNECTION_EXPIRED)
        case t.Invalid():
            return Ends(CloseCode.INVALID_TOKEN)
        case t.Granted():
            if verdict.user != user:
                return Ends(CloseCode.INVALID_TOKEN)
            if verdict.expire_at is not None and verdict.expire_at <= wall:
                return Ends(CloseCode.CONNECTION_EXPIRED)
            return _grant(verdict)
        case _:
            assert_never(verdict)


def _grant(token: t.Granted) -> Grant:
    return Grant(
        token.user, token.info, token.expire_at, "client", token.subs, meta=token.meta, jti=token.jti, issued_at=token.issued_at
    )


def _override(sub: HookSubscription) -> t.Override:
    given = sub.override or Override()
    return t.Override(**{name: getattr(given, name) for name in Override.__struct_fields__})
