"""WebSocket text frames as the server sends them (RFC 6455, section 5.2): final, unmasked, uncompressed."""

from __future__ import annotations

from typing import Final

_TEXT_FINAL: Final = 0x81
_SHORT_MAX: Final = 125


def text_frame(payload: bytes) -> bytes:
    """The whole frame of a text message."""
    size = len(payload)
    if size <= _SHORT_MAX:
        return bytes((_TEXT_FINAL, size)) + payload
    if size < 1 << 16:
        return bytes((_TEXT_FINAL, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT_FINAL, 127)) + size.to_bytes(8, "big") + payload
