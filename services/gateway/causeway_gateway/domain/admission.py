"""May this connection stand, and stay? The rules of connect and refresh (reference/centrifuge-protocol.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_gateway.domain.tokens import Expired, Granted, Invalid, Tokens, Unsupported

Denied = CausewayError | CloseCode
"""An error reply, or a close."""


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
    channel_limit: int = 128
    default_app: str = ""


def admit(token: str, options: SessionOptions, tokens: Tokens, wall: int) -> Granted | Denied:
    """The decision on a connect at `wall` (wall-clock ms)."""
    if not token:
        return Granted("", None, None) if options.insecure or options.anonymous else CloseCode.BAD_REQUEST
    verdict = tokens.verify(token, wall)
    match verdict:
        case Expired():
            return CausewayError(ErrorName.TOKEN_EXPIRED)
        case Invalid():
            return CloseCode.INVALID_TOKEN
        case Unsupported(what):
            return CausewayError(ErrorName.NOT_AVAILABLE, f"not available: {what}")
        case Granted(user, _, expire_at):
            if not user and not options.anonymous_tokens:
                return CloseCode.PERMISSION_DENIED
            if expire_at is not None and expire_at <= wall:
                return CausewayError(ErrorName.EXPIRED)
            return verdict
        case _:
            assert_never(verdict)


def renew(token: str, user: str, tokens: Tokens, wall: int) -> Granted | Denied:
    """The decision on a refresh of `user`'s connection at `wall` (wall-clock ms)."""
    if not token:
        return CloseCode.BAD_REQUEST
    verdict = tokens.verify(token, wall)
    match verdict:
        case Expired():
            return CloseCode.CONNECTION_EXPIRED
        case Invalid():
            return CloseCode.INVALID_TOKEN
        case Unsupported(what):
            return CausewayError(ErrorName.NOT_AVAILABLE, f"not available: {what}")
        case Granted():
            if verdict.user != user:
                return CloseCode.INVALID_TOKEN
            if verdict.expire_at is not None and verdict.expire_at <= wall:
                return CloseCode.CONNECTION_EXPIRED
            return verdict
        case _:
            assert_never(verdict)
