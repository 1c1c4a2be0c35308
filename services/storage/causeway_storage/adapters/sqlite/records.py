"""`ports.Records` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, SettleRequest
from causeway_storage.adapters.sqlite.claims import Claims, Ends, claim_all, settle_all
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.packing import pack
from causeway_storage.domain.record import RecordLife, life_of_new
from causeway_storage.domain.relay import ParkedItem, parked_record
from causeway_storage.ports import DuePage, DueRecord, Ending

COLLECTION: Final = "records"
COST: Final = 1024
"""About what one claim or end holds while it waits: many of them at once are no small write."""


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
            turn = _turn(connection, sum(1 for record in records if record.line and not record.turn))
            new: list[str] = []
            for record, life, payload in packed:
                its = record.turn
                if record.line and not its:
                    turn, its = turn + 1, turn + 1
                if _insert(connection, record, payload, life, now_ms, its):
                    new.append(record.id)
            return frozenset(new).difference(record.id for record, _ in dead)

        cost = sum(len(payload) for *_, payload in packed)
        return await self._database.write(COLLECTION, "put", work, cost=cost)

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """As the port says."""
        (reply,) = await self.claims([request], now_ms, runner)
        if isinstance(reply, CausewayError):
            raise reply
        return reply

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        """As the port says."""
        (ending,) = await self.settles([request], now_ms, runner)
        if isinstance(ending, CausewayError):
            raise ending
        return ending.settled

    async def claims(self, requests: Sequence[ClaimRequest], now_ms: int, runner: str = "") -> Sequence[ClaimReply | CausewayError]:
        """As the port says."""
        return await self._database.write_kind(
            COLLECTION, "claim", claim_all, Claims(requests, now_ms, runner), cost=COST * len(requests)
        )

    async def settles(self, requests: Sequence[SettleRequest], now_ms: int, runner: str = "") -> Sequence[Ending | CausewayError]:
        """As the port says."""
        return await self._database.write_kind(
            COLLECTION, "settle", settle_all, Ends(requests, now_ms, runner), cost=COST * len(requests)
        )

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


def _turn(connection: sqlite3.Connection, count: int) -> int:
    """The turn before so many new ones."""
    if not count:
        return 0
    connection.execute("UPDATE meta SET value = value + ? WHERE key = 'turn'", (count,))
    return int(connection.execute("SELECT value FROM meta WHERE key = 'turn'").fetchone()[0]) - count


def next_turn(connection: sqlite3.Connection) -> int:
    """A turn behind all that there are."""
    return _turn(connection, 1) + 1


def _insert(  # noqa: PLR0917 - one row
    connection: sqlite3.Connection, record: NewRecord, payload: bytes, life: RecordLife, now_ms: int, turn: int
) -> bool:
    """Whether it is new."""
    done = connection.execute(
        "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?)",
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
            record.line,
            turn,
            record.behind,
        ),
    )
    return done.rowcount == 1


def _due(connection: sqlite3.Connection, now_ms: int, limit: int) -> DuePage:
    rows = connection.execute(
        "SELECT id, connector, op, next_at_ms, traceparent, app FROM records WHERE state = 'pending' ORDER BY next_at_ms LIMIT ?",
        (limit + 1,),
    ).fetchall()
    waiting = [DueRecord(*row) for row in rows]
    due = tuple(record for record in waiting[:limit] if record.next_at_ms <= now_ms)
    return DuePage(due, waiting[len(due)].next_at_ms if len(due) < len(waiting) else None)
