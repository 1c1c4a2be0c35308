"""`ports.RecordsDesk` on SQLite."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from causeway_common.contracts.messages import KeptRecord, NewRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.record import ANY_TASK, TASK, RecordLife, kept_record, plan_redrive

COLLECTION: Final = "records"
_FIELDS: Final = "id, app, connector, op, payload, traceparent, created_ms, state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log"
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
        where = _STATES[request.state]
        narrowed = "(?1 = '' OR app = ?1) AND (?2 = '' OR connector = ?3)"
        query = f"SELECT {_FIELDS} FROM records WHERE {where} AND {narrowed} AND id > ?4 ORDER BY id LIMIT ?5"  # noqa: S608 - constants
        wanted = (request.app, request.connector, TASK if request.connector == ANY_TASK else request.connector)

        def work(connection: sqlite3.Connection) -> RecordsReply:
            rows = connection.execute(query, (*wanted, request.after, request.limit + 1)).fetchall()
            found = [_kept(row, brief=True) for row in rows[: request.limit]]
            return RecordsReply(records=found, more=len(rows) > request.limit)

        return await self._database.read(COLLECTION, "page", work)

    async def find(self, id: str) -> KeptRecord | None:
        """As the port says."""
        return await self._database.read(COLLECTION, "find", lambda connection: _find(connection, id), small=True)

    async def redrive(self, id: str, now_ms: int) -> bool:
        """As the port says."""
        return await self._database.write(COLLECTION, "redrive", lambda connection: _redrive(connection, id, now_ms))


def _find(connection: sqlite3.Connection, id: str) -> KeptRecord | None:
    row = connection.execute(f"SELECT {_FIELDS} FROM records WHERE id = ?", (id,)).fetchone()  # noqa: S608 - constants
    return _kept(row, brief=False) if row else None


def _kept(row: tuple[Any, ...], *, brief: bool) -> KeptRecord:
    name, app, connector, op, payload, traceparent, created_ms, *life = row
    record = NewRecord(
        id=name, app=app, connector=connector, op=op, payload={} if brief else unpack(payload), traceparent=traceparent
    )
    return kept_record(record, created_ms, RecordLife(*life), brief=brief)


def _redrive(connection: sqlite3.Connection, id: str, now_ms: int) -> bool:
    row = connection.execute(
        "SELECT state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log FROM records WHERE id = ?", (id,)
    ).fetchone()
    life = plan_redrive(RecordLife(*row), now_ms) if row else None
    if life is None:
        return False
    connection.execute(
        "UPDATE records SET state = ?, settled = ?, free_at_ms = ?, next_at_ms = ?, ended_ms = ?, log = ? WHERE id = ?",
        (life.state, life.settled, life.free_at_ms, life.next_at_ms, life.ended_ms, life.log, id),
    )
    return True
