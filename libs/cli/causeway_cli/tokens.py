"""Connection tokens for the commands that connect, and for `causeway token`. Pure: the time is an argument."""

from __future__ import annotations

import warnings
from typing import Any

import jwt
from jwt import InsecureKeyLengthWarning


def make_token(secret: str, *, user: str, now_s: int, ttl_s: int, info: Any = None) -> str:
    """A connection JWT (HS256) as the gateway takes it.

    Args:
        secret: `client.token.hmac_secret_key`; of any length but none, the gateway itself warns of a short one.
        user: the subject; "" is an anonymous user.
        now_s: the time of day, seconds since 1970.
        ttl_s: how long it holds.
        info: a JSON value that other clients see beside the user; None for none.
    """
    claims: dict[str, Any] = {"sub": user, "iat": now_s, "exp": now_s + ttl_s}
    if info is not None:
        claims["info"] = info
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        return jwt.encode(claims, secret, algorithm="HS256")
