"""The wire of WebSocket (RFC 6455, and RFC 7692 without context takeover) as a server reads it: bytes in, whole messages out.

Own code because the library's reader accepts unmasked frames from clients and needs a queue and weak references per connection.
Only the unmasking, which must be compiled, is taken from inside aiohttp: `websocket_mask(mask, bytearray)`, checked with 3.14.5.
"""

from __future__ import annotations

import zlib
from typing import Final

from aiohttp._websocket.helpers import websocket_mask

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009
NO_STATUS: Final = 1005

INFLATE_FACTOR: Final = 10
SINGLE_MIN: Final = 8
_REASON_MAX: Final = 123
_FIN: Final = 0x80
_RSV1: Final = 0x40
_RSV23: Final = 0x30
_MASKED: Final = 0x80
_WHOLE: Final = (_FIN | TEXT, _FIN | BINARY)
_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_CLOSE_CODES: Final = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_DEFLATE_TAIL: Final = b"\x00\x00\xff\xff"

Frame = tuple[int, bytes]
PART: Final[Frame] = (CONTINUATION, b"")


class Violation(Exception):  # noqa: N818 - the standard's word
    """The peer broke the standard: the close code that says so, and why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class FrameReader:
    """Reads what one client sends.

    Args:
        max_size: bytes of one message on the wire; inflated it may be `INFLATE_FACTOR` times as long.
        deflate: permessage-deflate was agreed upon.
    """

    __slots__ = ("_at", "_data", "_deflate", "_deflated", "_first", "_mask", "_max", "_message", "_missing", "_opcode", "_payload")

    def __init__(self, max_size: int, *, deflate: bool = False) -> None:
        self._max, self._deflate = max_size, deflate
        self._data, self._at = b"", 0
        self._payload: bytearray | None = None  # of a frame that has not arrived whole
        self._missing, self._first, self._mask = 0, 0, b""
        self._message: bytearray | None = None  # of a message whose last frame has not arrived
        self._opcode, self._deflated = 0, False

    @property
    def empty(self) -> bool:
        """Whether `next` would give None, since nothing is left to read."""
        return not self._data and self._payload is None

    def single(self, data: bytes) -> Frame | None:
        """The message, where these bytes from the wire are just one, in one frame, and nothing is waited for; else None: `feed` them.

        What most clients send most of the time (make bench: 2 of an RPC's 45 µs).
        """
        size = len(data)
        if size < SINGLE_MIN or self._data or self._message is not None or self._payload is not None:
            return None
        first, second = data[0], data[1]
        start = 6 if second < _MASKED | 126 else 8
        length = second & 0x7F if start == 6 else data[2] << 8 | data[3]
        if first not in _WHOLE or second < _MASKED or second == _MASKED | 127 or start + length != size or length > self._max:
            return None
        payload = bytearray(data[start:])
        websocket_mask(data[start - 4 : start], payload)
        return (first & 0x0F, bytes(payload)) if payload.isascii() or first == _FIN | BINARY else None

    def feed(self, data: bytes) -> None:
        """Bytes from the wire; then `next` until it gives None."""
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def next(self) -> Frame | None:
        """The next message or control frame as (opcode, payload); `PART` for a part of a message; None: more bytes are needed.

        Raises:
            Violation: the connection is to be failed with its code.
        """
        if self._payload is not None:
            return self._rest(self._payload)
        data, at = self._data, self._at
        have = len(data) - at
        if have < 2:
            return self._wait()
        first, second = data[at], data[at + 1]
        length, start = second & 0x7F, at + 6
        if second < _MASKED or first not in _WHOLE:  # SDKs send nothing else
            self._check(first, second, length)
        if length > 125:
            start += 2 if length == 126 else 8
            if have < start - at - 4:
                return self._wait()
            length = int.from_bytes(data[at + 2 : start - 4])
            self._check_long(first, length)
        if len(data) < start:
            return self._wait()
        end = start + length
        payload = bytearray(data[start:end])
        mask = data[start - 4 : start]
        if end > len(data):
            self._payload, self._missing, self._first, self._mask = payload, end - len(data), first, mask
            self._data, self._at = b"", 0
            return None
        self._read_to(end)
        websocket_mask(mask, payload)
        return self._frame(first, payload)

    def _rest(self, payload: bytearray) -> Frame | None:
        end = self._at + self._missing
        payload += self._data[self._at : end]
        if end > len(self._data):
            self._missing = end - len(self._data)
            self._data, self._at = b"", 0
            return None
        self._payload = None
        self._read_to(end)
        websocket_mask(self._mask, payload)
        return self._frame(self._first, payload)

    def _read_to(self, end: int) -> None:
        if end == len(self._data):
            self._data, self._at = b"", 0
        else:
            self._at = end

    def _wait(self) -> Frame | None:
        """What is left, a header's beginning at most, waits for more."""
        self._data, self._at = self._data[self._at :], 0
        return None

    def _check(self, first: int, second: int, length: int) -> None:
        """Section 5.2 and 5.5: what the first two bytes may be."""
        opcode = first & 0x0F
        if not second & _MASKED:
            raise Violation(PROTOCOL_ERROR, "a frame is not masked")
        if opcode not in _OPCODES:
            raise Violation(PROTOCOL_ERROR, "a frame has a reserved opcode")
        if first & _RSV23 or (first & _RSV1 and not (self._deflate and opcode in (TEXT, BINARY))):
            raise Violation(PROTOCOL_ERROR, "a frame has a reserved bit set")
        if opcode >= CLOSE and (length > 125 or not first & _FIN):
            raise Violation(PROTOCOL_ERROR, "a control frame is fragmented or longer than 125 bytes")

    def _check_long(self, first: int, length: int) -> None:
        """Before a byte of it is kept."""
        if length >> 63:
            raise Violation(PROTOCOL_ERROR, "a frame's length has its highest bit set")
        if length > self._max and first & 0x0F < CLOSE:
            raise Violation(TOO_BIG, "message too big")

    def _frame(self, first: int, payload: bytearray) -> Frame:
        """Section 5.4: frames to messages."""
        opcode = first & 0x0F
        if opcode >= CLOSE:
            return opcode, bytes(payload)
        message = self._message
        if opcode:
            if message is not None:
                raise Violation(PROTOCOL_ERROR, "a message begins within another one")
            if first & _FIN:
                return opcode, self._whole(opcode, payload, deflated=bool(first & _RSV1))
            self._opcode, self._message, self._deflated = opcode, payload, bool(first & _RSV1)
            return PART
        if message is None:
            raise Violation(PROTOCOL_ERROR, "a continuation of no message")
        if len(message) + len(payload) > self._max:
            raise Violation(TOO_BIG, "message too big")
        message += payload
        if not first & _FIN:
            return PART
        self._message = None
        return self._opcode, self._whole(self._opcode, message, deflated=self._deflated)

    def _whole(self, opcode: int, message: bytearray, *, deflated: bool) -> bytes:
        whole = self._inflated(message) if deflated else bytes(message)
        return whole if opcode == BINARY or whole.isascii() else _utf8(whole)

    def _inflated(self, message: bytearray) -> bytes:
        limit = self._max * INFLATE_FACTOR
        try:
            whole = zlib.decompressobj(-zlib.MAX_WBITS).decompress(message + _DEFLATE_TAIL, limit + 1)
        except zlib.error as error:
            raise Violation(INVALID_DATA, "a message cannot be inflated") from error
        if len(whole) > limit:
            raise Violation(TOO_BIG, "message too big")
        return whole


def _utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise Violation(INVALID_DATA, "text is not UTF-8") from error
    return text


def close_code(payload: bytes) -> int:
    """The code of a peer's close frame (section 7.4), `NO_STATUS` where it gives none.

    Raises:
        Violation: no code that may be sent, or a reason that is not UTF-8.
    """
    if not payload:
        return NO_STATUS
    code = int.from_bytes(payload[:2]) if len(payload) > 1 else 0
    if code not in _CLOSE_CODES and not 3000 <= code < 5000:
        raise Violation(PROTOCOL_ERROR, "a close code that may not be sent")
    _utf8(payload[2:])
    return code


def frame(opcode: int, payload: bytes, *, deflated: bool = False) -> bytes:
    """A whole frame as a server sends it: final and unmasked."""
    first = opcode | _FIN | (_RSV1 if deflated else 0)
    size = len(payload)
    if size <= 125:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what fits."""
    if code == NO_STATUS:
        return frame(CLOSE, b"")
    cut = reason.encode()[:_REASON_MAX].decode(errors="ignore")
    return frame(CLOSE, code.to_bytes(2) + cut.encode())
