"""Which browser pages may connect: the Origin header against a list of globs (RFC 6454)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit


def origin_allowed(origin: str | None, host: str, allowed: Sequence[str]) -> bool:
    """Whether a connection with this Origin may open.

    Args:
        origin: the header; None for clients that are no browsers, which are always allowed.
        host: the request's Host header.
        allowed: globs, compared in lower case; without any, only pages of `host` itself are allowed.
    """
    if origin is None:
        return True
    origin = origin.lower()
    if allowed:
        return any(fnmatchcase(origin, pattern.lower()) for pattern in allowed)
    try:
        return urlsplit(origin).netloc == host.lower()
    except ValueError:
        return False
