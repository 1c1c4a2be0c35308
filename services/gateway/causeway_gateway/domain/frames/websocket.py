"""WebSocket frames as the server sends them (RFC 6455, section 5.2): final, unmasked, uncompressed."""

from __future__ import annotations

from typing import Final

_TEXT_FINAL: Final = 0x81
_BINARY_FINAL: Final = 0x82
_SHORT_MAX: Final = 125


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
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
