"""What must hold of a log: its head, its publications without holes, its ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import ID_MAX_CHARS
from causeway_common.contracts.messages import StoredPublication
from causeway_storage.domain.invariants.violation import Violation
from causeway_storage.domain.log import EPOCH_LETTERS
from causeway_storage.domain.stored import Log, Publication, SeenId

_LETTERS: Final = re.compile(rf"[a-z0-9]{{{EPOCH_LETTERS}}}(-[0-9]{{1,7}})?")


class LogChecker:
    """Looks at one log: at its head, then at its publications and ids, by offset."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._where = f"log {log.channel}"
        self._last = log.floor
        self._publications = 0
        self._last_id: SeenId | None = None

    def begin(self) -> Iterator[Violation]:
        """What the head alone shows."""
        log = self.log
        if not _LETTERS.fullmatch(log.letters):
            yield self._violation("log.epoch", f"the epoch's letters are malformed: {log.letters!r:.80}")
        if log.head < 1 or not 0 <= log.floor <= log.head:
            yield self._violation("log.head", f"head {log.head} and floor {log.floor} cannot be")
        if log.version < 0:
            yield self._violation("log.version", f"the version seen last is {log.version}")

    def publication(self, entry: Publication) -> Iterator[Violation]:
        """What the next publication shows."""
        log, offset = self.log, entry.offset
        self._publications += 1
        if offset <= log.floor:
            yield self._violation("log.below_floor", f"offset {offset} is there, the floor is {log.floor}")
        elif offset <= self._last:
            yield self._violation("log.double_offset", f"offset {offset} is there more than once")
        elif offset > log.head:
            yield self._violation("log.beyond_head", f"offset {offset} is there, the head is {log.head}: it is behind its log")
        if self._last + 1 < offset <= log.head:
            yield self._hole(offset - 1)
        self._last = max(self._last, offset)
        yield from self._body(entry)

    def _body(self, entry: Publication) -> Iterator[Violation]:
        try:
            body = decode(entry.body, StoredPublication)
        except CausewayError as error:
            yield self._violation("log.body", f"the publication at offset {entry.offset} cannot be read: {error.message}")
            return
        if (body.offset, body.time_ms) != (entry.offset, entry.time_ms):
            yield self._violation(
                "log.body", f"the publication at offset {entry.offset} says offset {body.offset} and time {body.time_ms} of itself"
            )

    def seen_id(self, entry: SeenId) -> Iterator[Violation]:
        """What the next id shows."""
        last, self._last_id = self._last_id, entry
        if not 1 <= entry.offset <= self.log.head:
            yield self._violation("id.beyond_head", f"id {entry.id} points at offset {entry.offset}, the head is {self.log.head}")
        if last is not None and last.offset == entry.offset:
            yield self._violation("id.double_offset", f"ids {last.id} and {entry.id} both point at offset {entry.offset}")
        if not 1 <= len(entry.id) <= ID_MAX_CHARS:
            yield self._violation("id.malformed", f"an id has {len(entry.id)} characters")

    def end(self) -> Iterator[Violation]:
        """What only the end of the log shows."""
        if self._last < self.log.head:
            yield self._hole(self.log.head)
        if self._publications and self.log.expires_ms is None:
            yield self._violation("log.never_expires", "it has publications, and nothing says when they are too old")

    def _hole(self, until: int) -> Violation:
        first = self._last + 1
        offsets = f"offset {first} is" if first == until else f"offsets {first} to {until} are"
        return self._violation("log.hole", f"{offsets} missing, the floor is {self.log.floor} and the head {self.log.head}")

    def _violation(self, kind: str, what: str) -> Violation:
        return Violation(kind, self._where, what)
