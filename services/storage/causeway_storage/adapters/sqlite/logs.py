"""`ports.Logs` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest, StoredPublication
from causeway_common.runtime import fault_point
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.domain.log import (
    NEVER_SEEN,
    AppendPlan,
    KnownId,
    LogHead,
    SeenVersion,
    cut_page,
    epoch_of,
    head_message,
    page_range,
    plan_append,
    plan_expiry,
)
from causeway_storage.ports import Appended

log = get_logger("storage")
COLLECTION: Final = "logs"
EXPIRY_PAGE: Final = 1000


class SqliteLogs:
    """The channels' logs.

    Args:
        database: where they are.
        new_letters: makes the letters of a new epoch.
        on_appended: as `ports.Logs` says; must not raise.
    """

    def __init__(self, database: SqliteDatabase, new_letters: Callable[[], str], on_appended: Callable[[Appended], None]) -> None:
        self._database, self._new_letters, self._on_appended = database, new_letters, on_appended

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        letters = self._new_letters()
        cost = sum(len(item.data) for item in request.items)

        def work(connection: sqlite3.Connection) -> Appended:
            return _append(connection, request, now_ms, letters)

        return await self._database.write(COLLECTION, "append", work, cost=cost, then=self._told)

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[Head]:
            generation = generation_of(connection)
            return [head_message(_log_head(_head_row(connection, channel)), generation) for channel in channels]

        return await self._database.read(COLLECTION, "heads", work)

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """As the port says."""
        try:
            return await self._database.read(COLLECTION, "history", lambda connection: _history(connection, request))
        except LookupError as error:
            log.error("a log is damaged, its page is not served", reason=str(error))  # noqa: TRY400 - the reason is all there is
            raise CausewayError(ErrorName.INTERNAL) from error

    async def remove(self, channel: str) -> Head:
        """As the port says."""
        return await self._database.write(COLLECTION, "remove", lambda connection: _remove(connection, channel))

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._database.write(COLLECTION, "expire", lambda connection: _expire(connection, now_ms, limit))

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        query = "DELETE FROM ids WHERE (number, id) IN (SELECT number, id FROM ids WHERE time_ms < ? LIMIT ?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(COLLECTION, "forget", work)

    def _told(self, appended: Appended) -> None:
        if appended.publications:
            self._on_appended(appended)


_HeadRow = tuple[int, str, int, int, int, int | None]


def _head_row(connection: sqlite3.Connection, channel: str) -> _HeadRow | None:
    row: _HeadRow | None = connection.execute(
        "SELECT number, letters, head, floor, ttl_ms, expires_ms FROM heads WHERE channel = ?", (channel,)
    ).fetchone()
    return row


def _log_head(row: _HeadRow | None) -> LogHead | None:
    return None if row is None else LogHead(row[1], row[2], row[3])


def _append(connection: sqlite3.Connection, request: AppendRequest, now_ms: int, letters: str) -> Appended:
    row = _head_row(connection, request.channel)
    known = {} if row is None else _known(connection, row[0], [item.id for item in request.items])
    versioned = any(item.version for item in request.items)
    seen = _seen(connection, row[0]) if versioned and row is not None else NEVER_SEEN
    plan = plan_append(_log_head(row), known, request, now_ms=now_ms, letters=letters, seen=seen)
    if plan.publications:
        fault_point("storage.append.before_write")
        number = _written_head(connection, row, request, plan, now_ms)
        _write(connection, number, plan, now_ms)
        if versioned:
            connection.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?)", (number, plan.seen.version, plan.seen.epoch))
    epoch = epoch_of(plan.head.letters, generation_of(connection))
    return Appended(
        request.channel, epoch, plan.offsets, plan.repeats, plan.publications, plan.skipped if versioned else (), plan.deltas
    )


def _seen(connection: sqlite3.Connection, number: int) -> SeenVersion:
    row = connection.execute("SELECT version, epoch FROM versions WHERE number = ?", (number,)).fetchone()
    return NEVER_SEEN if row is None else SeenVersion(*row)


def _remove(connection: sqlite3.Connection, channel: str) -> Head:
    row = _head_row(connection, channel)
    if row is None:
        return Head()
    number, letters, head = row[:3]
    connection.execute("UPDATE heads SET floor = head, expires_ms = NULL WHERE number = ?", (number,))
    connection.execute("DELETE FROM publications WHERE number = ?", (number,))
    return head_message(LogHead(letters, head, head), generation_of(connection))


def _known(connection: sqlite3.Connection, number: int, ids: list[str]) -> dict[str, KnownId]:
    marks = ",".join("?" * len(ids))
    query = f"SELECT id, position, time_ms FROM ids WHERE number = ? AND id IN ({marks})"  # noqa: S608 - only question marks
    return {row[0]: KnownId(row[1], row[2]) for row in connection.execute(query, (number, *ids))}


def _written_head(
    connection: sqlite3.Connection, row: _HeadRow | None, request: AppendRequest, plan: AppendPlan, now_ms: int
) -> int:
    """Write the head; the channel's number."""
    head = plan.head
    if row is None:
        number = connection.execute(
            "INSERT INTO heads (channel, letters, head, floor, ttl_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)",
            (request.channel, head.letters, head.head, head.floor, request.ttl_ms, now_ms + request.ttl_ms),
        ).lastrowid
        assert number is not None  # noqa: S101 - SQLite gives every inserted row one
        return number
    number, _, _, _, ttl_ms, expires_ms = row
    # When to look for expired publications: at once where the ttl changed, since it was worked out with the old one.
    due = 0 if ttl_ms != request.ttl_ms else now_ms + ttl_ms if expires_ms is None else expires_ms
    connection.execute(
        "UPDATE heads SET head = ?, floor = ?, ttl_ms = ?, expires_ms = ? WHERE number = ?",
        (head.head, head.floor, request.ttl_ms, due, number),
    )
    return number


