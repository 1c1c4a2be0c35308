"""Maps to msgpack and back, as documents and payloads are stored. Only what both sides of the bus know as JSON, and bytes."""

from __future__ import annotations

from typing import Any, Final

import msgpack

from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.messages import JsonMap

DEPTH_MAX: Final = 64


def pack(value: JsonMap) -> bytes:
    """The stored form of a map that `require_plain` or this module let through."""
    packed: bytes = msgpack.packb(value)
    return packed


def unpack(packed: bytes) -> JsonMap:
    """The map that `pack` stored."""
    value: JsonMap = msgpack.unpackb(packed)
    return value


def require_plain(value: JsonMap, what: str, max_bytes: int) -> bytes:
    """The stored form of a map that came from outside.

    Args:
        value: string keys; None, booleans, 64-bit integers, floats, strings, bytes, lists and such maps as values.
        what: its name in the error.
        max_bytes: of the stored form.

    Raises:
        CausewayError: 107, it holds something else, is nested deeper than `DEPTH_MAX`, or is larger.
    """
    _check(value, what, DEPTH_MAX)
    packed = pack(value)
    if len(packed) > max_bytes:
        raise bad_request(f"{what} has {len(packed)} bytes, at most {max_bytes} are allowed")
    return packed


def _check(value: Any, what: str, depth: int) -> None:
    if value is None or isinstance(value, (str, bytes, bool, int, float)):
        return
    if depth == 0:
        raise bad_request(f"{what} is nested deeper than {DEPTH_MAX}")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise bad_request(f"{what} has a key that is no string: {key!r:.40}")
            _check(inner, what, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, what, depth - 1)
    else:
        raise bad_request(f"{what} holds a {type(value).__name__}, which cannot be stored")
