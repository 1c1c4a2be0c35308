"""Connection tokens: JWTs signed with HMAC (reference/centrifuge-protocol.md, section 10). The algorithm family is the key's."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import jwt
from jwt.algorithms import HMACAlgorithm

from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import CausewayError

V = TypeVar("V")
ALGORITHMS: Final = ("HS256", "HS384", "HS512")
KEY_MIN_BYTES: Final = 32
LIFETIME_MAX_MS: Final = 365 * 24 * 3600 * 1000


class _AnyLength(HMACAlgorithm):
    """PyJWT warns at every token of a short key; a short key gets one warning at start instead."""

    def check_key_length(self, _key: bytes) -> None:
        return None


def _verifier() -> jwt.PyJWS:
    jws = jwt.PyJWS(algorithms=[])
    for name, digest in zip(ALGORITHMS, (HMACAlgorithm.SHA256, HMACAlgorithm.SHA384, HMACAlgorithm.SHA512), strict=True):
        if name in jws.get_algorithms():
            jws.unregister_algorithm(name)
        jws.register_algorithm(name, _AnyLength(digest))
    return jws


_jws: Final = _verifier()


@dataclass(frozen=True, slots=True)
class Override:
    """Options of the namespace that a token's subscription has otherwise; None leaves the namespace's."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


@dataclass(frozen=True, slots=True)
class TokenSubscription:
    """A server-side subscription of a connection token."""

    info: bytes | None = None
    data: bytes | None = None
    override: Override = Override()


@dataclass(frozen=True, slots=True)
class Granted:
    """A good token: who, the connection's own JSON value, and when it ends (wall-clock ms; None: never)."""

    user: str
    info: bytes | None
    expire_at: int | None
    subs: Mapping[str, TokenSubscription] = field(default_factory=dict)
    meta: bytes | None = None
    jti: str = ""
    issued_at: int | None = None


@dataclass(frozen=True, slots=True)
class GrantedSubscription:
    """A good subscription token: for whom (`client` "": any of the user's) and which channel, until when."""

    user: str
    channel: str
    client: str
    info: bytes | None
    expire_at: int | None
    data: bytes | None = None
    override: Override = Override()
    jti: str = ""
    issued_at: int | None = None


@dataclass(frozen=True, slots=True)
class KeyMissing:
    """The key with this id is not known here, it may have to be fetched."""

    kid: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Signed by us, its time is over or has not come (`exp`, `nbf`)."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """Not signed by us, or not a connection token."""

    why: str


Verdict = Granted | Expired | Invalid | KeyMissing
SubVerdict = GrantedSubscription | Expired | Invalid | KeyMissing


class Tokens:
    """Checks tokens with one HMAC key; an empty key refuses them all."""

    def __init__(self, hmac_secret_key: str) -> None:
        self._key = hmac_secret_key.encode()

    def verify(self, token: str, now: int) -> Verdict:
        """The verdict on a connection token at `now` (wall-clock ms)."""
        return self._verify(token, now, _judge)

    def verify_subscription(self, token: str, now: int) -> SubVerdict:
        """The verdict on a subscription token."""
        return self._verify(token, now, _judge_subscription)

    def _verify(self, token: str, now: int, judge: Callable[[dict[str, Any], int], V]) -> V | Expired | Invalid:
        if not self._key:
            return Invalid("no key is configured")
        try:
            claims = json.loads(_jws.decode(token, self._key, algorithms=list(ALGORITHMS)))
            if not isinstance(claims, dict):
                return Invalid("the claims are no object")
            if (_time(claims, "exp") or now + 1) <= now or (_time(claims, "nbf") or 0) > now:
                return Expired()
            return judge(claims, now)
        except (jwt.PyJWTError, CausewayError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return Invalid(f"{type(error).__name__}: {error}")


def _judge(claims: dict[str, Any], now: int) -> Granted | Invalid:
    if claims.get("channel"):
        return Invalid("it is a subscription token")
    return Granted(
        _text(claims, "sub"),
        _value(claims, "info"),
        _expiry(claims, now),
        _subs(claims),
        _dumped(claims.get("meta")),
        _text(claims, "jti"),
        _time(claims, "iat"),
    )


def _judge_subscription(claims: dict[str, Any], now: int) -> GrantedSubscription | Invalid:
    channel = _text(claims, "channel")
    if not channel:
        return Invalid("it is no subscription token: channel is missing")
    return GrantedSubscription(
        _text(claims, "sub"),
        channel,
        _text(claims, "client"),
        _value(claims, "info"),
        _expiry(claims, now),
        _value(claims, "data"),
        _override(claims),
        _text(claims, "jti"),
        _time(claims, "iat"),
    )


def _subs(claims: dict[str, Any]) -> dict[str, TokenSubscription]:
    """The server-side subscriptions: `subs`, or where it is absent the names of `channels`."""
    subs = claims.get("subs")
    if subs:
        if not isinstance(subs, dict) or not all(isinstance(options, dict) for options in subs.values()):
            raise TypeError("subs is no map of objects")
        return {
            name: TokenSubscription(_value(options, "info"), _value(options, "data"), _override(options))
            for name, options in subs.items()
        }
    channels = claims.get("channels") or []
    if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
        raise TypeError("channels is no list of names")
    return {name: TokenSubscription() for name in channels}


def _override(options: dict[str, Any]) -> Override:
    found = options.get("override") or {}
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise TypeError("override is no map of objects")
    values = {name: found[name].get("value") for name in Override.__slots__ if name in found}
    if not all(isinstance(value, bool) for value in values.values()):
        raise TypeError("an override's value is no boolean")
    return Override(**values)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no string")
    value.encode()
    return value


def _expiry(claims: dict[str, Any], now: int) -> int | None:
    expires = _time(claims, "expire_at") if "expire_at" in claims else _time(claims, "exp")
    return min(expires, now + LIFETIME_MAX_MS) if expires else None


def _time(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate claim (RFC 7519, section 2) in milliseconds; 0 and absent are None."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is no number")
    return int(value * 1000) or None


def _value(claims: dict[str, Any], name: str) -> bytes | None:
    """A JSON value, plain or (`b64…`) packed."""
    if packed := claims.get(f"b64{name}"):
        try:
            return json_value(base64.b64decode(packed, validate=True), f"b64{name}")
        except binascii.Error as error:
            raise ValueError(f"b64{name} is no base64") from error
    return _dumped(claims.get(name))


def _dumped(value: Any) -> bytes | None:
    if value is None:
        return None
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
