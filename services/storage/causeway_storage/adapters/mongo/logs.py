"""`ports.Logs` on MongoDB: one head document per channel, and behind it the segments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest, StoredPublication
from causeway_common.runtime import now_ms
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.mongo.batches import Batches
from causeway_storage.adapters.mongo.cache import Heads
from causeway_storage.adapters.mongo.database import MongoDatabase
from causeway_storage.adapters.mongo.heads import HeadDocument, Kept, read_head
from causeway_storage.adapters.mongo.retention import Retention
from causeway_storage.adapters.mongo.segments import Segments, log_key
from causeway_storage.domain.log import PAGE_MAX_BYTES, QUIET_LOOK_MS, QUIET_MS, LogHead, cut_page, head_message, page_range
from causeway_storage.ports import Appended, Clock

log = get_logger("storage")
PAGE_TRIES: Final = 4
"""A page that is trimmed away while it is read is read again, so often."""
HEAD_FIELDS: Final = {"letters": 1, "head": 1, "floor": 1}


class MongoLogs:
    """The channels' logs.

    Args:
        database: where they are.
        new_letters: makes the letters of a new epoch.
        on_appended: as `ports.Logs` says; must not raise.
        clock: the time of day, as heads of channels that were never written tell it.
        write_queue: appends that may wait; beyond it 111 overloaded.
        write_queue_bytes: what they may hold.
        forget_slack_ms: how much younger ids may be in a document that is looked at to forget the old ones.
    """

    def __init__(
        self,
        database: MongoDatabase,
        new_letters: Callable[[], str],
        on_appended: Callable[[Appended], None],
        clock: Clock = now_ms,
        *,
        write_queue: int = 4096,
        write_queue_bytes: int = 64 * 1024 * 1024,
        forget_slack_ms: int = 60_000,
    ) -> None:
        self._database, self._clock = database, clock
        self._quiet_looked_ms = 0
        self._segments = Segments(database)
        self._heads = Heads(database, self._segments)
        self._retention = Retention(database, self._heads, forget_slack_ms=forget_slack_ms)
        self._batches = Batches(
            *(database, self._heads, self._segments, new_letters, on_appended),
            max_operations=write_queue,
            max_bytes=write_queue_bytes,
        )

    @property
    def depth(self) -> int:
        """Appends that wait or are under way."""
        return self._batches.depth

    async def stop(self) -> None:
        """Write what waits."""
        await self._batches.stop()

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        return await self._batches.submit(request, now_ms)

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """As the port says. Never from memory."""
        found = await self._heads.read(channels, HEAD_FIELDS)
        logs = ((each := found.get(channel)) and LogHead(each["letters"], each["head"], each["floor"]) for channel in channels)
        return [head_message(each or None, self._database.generation, self._clock()) for each in logs]

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """As the port says."""
        for last in range(PAGE_TRIES - 1, -1, -1):
            fields = (await self._heads.read([request.channel])).get(request.channel)
            if fields is None:
                return HistoryReply(head=head_message(None, self._database.generation, self._clock()), publications=[])
            document = read_head(fields)
            try:
                page, more = await self._page(document, request)
            except LookupError as error:
                if last:
                    continue  # trimmed meanwhile, or the log is damaged
                log.error("a log is damaged, its page is not served", reason=str(error))  # noqa: TRY400 - the reason is all there is
                raise CausewayError(ErrorName.INTERNAL) from error
            return HistoryReply(
                head=head_message(document.log, self._database.generation, self._clock()), publications=page, more=more
            )
        raise AssertionError("unreachable: the last try returns or raises")

    async def remove(self, channel: str) -> Head:
        """As the port says."""
        log_head = await self._retention.remove(channel)
        return head_message(log_head, self._database.generation, self._clock())

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says. Segments below the floor go with it, and now and then logs that were quiet for 30 days."""
        if now_ms - self._quiet_looked_ms >= QUIET_LOOK_MS:
            self._quiet_looked_ms = now_ms
            await self._retention.remove_quiet(now_ms - QUIET_MS, limit)
        expired, _ = await asyncio.gather(self._retention.expire(now_ms, limit), self._retention.trim(now_ms, limit))
        return expired

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._retention.forget_ids(before_ms, limit)

    async def _page(self, document: HeadDocument, request: HistoryRequest) -> tuple[list[StoredPublication], bool]:
        asked = page_range(document.log, request)
        rows: list[tuple[StoredPublication, int]] = []
        size = 0
        async for each in self._walk(document, request.channel, asked.first, asked.count, reverse=request.reverse):
            rows.append((decode(each.body, StoredPublication), len(each.body)))
            size += len(each.body)
            if len(rows) > asked.count or size > PAGE_MAX_BYTES:
                break
        return cut_page(document.log, request, rows)

    async def _walk(self, document: HeadDocument, channel: str, first: int, count: int, *, reverse: bool) -> AsyncIterator[Kept]:
        """Up to `count` publications from `first` on, from the head document and the segments, in the direction asked."""
        base = document.log.head - len(document.kept)
        newest = [each for each in document.kept if each.body and (each.offset <= first if reverse else each.offset >= first)]
        if reverse:
            for each in reversed(newest):
                yield each
        left = count - len(newest) if reverse else count
        start = min(first, base)
        if left > 0 and (start > document.log.floor if reverse else first <= base):
            key = log_key(document.log.letters, channel)
            async for each in self._segments.walk(key, start, reverse=reverse):
                if each.offset > base or not each.body:
                    break
                yield each
        if not reverse:
            for each in newest:
                yield each
