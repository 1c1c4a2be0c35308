"""The invariants of everything stored, fed with one entry after the other in the order of `domain.stored`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from causeway_storage.domain.invariants.documents import check_entity, check_record, entity_name
from causeway_storage.domain.invariants.logs import LogChecker
from causeway_storage.domain.invariants.violation import Violation
from causeway_storage.domain.stored import AnyEntry, Entity, Log, Publication, Record, SeenId, Unreadable

STUCK_AFTER_MS: Final = 15 * 60 * 1000


class Invariants:
    """Looks at one entry after the other.

    Args:
        now_ms: the time of day.
        stuck_after_ms: an outbox element that waits longer is a violation.
    """

    def __init__(self, *, now_ms: int, stuck_after_ms: int = STUCK_AFTER_MS) -> None:
        self._now_ms, self._stuck_after_ms = now_ms, stuck_after_ms
        self._log: LogChecker | None = None
        self._last_entity: tuple[str, str, str] | None = None
        self._last_record: str | None = None

    def see(self, entry: AnyEntry | Unreadable) -> Iterator[Violation]:
        """The violations that this entry shows."""
        if isinstance(entry, Log):
            yield from self._next_log(entry)
            return
        if isinstance(entry, Entity | Record):
            yield from self.end()
        match entry:
            case Publication() | SeenId():
                yield from self._of_log(entry)
            case Entity():
                key = (entry.app, entry.kind, entry.id)
                if self._last_entity is not None and key <= self._last_entity:
                    yield Violation("entity.double", entity_name(entry), "it is there more than once")
                self._last_entity = key
                yield from check_entity(entry, self._now_ms, self._stuck_after_ms)
            case Record():
                if self._last_record is not None and entry.id <= self._last_record:
                    yield Violation("record.double", f"record {entry.id}", "it is there more than once")
                self._last_record = entry.id
                yield from check_record(entry)
            case Unreadable():
                yield Violation(entry.kind, entry.where, entry.what)
            case other:
                assert_never(other)

    def end(self) -> Iterator[Violation]:
        """The violations that only the end of the logs shows."""
        if self._log is not None:
            yield from self._log.end()
            self._log = None

    def _next_log(self, log: Log) -> Iterator[Violation]:
        before = None if self._log is None else self._log.log.channel
        yield from self.end()
        if before is not None and log.channel <= before:
            yield Violation("log.double", f"log {log.channel}", "the channel has more than one head")
        self._log = LogChecker(log)
        yield from self._log.begin()

    def _of_log(self, entry: Publication | SeenId) -> Iterator[Violation]:
        if self._log is None or entry.channel != self._log.log.channel:
            yield Violation("log.stray", f"log {entry.channel}", "there are publications or ids, but no head")
        elif isinstance(entry, Publication):
            yield from self._log.publication(entry)
        else:
            yield from self._log.seen_id(entry)
