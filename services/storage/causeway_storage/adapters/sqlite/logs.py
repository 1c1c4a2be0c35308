"""`ports.Logs` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest, StoredPublication
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.sqlite.appends import AppendCall, Appends
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.domain.log import LogHead, cut_page, head_message, page_range, plan_expiry
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
        self._database, self._on_appended = database, on_appended
        self._appends = Appends(new_letters)
        database.on_undone(self._appends.forget)

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        cost = sum([len(item.data) for item in request.items])
        call = AppendCall(request, now_ms)
        appended: Appended = await self._database.write_with(self._appends, call, COLLECTION, "append", cost=cost, then=self._told)
        return appended

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
        return await self._database.write(COLLECTION, "remove", partial(self._removed, channel))

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._database.write(COLLECTION, "expire", partial(self._expired, now_ms, limit))

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        query = "DELETE FROM ids WHERE (number, id) IN (SELECT number, id FROM ids WHERE time_ms < ? LIMIT ?)"

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(query, (before_ms, limit)).rowcount

        return await self._database.write(COLLECTION, "forget", work)

    def _removed(self, channel: str, connection: sqlite3.Connection) -> Head:
        self._appends.forget([channel])
        return _remove(connection, channel)

    def _expired(self, now_ms: int, limit: int, connection: sqlite3.Connection) -> int:
        channels = _expire(connection, now_ms, limit)
        self._appends.forget(channels)
        return len(channels)

    def _told(self, appended: Appended) -> None:
        if appended.publications:
            self._on_appended(appended)


_HeadRow = tuple[int, str, int, int]


def _head_row(connection: sqlite3.Connection, channel: str) -> _HeadRow | None:
    row: _HeadRow | None = connection.execute(
        "SELECT number, letters, head, floor FROM heads WHERE channel = ?", (channel,)
    ).fetchone()
    return row


def _log_head(row: _HeadRow | None) -> LogHead | None:
    return None if row is None else LogHead(*row[1:])


def _remove(connection: sqlite3.Connection, channel: str) -> Head:
    row = _head_row(connection, channel)
    if row is None:
        return Head()
    number, letters, head, _ = row
    connection.execute("UPDATE heads SET floor = head, expires_ms = NULL WHERE number = ?", (number,))
    connection.execute("DELETE FROM publications WHERE number = ?", (number,))
    return head_message(LogHead(letters, head, head), generation_of(connection))


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


def _expire(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[str]:
    """The channels looked at."""
    query = "SELECT channel, number, floor, ttl_ms FROM heads WHERE expires_ms <= ? LIMIT ?"
    due = connection.execute(query, (now_ms, limit)).fetchall()
    for _, number, floor, ttl_ms in due:
        oldest = connection.execute(
            "SELECT position, time_ms FROM publications WHERE number = ? ORDER BY position LIMIT ?", (number, EXPIRY_PAGE)
        ).fetchall()
        plan = plan_expiry(floor, oldest, ttl_ms=ttl_ms, now_ms=now_ms, complete=len(oldest) < EXPIRY_PAGE)
        connection.execute("UPDATE heads SET floor = ?, expires_ms = ? WHERE number = ?", (plan.floor, plan.next_ms, number))
        connection.execute("DELETE FROM publications WHERE number = ? AND position <= ?", (number, plan.floor))
    return [channel for channel, *_ in due]
