"""Tokens for the commands that connect, and for `causeway token`. Pure: the time is an argument."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import jwt
from jwt import InsecureKeyLengthWarning


def make_token(
    secret: str,
    *,
    user: str,
    now_s: int,
    ttl_s: int,
    info: Any = None,
    jti: str = "",
    expire_at_s: int | None = None,
    subs: Mapping[str, Any] | None = None,
    channel: str = "",
    client: str = "",
) -> str:
    """A connection or subscription JWT (HS256) as the gateway takes it.

    Args:
        secret: `client.token.hmac_secret_key`; of any length but none, the gateway itself warns of a short one.
        user: the subject; "" is an anonymous user.
        now_s: the time of day, seconds since 1970.
        ttl_s: how long the token holds.
        info: a JSON value that other clients see beside the user; None for none.
        jti: the token's own id, to revoke it by.
        expire_at_s: when the connection or subscription expires, where that is not when the token does; 0: never.
        subs: for a connection: channels it is subscribed to from the start, each with its options.
        channel: makes it a subscription token for this channel.
        client: binds a subscription token to one connection.
    """
    claims: dict[str, Any] = {"sub": user, "iat": now_s, "exp": now_s + ttl_s}
    optional = {"info": info, "jti": jti or None, "expire_at": expire_at_s, "subs": subs or None}
    optional |= {"channel": channel or None, "client": client or None}
    claims |= {name: value for name, value in optional.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        return jwt.encode(claims, secret, algorithm="HS256")
