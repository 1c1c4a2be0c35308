"""`ports.Logs` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest, StoredPublication
from causeway_common.runtime import now_ms
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.sqlite.appends import Appends
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.adapters.sqlite.heads import Heads, read_channel
from causeway_storage.domain.log import PAGE_MAX_BYTES, QUIET_LOOK_MS, QUIET_MS, cut_page, head_message, page_range, plan_expiry
from causeway_storage.ports import Appended, Clock

log = get_logger("storage")
COLLECTION: Final = "logs"
EXPIRY_PAGE: Final = 1000
SMALL_HEADS: Final = 32
SMALL_PAGE: Final = 100
"""So many are read within a millisecond."""


class SqliteLogs:
    """The channels' logs.

    Args:
        database: where they are.
        new_letters: makes the letters of a new epoch.
        on_appended: as `ports.Logs` says; must not raise.
        clock: the time of day, as heads of channels that were never written tell it.
    """

    def __init__(
        self,
        database: SqliteDatabase,
        new_letters: Callable[[], str],
        on_appended: Callable[[Appended], None],
        clock: Clock = now_ms,
    ) -> None:
        self._database, self._on_appended, self._clock = database, on_appended, clock
        self._quiet_looked_ms = 0
        self._heads = Heads()
        self.appended_by = Appends(self._heads, new_letters).work
        """Appends in a transaction of the writer's; what it wrote is to be `told` once that is durable."""
        database.on_undone(self._heads.clear)

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        cost = sum([len(item.data) for item in request.items])
        return await self._database.write_kind(COLLECTION, "append", self.appended_by, (request, now_ms), cost=cost, then=self.told)

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> list[Head]:
            generation, now = generation_of(connection), self._clock()
            found = [read_channel(connection, channel) for channel in channels]
            return [head_message(None if each is None else each.log_head, generation, now) for each in found]

        return await self._database.read(COLLECTION, "heads", work, small=len(channels) <= SMALL_HEADS)

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """As the port says."""
        try:
            return await self._database.read(
                COLLECTION,
                "history",
                lambda connection: _history(connection, request, self._clock()),
                small=request.limit <= SMALL_PAGE,
            )
        except LookupError as error:
            log.error("a log is damaged, its page is not served", reason=str(error))  # noqa: TRY400 - the reason is all there is
            raise CausewayError(ErrorName.INTERNAL) from error

    async def remove(self, channel: str) -> Head:
        """As the port says."""
        return await self._database.write(COLLECTION, "remove", lambda connection: self._removed(connection, channel))

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says."""
        if now_ms - self._quiet_looked_ms >= QUIET_LOOK_MS:
            self._quiet_looked_ms = now_ms
            before = now_ms - QUIET_MS
            await self._database.write(COLLECTION, "remove", lambda connection: self._heads.remove_quiet(connection, before, limit))
        return await self._database.write(COLLECTION, "expire", lambda connection: self._expired(connection, now_ms, limit))

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> int:
            # Key by key: for `(number, id) IN (SELECT …)` SQLite reads all ids of each channel.
            old = connection.execute("SELECT number, id FROM ids WHERE time_ms < ? LIMIT ?", (before_ms, limit)).fetchall()
            connection.executemany("DELETE FROM ids WHERE number = ? AND id = ?", old)
            return len(old)

        return await self._database.write(COLLECTION, "forget", work)

    def told(self, appended: Appended) -> None:
        """On the event loop: it is durable."""
        if appended.publications:
            self._on_appended(appended)

    def _removed(self, connection: sqlite3.Connection, name: str) -> Head:
        channel = self._heads.of(connection, [name]).get(name)
        if channel is None:
            return head_message(None, generation_of(connection), self._clock())
        channel.floor, channel.expires_ms = channel.head, None
        self._heads.write(connection, [channel])
        connection.execute("DELETE FROM publications WHERE number = ?", (channel.number,))
        return head_message(channel.log_head, generation_of(connection), self._clock())

    def _expired(self, connection: sqlite3.Connection, now_ms: int, limit: int) -> int:
        due = connection.execute("SELECT channel FROM heads WHERE expires_ms <= ? LIMIT ?", (now_ms, limit)).fetchall()
        channels = self._heads.of(connection, [name for (name,) in due]).values()
        for channel in channels:
            oldest = connection.execute(
                "SELECT position, time_ms FROM publications WHERE number = ? ORDER BY position LIMIT ?",
                (channel.number, EXPIRY_PAGE),
            ).fetchall()
            plan = plan_expiry(channel.floor, oldest, ttl_ms=channel.ttl_ms, now_ms=now_ms, complete=len(oldest) < EXPIRY_PAGE)
            channel.floor, channel.expires_ms = plan.floor, plan.next_ms
            connection.execute("DELETE FROM publications WHERE number = ? AND position <= ?", (channel.number, plan.floor))
        self._heads.write(connection, channels)
        return len(due)


def _history(connection: sqlite3.Connection, request: HistoryRequest, now_ms: int) -> HistoryReply:
    channel = read_channel(connection, request.channel)
    if channel is None:
        return HistoryReply(head=head_message(None, generation_of(connection), now_ms), publications=[])
    head = channel.log_head
    asked = page_range(head, request)
    comparison, direction = ("<=", "DESC") if request.reverse else (">=", "ASC")
    rows = connection.execute(
        f"SELECT body FROM publications WHERE number = ? AND position {comparison} ? ORDER BY position {direction} LIMIT ?",  # noqa: S608 - constants
        (channel.number, asked.first, asked.count),
    )
    page, more = cut_page(head, request, [(decode(body, StoredPublication), len(body)) for body in _bounded(rows)])
    return HistoryReply(head=head_message(head, generation_of(connection), now_ms), publications=page, more=more)


def _bounded(rows: Iterable[tuple[bytes]]) -> list[bytes]:
    """The bodies of a page, and the one that is too much for it."""
    bodies: list[bytes] = []
    size = 0
    for (body,) in rows:
        bodies.append(body)
        size += len(body)
        if size > PAGE_MAX_BYTES:
            break
    return bodies
