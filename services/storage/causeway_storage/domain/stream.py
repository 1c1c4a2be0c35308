"""The export's format: one stream of bytes that holds a whole database, whatever adapter it is of.

First the line `causeway-export 1`, then frames: four bytes with the length (big-endian) and as many of msgpack. The first frame is the
header, the last the trailer, between them stands one entry each, in the order of `domain.stored`. The trailer has the number of entries
of each kind, and the SHA-256 of every byte before it. No I/O here: bytes in, bytes out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from causeway_storage.domain.stored import AnyEntry, Entry, Log, Publication, SeenId, tag_of

VERSION: Final = 1
MAGIC: Final = b"causeway-export "
FRAME_MAX_BYTES: Final = 16 * 1024 * 1024
_FIRST_LINE: Final = MAGIC + str(VERSION).encode() + b"\n"


class Header(Entry, frozen=True, tag="header"):
    """What was exported: by which adapter, under which generation, when (ms) and by which version of storage."""

    adapter: str
    generation: int
    at_ms: int
    by: str


class Trailer(Entry, frozen=True, tag="trailer"):
    """What came before it."""

    counts: dict[str, int]
    sha256: str


class StreamError(Exception):
    """The stream is no export, or not a whole one; one line says why."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(AnyEntry | Header | Trailer)


class ExportWriter:
    """Makes a stream: header, entries, trailer."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.counts: Counter[str] = Counter()

    def header(self, header: Header) -> bytes:
        """How it begins."""
        return self._said(_FIRST_LINE + _frame(header))

    def entry(self, entry: AnyEntry) -> bytes:
        """The next entry.

        Raises:
            StreamError: it is larger than a frame may be.
        """
        self.counts[tag_of(entry)] += 1
        return self._said(_frame(entry))

    def trailer(self) -> bytes:
        """How it ends."""
        return _frame(Trailer(counts=dict(self.counts), sha256=self._digest.hexdigest()))

    def _said(self, data: bytes) -> bytes:
        self._digest.update(data)
        return data


def _frame(entry: Entry) -> bytes:
    body = _encoder.encode(entry)
    if len(body) > FRAME_MAX_BYTES:
        raise StreamError(f"an entry ({tag_of(entry)}) has {len(body)} bytes, at most {FRAME_MAX_BYTES} go into an export")
    return len(body).to_bytes(4, "big") + body


class ExportReader:
    """Reads a stream in whatever pieces it comes.

    Attributes:
        header: once it was read.
        done: the trailer was read, and agreed with all that came before it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False
        self._channel: str | None = None
        self._digest = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.header: Header | None = None
        self.done = False

    def feed(self, data: bytes) -> Iterator[AnyEntry]:
        """The entries that these bytes complete.

        Raises:
            StreamError: this is no export, of another version, damaged, or goes on behind its end.
        """
        self._buffer += data
        if not self._begun and not self._first_line():
            return
        at = 0
        while len(self._buffer) - at >= 4:
            size = int.from_bytes(self._buffer[at : at + 4], "big")
            if size > FRAME_MAX_BYTES:
                raise StreamError(f"the export is damaged: a frame says it has {size} bytes")
            if len(self._buffer) - at < 4 + size:
                break
            frame = bytes(self._buffer[at : at + 4 + size])
            at += len(frame)
            yield from self._frame(frame)
        del self._buffer[:at]

    def end(self) -> None:
        """There are no more bytes.

        Raises:
            StreamError: the trailer is missing, the export was cut off.
        """
        if not self.done or self._buffer:
            raise StreamError("the export is not whole: it ends before its trailer" if not self.done else _BEHIND)

    def _first_line(self) -> bool:
        begin = bytes(self._buffer[: len(_FIRST_LINE)])
        if not MAGIC.startswith(begin[: len(MAGIC)]):
            raise StreamError("this is no export of Causeway's storage")
        if len(begin) < len(_FIRST_LINE):
            return False
        if begin != _FIRST_LINE:
            raise StreamError(
                "the export is of another version than this Causeway reads; use the version that wrote it, or a newer one"
            )
        self._digest.update(begin)
        del self._buffer[: len(begin)]
        self._begun = True
        return True

    def _frame(self, frame: bytes) -> Iterator[AnyEntry]:
        if self.done:
            raise StreamError(_BEHIND)
        try:
            entry = _decoder.decode(frame[4:])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StreamError(f"the export is damaged, or of a newer Causeway: a frame cannot be read ({error})") from error
        if isinstance(entry, Trailer):
            self._check(entry)
            self.done = True
            return
        self._digest.update(frame)
        if isinstance(entry, Header) != (self.header is None):
            raise StreamError("the export is damaged: it has to begin with one header")
        if isinstance(entry, Header):
            self.header = entry
            return
        if isinstance(entry, Log):
            self._channel = entry.channel
        elif isinstance(entry, Publication | SeenId) and entry.channel != self._channel:
            raise StreamError(f"the export is damaged: something of the log {entry.channel!r:.80} does not follow its head")
        self.counts[tag_of(entry)] += 1
        yield entry

    def _check(self, trailer: Trailer) -> None:
        if trailer.sha256 != self._digest.hexdigest():
            raise StreamError("the export is damaged: its digest does not fit what came before it")
        if trailer.counts != dict(self.counts):
            raise StreamError(f"the export is damaged: {dict(self.counts)} were read, its trailer says {trailer.counts}")


_BEHIND: Final = "the export is damaged: something stands behind its end"
