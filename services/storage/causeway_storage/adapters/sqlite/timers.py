"""`ports.Timers` and `ports.AuditLog` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.stored import Operation, Timer
from causeway_storage.ports import TimerPage

TIMERS: Final = "timers"
OPERATIONS: Final = "operations"
SET_TIMER: Final = (
    "INSERT INTO timers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, set_ms = excluded.set_ms, "
    "at_ms = excluded.at_ms, body = excluded.body WHERE version < excluded.version"
)
KEEP_OPERATION: Final = "INSERT OR IGNORE INTO operations VALUES (?, ?, ?)"


def timer_row(timer: Timer) -> tuple[str, int, int, int, bytes]:
    """A timer as its table has it."""
    return timer.key, timer.version, timer.set_ms, timer.at_ms, msgspec.msgpack.encode(timer)


def read_timer(body: bytes, at_ms: int) -> Timer:
    """A timer of its table, which knows better when it fires."""
    return msgspec.structs.replace(msgspec.msgpack.decode(body, type=Timer), at_ms=at_ms)


def operation_row(operation: Operation) -> tuple[str, int, bytes]:
    """An audit record as its table has it."""
    return operation.id, operation.at_ms, msgspec.msgpack.encode(operation)


def read_operation(body: bytes) -> Operation:
    """An audit record of its table."""
    return msgspec.msgpack.decode(body, type=Operation)


class SqliteTimers:
    """The timers."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def put(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        rows = [timer_row(each) for each in timers]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(SET_TIMER, rows)

        await self._database.write(TIMERS, "put", work, cost=sum(len(row[-1]) for row in rows))

    async def due(self, now_ms: int, limit: int) -> TimerPage:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
            query = "SELECT body, at_ms FROM timers WHERE at_ms > 0 ORDER BY at_ms, key LIMIT ?"
            return connection.execute(query, (limit + 1,)).fetchall()

        waiting = await self._database.read(TIMERS, "due", work)
        due = tuple(read_timer(*row) for row in waiting[:limit] if row[1] <= now_ms)
        return TimerPage(due, waiting[len(due)][1] if len(due) < len(waiting) else None)

    async def waiting(self, after: tuple[int, str], limit: int) -> list[Timer]:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
            query = "SELECT body, at_ms FROM timers WHERE at_ms > 0 AND (at_ms, key) > (?, ?) ORDER BY at_ms, key LIMIT ?"
            return connection.execute(query, (*after, limit)).fetchall()

        return [read_timer(*row) for row in await self._database.read(TIMERS, "waiting", work)]

    async def fired(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        rows = [(each.key, each.version) for each in timers]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE timers SET at_ms = 0 WHERE key = ? AND version = ?", rows)

        await self._database.write(TIMERS, "fired", work)

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        query = "DELETE FROM timers WHERE key IN (SELECT key FROM timers WHERE at_ms = 0 AND set_ms < ? LIMIT ?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(TIMERS, "forget", work)


class SqliteAuditLog:
    """The audit records."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def record(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        rows = [operation_row(each) for each in operations]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(KEEP_OPERATION, rows)

        await self._database.write(OPERATIONS, "record", work, cost=sum(len(row[-1]) for row in rows))

    async def page(self, before: str, limit: int) -> list[Operation]:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[tuple[bytes]]:
            query = "SELECT body FROM operations WHERE ? = '' OR id < ? ORDER BY id DESC LIMIT ?"
            return connection.execute(query, (before, before, limit)).fetchall()

        return [read_operation(body) for (body,) in await self._database.read(OPERATIONS, "page", work)]

    async def remove(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        query = "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE at_ms < ? ORDER BY id LIMIT ?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(OPERATIONS, "remove", work)
