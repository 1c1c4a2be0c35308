"""`ports.Attendances` on SQLite. `holds`, `oldest_ms` and `idle_ms` repeat what stands in a key's document, to be found by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from causeway_common.contracts.messages import JsonMap
from causeway_storage.adapters.sqlite.database import SqliteDatabase
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

COLLECTION: Final = "attendances"
CHANGE_BYTES: Final = 256


class SqliteAttendances:
    """The attendances."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> bool:
            if not _admitted(connection, holder, first, leave_at_ms):
                return False
            for change in changes:
                document = _document(connection, change.key)
                if (planned := plan_change(document, holder, change, now_ms)) is not None:
                    _store(connection, change.key, document, planned)
            return True

        return await self._database.write(COLLECTION, "attend", work, cost=CHANGE_BYTES * len(changes))

    async def holders(self) -> list[Holder]:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[Holder]:
            return [Holder(*row) for row in connection.execute("SELECT holder, leave_at_ms, cleared_ms FROM holders")]

        return await self._database.read(COLLECTION, "holders", work)

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> int:
            connection.execute("UPDATE holders SET cleared_ms = ? WHERE holder = ? AND cleared_ms IS NULL", (now_ms, holder))
            keys = connection.execute("SELECT key FROM holds WHERE holder = ? ORDER BY key LIMIT ?", (holder, limit)).fetchall()
            for (key,) in keys:
                document = _document(connection, key)
                if (planned := plan_clear(document, holder, now_ms)) is not None:
                    _store(connection, key, document, planned)
            return len(keys)

        return await self._database.write(COLLECTION, "clear", work)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        """As the port says."""
        return await self._database.read(
            COLLECTION, "pending", lambda connection: _pending(connection, older_than_ms, cursor, limit)
        )

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> None:
            for key, ids in done.items():
                if (document := _document(connection, key)) is not None:
                    _store(connection, key, document, sent(document, ids, now_ms))

        await self._database.write(COLLECTION, "sent", work)

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> int:
            connection.execute(
                "DELETE FROM holders WHERE cleared_ms < ? AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.holder = holders.holder)",
                (before_ms,),
            )
            query = "DELETE FROM attendances WHERE key IN (SELECT key FROM attendances WHERE idle_ms < ? LIMIT ?)"
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(COLLECTION, "forget", work)


def _admitted(connection: sqlite3.Connection, holder: str, first: int, leave_at_ms: int | None) -> bool:
    row = connection.execute("SELECT cleared_ms FROM holders WHERE holder = ?", (holder,)).fetchone()
    if row is None:
        if first != 1:
            return False
        connection.execute("INSERT INTO holders VALUES (?, ?, NULL)", (holder, leave_at_ms))
        return True
    if row[0] is not None:
        return False
    if leave_at_ms is not None:
        connection.execute("UPDATE holders SET leave_at_ms = ? WHERE holder = ?", (leave_at_ms, holder))
    return True


def _document(connection: sqlite3.Connection, key: str) -> JsonMap | None:
    row = connection.execute("SELECT document FROM attendances WHERE key = ?", (key,)).fetchone()
    return None if row is None else unpack(row[0])


def _store(connection: sqlite3.Connection, key: str, before: JsonMap | None, document: JsonMap) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO attendances VALUES (?, ?, ?, ?)",
        (key, pack(document), oldest_ms(document), idle_since_ms(document)),
    )
    was: frozenset[str] = frozenset() if before is None else holders_of(before)
    holding = holders_of(document)
    connection.executemany("INSERT INTO holds VALUES (?, ?)", [(holder, key) for holder in holding - was])
    connection.executemany("DELETE FROM holds WHERE holder = ? AND key = ?", [(holder, key) for holder in was - holding])


def _pending(connection: sqlite3.Connection, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
    # A key's oldest element only gets younger, so whoever moves during the walk moves ahead of it and is met again.
    after_ms, _, after_key = cursor.partition(":") if cursor else ("-1", "", "")
    rows = connection.execute(
        "SELECT key, document, oldest_ms FROM attendances "
        "WHERE oldest_ms IS NOT NULL AND oldest_ms <= ? AND (oldest_ms, key) > (?, ?) ORDER BY oldest_ms, key LIMIT ?",
        (older_than_ms, int(after_ms), after_key, limit),
    ).fetchall()
    found = tuple(PendingAttendance(key, sendings_of(unpack(document))) for key, document, _ in rows)
    return AttendancePage(found, f"{rows[-1][2]}:{rows[-1][0]}" if len(rows) == limit else "")
