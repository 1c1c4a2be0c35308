"""The invariants of everything stored, fed with one entry after the other in the order of `domain.stored`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from causeway_storage.domain.invariants.attendance import check_attendance
from causeway_storage.domain.invariants.documents import check_entity, check_record, entity_name
from causeway_storage.domain.invariants.logs import LogChecker
from causeway_storage.domain.invariants.violation import Violation
from causeway_storage.domain.stored import (
    AnyEntry,
    Attendance,
    Entity,
    Holder,
    Log,
    Operation,
    Publication,
    Record,
    SeenId,
    Timer,
    Unreadable,
)

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
        self._last: dict[str, tuple[str, ...]] = {}
        """The key of the last entry of a kind: they come in order."""

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
            case Unreadable():
                yield Violation(entry.kind, entry.where, entry.what)
            case other:
                yield from self._document(other)

    def _document(self, entry: Entity | Record | Attendance | Holder | Timer | Operation) -> Iterator[Violation]:
        match entry:
            case Entity():
                yield from self._once("entity.double", entity_name(entry), (entry.app, entry.kind, entry.id))
                yield from check_entity(entry, self._now_ms, self._stuck_after_ms)
            case Record():
                yield from self._once("record.double", f"record {entry.id}", (entry.id,))
                yield from check_record(entry)
            case Attendance():
                yield from self._once("attendance.double", f"attendance {entry.key}", (entry.key,))
                yield from check_attendance(entry, self._now_ms, self._stuck_after_ms)
            case Holder():
                pass  # a row of its own, of which anything may be true
            case Timer():
                if entry.version < 1 or entry.at_ms < 0:
                    what = f"version {entry.version} and time {entry.at_ms} cannot be"
                    yield Violation("timer.malformed", f"timer {entry.key}", what)
            case Operation():
                if not entry.id.startswith(f"{entry.at_ms:016d}"):
                    yield Violation("operation.malformed", f"operation {entry.id}", f"its id does not tell its time, {entry.at_ms}")
            case other:
                assert_never(other)

    def _once(self, kind: str, where: str, key: tuple[str, ...]) -> Iterator[Violation]:
        if kind in self._last and key <= self._last[kind]:
            yield Violation(kind, where, "it is there more than once")
        self._last[kind] = key

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
