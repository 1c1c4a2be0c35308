"""The check: every entry goes by the invariants."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from causeway_storage.domain.invariants import Invariants, Violation
from causeway_storage.domain.stored import Unreadable, tag_of
from causeway_storage.operations.progress import Advance
from causeway_storage.ports import Inspection

VIOLATIONS_MAX: Final = 10_000
"""So many are listed; a database with more is looked at no further."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        violations: all of them, or the first `VIOLATIONS_MAX`.
        counts: what was looked at, by kind.
    """

    violations: tuple[Violation, ...]
    counts: dict[str, int]


async def checked(inspection: Inspection, *, now_ms: int, stuck_after_ms: int, advance: Advance) -> Report:
    """Check everything stored.

    Args:
        inspection: of the database.
        now_ms: the time of day.
        stuck_after_ms: an outbox element that waits longer is a violation.
        advance: told how many entries were looked at.
    """
    invariants = Invariants(now_ms=now_ms, stuck_after_ms=stuck_after_ms)
    violations: list[Violation] = []
    counts: Counter[str] = Counter()
    async for page in inspection.pages():
        for entry in page:
            violations += invariants.see(entry)
            if not isinstance(entry, Unreadable):
                counts[tag_of(entry)] += 1
        advance(len(page))
        if len(violations) >= VIOLATIONS_MAX:
            return Report(tuple(violations[:VIOLATIONS_MAX]), dict(counts))
    violations += invariants.end()
    return Report(tuple(violations), dict(counts))
