"""WebSocket frames as the server sends them (RFC 6455, section 5.2): final, unmasked, uncompressed."""

from __future__ import annotations

from struct import Struct
from typing import Final

_TEXT_FINAL: Final = 0x81
_BINARY_FINAL: Final = 0x82
_SHORT_MAX: Final = 125
_HEAD_16: Final = Struct(">BBH").pack
_HEAD_64: Final = Struct(">BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """The whole frame of a text message."""
    return _frame(_TEXT_FINAL, payload)


def binary_frame(payload: bytes) -> bytes:
    """The whole frame of a binary message."""
    return _frame(_BINARY_FINAL, payload)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= _SHORT_MAX:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return _HEAD_16(first, 126, size) + payload
    return _HEAD_64(first, 127, size) + payload
