"""What must hold of an attendance's document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from causeway_common.contracts.messages import JsonMap
from causeway_storage.domain.attendance import (
    EVENTS,
    HOLDERS,
    KEY,
    MEMBER,
    NUMBER,
    OUTBOX,
    OUTBOX_MAX,
    TOLD,
    holders_of,
    idle_since_ms,
    oldest_ms,
)
from causeway_storage.domain.invariants.violation import Violation
from causeway_storage.domain.stored import Attendance

_FIELDS: Final = ((KEY, dict), (HOLDERS, dict), (NUMBER, int), (TOLD, bool), (OUTBOX, list))


def check_attendance(entry: Attendance, now_ms: int, stuck_after_ms: int) -> Iterator[Violation]:
    """The violations of one key; an element of its outbox that waits longer than `stuck_after_ms` is one."""
    where, document = f"attendance {entry.key}", entry.document
    if fault := _malformed(document):
        yield Violation("attendance.document", where, fault)
        return
    holding, oldest = holders_of(document), oldest_ms(document)
    if sorted(entry.holders) != sorted(holding):
        yield Violation("attendance.misplaced", where, f"it is found by {sorted(entry.holders)}, and held by {sorted(holding)}")
    if entry.oldest_ms != oldest or entry.idle_ms != idle_since_ms(document):
        what = f"the relay looks for it at {entry.oldest_ms}, the oldest element of its outbox is of {oldest}"
        yield Violation("outbox.misplaced", where, what)
    if oldest is not None and now_ms - oldest > stuck_after_ms:
        what = f"the oldest event waits for {(now_ms - oldest) // 1000} s; it leaves when storage runs and NATS takes it"
        yield Violation("outbox.stuck", where, what)
    if document[KEY]["scope"] != MEMBER and document[TOLD] != bool(holding) and len(document[OUTBOX]) < OUTBOX_MAX:
        yield Violation("attendance.untold", where, "what was told of it last is not what it is")
    ids = [each["id"] for each in document[OUTBOX]]
    if len(set(ids)) < len(ids):
        yield Violation("outbox.double_id", where, "two elements of its outbox have one id")


def _malformed(document: JsonMap) -> str:
    """What of a document is not of the type it must be; "" where all is."""
    for name, kind in _FIELDS:
        if not isinstance(document.get(name), kind):
            return f"its field {name} is missing or of another type"
    if document[KEY].get("scope") not in {*EVENTS, MEMBER}:
        return "it is of no scope that this version knows"
    for each in document[HOLDERS].values():
        if not (isinstance(each, list) and [type(part) for part in each[:3]] == [int, bool, int]):
            return "one of its holders is malformed"
    for each in document[OUTBOX]:
        if not (isinstance(each, dict) and isinstance(each.get("id"), str) and isinstance(each.get("at"), int)):
            return "an element of its outbox has no id or time"
    return ""
