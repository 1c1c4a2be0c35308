"""Entities as this process committed them last: a good guess of what they are, so that the next edit need not load them first.

make bench: loading was a third of what an edit costs altogether. A guess decides nothing. The commit is conditional on its version, so
one that was wrong is a conflict, which brings the current document along; and what a change refuses, or leaves as it is, on a guess is
asked again on the document as it is.
"""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.messages import Document

AGE_MAX_MS: Final = 10_000
"""Far below the time that storage keeps the tombstone of a deleted entity: no version is reused meanwhile."""
BYTES_MAX: Final = 16 * 1024 * 1024
ONE_MAX: Final = 64 * 1024


class Documents:
    """The newest commits of this process, at most `BYTES_MAX` of them; those committed longest ago go first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._kept: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._bytes, self._bytes_max = 0, bytes_max

    def take(self, kind: str, id: str, now_ms: int) -> Document | None:
        """The entity as it was committed here, at most ten seconds ago; it is the caller's alone, and not kept any more."""
        at_ms, body = self._kept.pop((kind, id), (0, b""))
        if not body:
            return None
        self._bytes -= len(body)
        return decode(body, Document) if 0 <= now_ms - at_ms <= AGE_MAX_MS else None

    def keep(self, kind: str, id: str, document: Document, now_ms: int) -> None:
        """The entity as it was committed just now."""
        self.take(kind, id, now_ms)
        body = encode(document)
        if len(body) > ONE_MAX:
            return
        self._kept[kind, id] = now_ms, body
        self._bytes += len(body)
        while self._bytes > self._bytes_max:
            oldest = next(iter(self._kept))
            self._bytes -= len(self._kept.pop(oldest)[1])