def _write(connection: sqlite3.Connection, number: int, plan: AppendPlan, now_ms: int) -> None:
    floor = plan.head.floor
    connection.executemany(
        "INSERT INTO publications VALUES (?, ?, ?, ?)",
        [(number, each.offset, now_ms, encode(each)) for each in plan.publications if each.offset > floor],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)", [(number, *new, now_ms) for new in plan.new_ids.items()]
    )
    connection.execute("DELETE FROM publications WHERE number = ? AND position <= ?", (number, floor))


def _history(connection: sqlite3.Connection, request: HistoryRequest) -> HistoryReply:
    row = _head_row(connection, request.channel)
    head = _log_head(row)
    if row is None or head is None:
        return HistoryReply(head=Head(), publications=[])
    asked = page_range(head, request)
    comparison, direction = ("<=", "DESC") if request.reverse else (">=", "ASC")
    rows = connection.execute(
        f"SELECT body FROM publications WHERE number = ? AND position {comparison} ? ORDER BY position {direction} LIMIT ?",  # noqa: S608
        (row[0], asked.first, asked.count),
    )
    page, more = cut_page(head, request, ((decode(body, StoredPublication), len(body)) for (body,) in rows))
    return HistoryReply(head=head_message(head, generation_of(connection)), publications=page, more=more)


def _expire(connection: sqlite3.Connection, now_ms: int, limit: int) -> int:
    due = connection.execute("SELECT number, floor, ttl_ms FROM heads WHERE expires_ms <= ? LIMIT ?", (now_ms, limit)).fetchall()
    for number, floor, ttl_ms in due:
        oldest = connection.execute(
            "SELECT position, time_ms FROM publications WHERE number = ? ORDER BY position LIMIT ?", (number, EXPIRY_PAGE)
        ).fetchall()
        plan = plan_expiry(floor, oldest, ttl_ms=ttl_ms, now_ms=now_ms, complete=len(oldest) < EXPIRY_PAGE)
        connection.execute("UPDATE heads SET floor = ?, expires_ms = ? WHERE number = ?", (plan.floor, plan.next_ms, number))
        connection.execute("DELETE FROM publications WHERE number = ? AND position <= ?", (number, plan.floor))
    return len(due)
