"""`ports.Attendances` in memory. A document is packed and unpacked on its way, so that no caller shares a map with the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from causeway_common.contracts.messages import JsonMap
from causeway_storage.adapters.memory.database import MemoryDatabase
from causeway_storage.domain.attendance import (
    Change,
    holders_of,
    idle_since_ms,
    oldest_ms,
    plan_change,
    plan_clear,
    sendings_of,
    sent,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.ports import AttendancePage, Holder, PendingAttendance


class MemoryAttendances:
    """The attendances."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        """As the port says."""
        known = self._database.holders.get(holder)
        if (known is None and first != 1) or (known is not None and known.cleared_ms is not None):
            return False
        if known is None or leave_at_ms is not None:
            self._database.holders[holder] = Holder(holder, leave_at_ms)
        for change in changes:
            self._store(change.key, plan_change(self._document(change.key), holder, change, now_ms))
        return True

    async def holders(self) -> list[Holder]:
        """As the port says."""
        return list(self._database.holders.values())

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        """As the port says."""
        known = self._database.holders.get(holder)
        if known is not None and known.cleared_ms is None:
            self._database.holders[holder] = Holder(holder, known.leave_at_ms, now_ms)
        held = self._held_by(holder)[:limit]
        for key in held:
            self._store(key, plan_clear(self._document(key), holder, now_ms))
        return len(held)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        """As the port says."""
        waiting = sorted(
            (oldest, key)
            for key, document in self._database.attendances.items()
            if (oldest := oldest_ms(document)) is not None and oldest <= older_than_ms
        )
        after_ms, _, after_key = cursor.partition(":") if cursor else ("-1", "", "")
        page = [each for each in waiting if each > (int(after_ms), after_key)][:limit]
        found = tuple(PendingAttendance(key, sendings_of(self._database.attendances[key])) for _, key in page)
        return AttendancePage(found, f"{page[-1][0]}:{page[-1][1]}" if len(page) == limit else "")

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        """As the port says."""
        for key, ids in done.items():
            if (document := self._document(key)) is not None:
                self._store(key, sent(document, ids, now_ms))

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        database = self._database
        gone = [each for each in database.holders.values() if each.cleared_ms is not None and each.cleared_ms < before_ms]
        for holder in gone:
            if not self._held_by(holder.name):
                del database.holders[holder.name]
        idle = [key for key, document in database.attendances.items() if (idle_since_ms(document) or before_ms) < before_ms][:limit]
        for key in idle:
            del database.attendances[key]
        return len(idle)

    def _held_by(self, holder: str) -> list[str]:
        return sorted(key for key, document in self._database.attendances.items() if holder in holders_of(document))

    def _document(self, key: str) -> JsonMap | None:
        document = self._database.attendances.get(key)
        return None if document is None else unpack(pack(document))

    def _store(self, key: str, document: JsonMap | None) -> None:
        if document is not None:
            self._database.attendances[key] = unpack(pack(document))
