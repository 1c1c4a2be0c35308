"""A process's output, cut into lines that a terminal can take. Pure."""

from __future__ import annotations

from typing import Final

from causeway_cli.text import printable

LINE_MAX_BYTES: Final = 4096
CONTINUED: Final = "…"


class LineSplitter:
    """Bytes in, whole lines out. A line over `LINE_MAX_BYTES` comes in pieces, each but the last ending in `CONTINUED`."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now; control characters are written out, bytes that are no UTF-8 replaced."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [piece for line in whole for piece in _pieces(line)]
        while len(self._rest) > LINE_MAX_BYTES:
            piece, self._rest = _cut(self._rest)
            lines.append(_text(piece) + CONTINUED)
        return lines

    def end(self) -> list[str]:
        """What is left when the output ends."""
        rest, self._rest = self._rest, b""
        return _pieces(rest) if rest else []


def _pieces(line: bytes) -> list[str]:
    pieces: list[str] = []
    while len(line) > LINE_MAX_BYTES:
        piece, line = _cut(line)
        pieces.append(_text(piece) + CONTINUED)
    return [*pieces, _text(line)]


def _cut(line: bytes) -> tuple[bytes, bytes]:
    """Cut at the bound, or up to three bytes before it: never inside a UTF-8 character."""
    at = next((at for at in range(LINE_MAX_BYTES, LINE_MAX_BYTES - 4, -1) if line[at] & 0xC0 != 0x80), LINE_MAX_BYTES)
    return line[:at], line[at:]


def _text(line: bytes) -> str:
    return printable(line.removesuffix(b"\r").decode("utf-8", "replace"))
