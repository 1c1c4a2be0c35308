"""Connection tokens: JWTs signed with HMAC (reference/centrifuge-protocol.md, section 10). The algorithm family is the key's.

Not here yet: other key kinds, subscription tokens, server-side subscriptions in a token.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.algorithms import HMACAlgorithm

from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import CausewayError

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
class Granted:
    """A good token: who, the connection's own JSON value, and when it ends (wall-clock ms; None: never)."""

    user: str
    info: bytes | None
    expire_at: int | None


@dataclass(frozen=True, slots=True)
class Expired:
    """Signed by us, its time is over or has not come (`exp`, `nbf`)."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """Not signed by us, or not a connection token."""

    why: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A good token that asks for what this gateway does not do."""

    what: str


Verdict = Granted | Expired | Invalid | Unsupported


class Tokens:
    """Checks tokens with one HMAC key; an empty key refuses them all."""

    def __init__(self, hmac_secret_key: str) -> None:
        self._key = hmac_secret_key.encode()

    def verify(self, token: str, now: int) -> Verdict:
        """The verdict on a connection token at `now` (wall-clock ms)."""
        if not self._key:
            return Invalid("no key is configured")
        try:
            claims = json.loads(_jws.decode(token, self._key, algorithms=list(ALGORITHMS)))
            if not isinstance(claims, dict):
                return Invalid("the claims are no object")
            return _judge(claims, now)
        except (jwt.PyJWTError, CausewayError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return Invalid(f"{type(error).__name__}: {error}")


def _judge(claims: dict[str, Any], now: int) -> Verdict:
    if (_time(claims, "exp") or now + 1) <= now or (_time(claims, "nbf") or 0) > now:
        return Expired()
    if claims.get("channel"):
        return Invalid("it is a subscription token")
    user = claims.get("sub", "")
    if not isinstance(user, str):
        return Invalid("sub is no string")
    user.encode()
    if claims.get("subs") or claims.get("channels"):
        return Unsupported("server-side subscriptions in the token (subs, channels)")
    expires = _time(claims, "expire_at") if "expire_at" in claims else _time(claims, "exp")
    return Granted(user, _info(claims), min(expires, now + LIFETIME_MAX_MS) if expires else None)


def _time(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate claim (RFC 7519, section 2) in milliseconds; 0 and absent are None."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is no number")
    return int(value * 1000) or None


def _info(claims: dict[str, Any]) -> bytes | None:
    if packed := claims.get("b64info"):
        try:
            return json_value(base64.b64decode(packed, validate=True), "b64info")
        except binascii.Error as error:
            raise ValueError("b64info is no base64") from error
    if claims.get("info") is None:
        return None
    text = json.dumps(claims["info"], ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
