"""WebSocket frames as a load generator needs them (RFC 6455, section 5.2): whole unmasked frames in, masked ones out."""

from __future__ import annotations

from typing import Final

FINAL_TEXT: Final = 0x81
CLOSE: Final = 0x8
_MASK: Final = b"\0\0\0\0"  # a mask of zeros leaves the payload as it is; the server unmasks it like any other


def client_frame(payload: bytes) -> bytes:
    """A masked text frame."""
    size = len(payload)
    if size < 126:
        return bytes((FINAL_TEXT, 0x80 | size)) + _MASK + payload
    return bytes((FINAL_TEXT, 0x80 | 126)) + size.to_bytes(2, "big") + _MASK + payload


def server_frame(payload: bytes) -> bytes:
    """An unmasked text frame."""
    size = len(payload)
    return bytes((FINAL_TEXT, size)) + payload if size < 126 else bytes((FINAL_TEXT, 126)) + size.to_bytes(2, "big") + payload


def frame_at(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `at` begins and ends; None where the frame is not whole yet."""
    if len(buffer) < at + 2:
        return None
    size, start = buffer[at + 1], at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(buffer) < start + width:
            return None
        size, start = int.from_bytes(buffer[start : start + width], "big"), start + width
    return (start, start + size) if len(buffer) >= start + size else None
