"""`ports.Timers` and `ports.AuditLog` in memory."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from causeway_storage.adapters.memory.database import MemoryDatabase
from causeway_storage.domain.stored import Operation, Timer
from causeway_storage.ports import TimerPage


class MemoryTimers:
    """The timers."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._timers = database.timers

    async def put(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        for timer in timers:
            there = self._timers.get(timer.key)
            if there is None or there.version < timer.version:
                self._timers[timer.key] = timer

    async def due(self, now_ms: int, limit: int) -> TimerPage:
        """As the port says."""
        waiting = sorted((each for each in self._timers.values() if each.at_ms), key=lambda each: (each.at_ms, each.key))
        due = tuple(each for each in waiting[:limit] if each.at_ms <= now_ms)
        return TimerPage(due, waiting[len(due)].at_ms if len(due) < len(waiting) else None)

    async def waiting(self, after: tuple[int, str], limit: int) -> list[Timer]:
        """As the port says."""
        found = sorted((each.at_ms, each.key) for each in self._timers.values() if each.at_ms)
        return [self._timers[key] for at, key in found if (at, key) > after][:limit]

    async def fired(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        for timer in timers:
            there = self._timers.get(timer.key)
            if there is not None and there.version == timer.version:
                self._timers[timer.key] = replace(there, at_ms=0)

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        old = [key for key, each in self._timers.items() if not each.at_ms and each.set_ms < before_ms][:limit]
        for key in old:
            del self._timers[key]
        return len(old)


class MemoryAuditLog:
    """The audit records."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._operations = database.operations

    async def record(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        for operation in operations:
            self._operations.setdefault(operation.id, operation)

    async def page(self, before: str, limit: int) -> list[Operation]:
        """As the port says."""
        names = sorted((name for name in self._operations if not before or name < before), reverse=True)
        return [self._operations[name] for name in names[:limit]]

    async def remove(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        old = sorted(name for name, each in self._operations.items() if each.at_ms < before_ms)[:limit]
        for name in old:
            del self._operations[name]
        return len(old)
