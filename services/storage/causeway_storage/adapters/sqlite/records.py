"""`ports.Records` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final, assert_never

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, Record, SettleRequest
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.domain.record import (
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    life_of_new,
    plan_claim,
    plan_settle,
    record_message,
    refusal,
)
from causeway_storage.domain.relay import ParkedItem, parked_record
from causeway_storage.ports import DuePage, DueRecord

COLLECTION: Final = "records"


class SqliteRecords:
    """The records."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """As the port says."""
        dead = [parked_record(item, now_ms) for item in parked]
        alive = [(record, life_of_new(record, now_ms=now_ms, next_at_ms=next_at_ms)) for record in records]
        packed = [(*each, pack(each[0].payload)) for each in (*dead, *alive)]

        def work(connection: sqlite3.Connection) -> frozenset[str]:
            new = [record.id for record, life, payload in packed if _insert(connection, record, payload, life, now_ms)]
            return frozenset(new).difference(record.id for record, _ in dead)

        cost = sum(len(payload) for *_, payload in packed)
        return await self._database.write(COLLECTION, "put", work, cost=cost)

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """As the port says."""
        reply = await self._database.write(COLLECTION, "claim", lambda connection: _claim(connection, request, now_ms, runner))
        if isinstance(reply, CausewayError):
            raise reply
        return reply

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        """As the port says."""
        settled = await self._database.write(COLLECTION, "settle", lambda connection: _settle(connection, request, now_ms, runner))
        if isinstance(settled, CausewayError):
            raise settled
        return settled

    async def due(self, now_ms: int, limit: int) -> DuePage:
        """As the port says."""
        return await self._database.read(COLLECTION, "due", lambda connection: _due(connection, now_ms, limit))

    async def postpone(self, records: Collection[DueRecord], next_at_ms: int) -> None:
        """As the port says."""
        rows = [(next_at_ms, record.id, record.next_at_ms) for record in records]
        query = "UPDATE records SET next_at_ms = ? WHERE id = ? AND next_at_ms = ? AND state = 'pending'"

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(query, rows)

        await self._database.write(COLLECTION, "postpone", work)

    async def remove_done(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        query = "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE state = 'done' AND ended_ms < ? LIMIT ?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(COLLECTION, "remove", work)


def _insert(connection: sqlite3.Connection, record: NewRecord, payload: bytes, life: RecordLife, now_ms: int) -> bool:
    """Whether it is new."""
    done = connection.execute(
        "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
        (
            record.id,
            record.app,
            record.connector,
            record.op,
            payload,
            record.traceparent,
            now_ms,
            life.state,
            life.attempts,
            life.settled,
            life.free_at_ms,
            life.next_at_ms,
            life.note,
            life.ended_ms,
            life.log,
        ),
    )
    return done.rowcount == 1


def _life(connection: sqlite3.Connection, id: str, runner: str) -> RecordLife | CausewayError | None:
    """A refusal is told, not raised: it would have the whole batch done again, one by one."""
    row = connection.execute(
        "SELECT app, connector, state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log FROM records WHERE id = ?",
        (id,),
    ).fetchone()
    if row is None:
        return None
    app, connector, *life = row
    return refusal(app, connector, runner) or RecordLife(*life)


def _store(connection: sqlite3.Connection, id: str, life: RecordLife) -> None:
    connection.execute(
        "UPDATE records SET state = ?, attempts = ?, settled = ?, free_at_ms = ?, next_at_ms = ?, note = ?, ended_ms = ?, log = ? "
        "WHERE id = ?",
        (life.state, life.attempts, life.settled, life.free_at_ms, life.next_at_ms, life.note, life.ended_ms, life.log, id),
    )


def _claim(connection: sqlite3.Connection, request: ClaimRequest, now_ms: int, runner: str) -> ClaimReply | CausewayError:
    found = _life(connection, request.id, runner)
    if isinstance(found, CausewayError):
        return found
    match plan_claim(found, now_ms=now_ms, lease_ms=request.lease_ms):
        case Claimed(life):
            _store(connection, request.id, life)
            connection.execute("UPDATE records SET node = ? WHERE id = ?", (request.node, request.id))
            return ClaimReply(outcome="run", record=_record(connection, request.id, life))
        case NotClaimed(outcome):
            return ClaimReply(outcome=outcome)
        case other:
            assert_never(other)


def _record(connection: sqlite3.Connection, id: str, life: RecordLife) -> Record:
    query = "SELECT app, connector, op, payload, created_ms, traceparent FROM records WHERE id = ?"
    app, connector, op, payload, created_ms, traceparent = connection.execute(query, (id,)).fetchone()
    record = NewRecord(id=id, app=app, connector=connector, op=op, payload=unpack(payload), traceparent=traceparent)
    return record_message(record, created_ms, life)


def _settle(connection: sqlite3.Connection, request: SettleRequest, now_ms: int, runner: str) -> bool | CausewayError:
    found = _life(connection, request.id, runner)
    if isinstance(found, CausewayError):
        return found
    match plan_settle(found, request, now_ms=now_ms):
        case Settled(life):
            _store(connection, request.id, life)
            return True
        case LeaseLost():
            return False
        case other:
            assert_never(other)


def _due(connection: sqlite3.Connection, now_ms: int, limit: int) -> DuePage:
    rows = connection.execute(
        "SELECT id, connector, op, next_at_ms, traceparent, app FROM records WHERE state = 'pending' ORDER BY next_at_ms LIMIT ?",
        (limit + 1,),
    ).fetchall()
    waiting = [DueRecord(*row) for row in rows]
    due = tuple(record for record in waiting[:limit] if record.next_at_ms <= now_ms)
    return DuePage(due, waiting[len(due)].next_at_ms if len(due) < len(waiting) else None)
