"""`ports.RecordsDesk` on SQLite."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from causeway_common.contracts.messages import KeptRecord, NewRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.records import next_turn
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.record import RecordLife, after_of, connector_of, kept_record, operation_of, page_of, plan_redrive

COLLECTION: Final = "records"
_FIELDS: Final = "id, app, connector, op, payload, traceparent, created_ms, state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log, line, turn"
_STATES: Final = {
    "": "TRUE",
    "pending": "state = 'pending' AND settled = 0",
    "retrying": "state = 'pending' AND settled > 0",
    "done": "state = 'done'",
    "dead": "state = 'dead'",
}


class SqliteRecordsDesk:
    """The records as operators look at them."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def page(self, request: RecordsRequest) -> RecordsReply:
        """As the port says."""
        where, values = _where(request)
        after = after_of(request)
        where.append("(created_ms, turn, id) > (?, ?, ?)" if request.by_time else "id > ?")
        order = "created_ms, turn, id" if request.by_time else "id"
        query = f"SELECT {_FIELDS} FROM records WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?"  # noqa: S608 - constants

        def work(connection: sqlite3.Connection) -> RecordsReply:
            rows = connection.execute(query, (*values, *after, request.limit + 1)).fetchall()
            found = [_kept(row, brief=True) for row in rows[: request.limit]]
            return page_of(found, more=len(rows) > request.limit, by_time=request.by_time)

        return await self._database.read(COLLECTION, "page", work)

    async def find(self, id: str) -> KeptRecord | None:
        """As the port says."""
        return await self._database.read(COLLECTION, "find", lambda connection: _find(connection, id), small=True)

    async def redrive(self, id: str, now_ms: int) -> bool:
        """As the port says."""
        return await self._database.write(COLLECTION, "redrive", lambda connection: _redrive(connection, id, now_ms))


def _where(request: RecordsRequest) -> tuple[list[str], list[str | int]]:
    """What must hold, and the values of its question marks."""
    where, values = [_STATES[request.state]], list[str | int]()
    for condition, value in (
        ("app = ?", request.app),
        ("created_ms >= ?", request.since_ms),
        ("created_ms <= ?", request.until_ms),
    ):
        if value:
            where.append(condition)
            values.append(value)
    if request.connector:
        where.append("connector = ?")
        values.append(connector_of(request.connector))
    if request.operation:
        where.append("connector = ? AND op = ?")
        values += operation_of(request.operation)
    return where, values


def _find(connection: sqlite3.Connection, id: str) -> KeptRecord | None:
    row = connection.execute(f"SELECT {_FIELDS} FROM records WHERE id = ?", (id,)).fetchone()  # noqa: S608 - constants
    return _kept(row, brief=False) if row else None


def _kept(row: tuple[Any, ...], *, brief: bool) -> KeptRecord:
    name, app, connector, op, payload, traceparent, created_ms, *life, line, turn = row
    record = NewRecord(
        id=name,
        app=app,
        connector=connector,
        op=op,
        payload={} if brief else unpack(payload),
        traceparent=traceparent,
        line=line,
        turn=turn,
    )
    return kept_record(record, created_ms, RecordLife(*life), brief=brief)


def _redrive(connection: sqlite3.Connection, id: str, now_ms: int) -> bool:
    row = connection.execute(
        "SELECT state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log, line FROM records WHERE id = ?", (id,)
    ).fetchone()
    life = plan_redrive(RecordLife(*row[:-1]), now_ms) if row else None
    if life is None:
        return False
    connection.execute(
        "UPDATE records SET state = ?, settled = ?, free_at_ms = ?, next_at_ms = ?, ended_ms = ?, log = ? WHERE id = ?",
        (life.state, life.settled, life.free_at_ms, life.next_at_ms, life.ended_ms, life.log, id),
    )
    if row[-1]:
        connection.execute("UPDATE records SET turn = ? WHERE id = ?", (next_turn(connection), id))
    return True
