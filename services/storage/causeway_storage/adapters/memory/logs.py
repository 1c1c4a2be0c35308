"""`ports.Logs` in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from causeway_common.contracts.codec import encode
from causeway_common.contracts.epochs import begun, epoch_of
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest
from causeway_common.runtime import now_ms
from causeway_storage.adapters.memory.database import MemoryDatabase, MemoryLog
from causeway_storage.domain.log import (
    NEVER_SEEN,
    QUIET_MS,
    KnownId,
    cut_page,
    head_message,
    page_range,
    plan_append,
    plan_expiry,
)
from causeway_storage.ports import Appended, Clock

EXPIRY_PAGE: Final = 1000


class MemoryLogs:
    """The channels' logs.

    Args:
        database: where they are.
        new_letters: makes the letters of a new epoch.
        on_appended: as `ports.Logs` says; must not raise.
        clock: the time of day, as heads of channels that were never written tell it.
    """

    def __init__(
        self,
        database: MemoryDatabase,
        new_letters: Callable[[], str],
        on_appended: Callable[[Appended], None],
        clock: Clock = now_ms,
    ) -> None:
        self._database, self._new_letters, self._on_appended, self._clock = database, new_letters, on_appended, clock

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        found = self._database.logs.get(request.channel)
        head, known, seen = (None, {}, NEVER_SEEN) if found is None else (found.head, found.ids, found.seen)
        plan = plan_append(head, known, request, now_ms=now_ms, letters=begun(self._new_letters(), now_ms), seen=seen)
        if plan.publications:
            written = found or MemoryLog(plan.head, request.ttl_ms)
            written.head, written.ttl_ms, written.seen, written.at_ms = plan.head, request.ttl_ms, plan.seen, now_ms
            written.publications |= {each.offset: (each, len(encode(each))) for each in plan.publications}
            written.ids |= {name: KnownId(offset, now_ms) for name, offset in plan.new_ids.items()}
            written.raise_floor(plan.head.floor)
            self._database.logs[request.channel] = written
        epoch = epoch_of(plan.head.letters, self._database.generation)
        skipped = plan.skipped if any(item.version for item in request.items) else ()
        appended = Appended(request.channel, epoch, plan.offsets, plan.repeats, plan.publications, skipped, plan.deltas)
        if plan.publications:
            self._on_appended(appended)
        return appended

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """As the port says."""
        return [self._head(channel) for channel in channels]

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """As the port says."""
        found = self._database.logs.get(request.channel)
        if found is None:
            return HistoryReply(head=self._head(request.channel), publications=[])
        first, step = page_range(found.head, request).first, -1 if request.reverse else 1
        last = 0 if request.reverse else found.head.head + 1
        rows = (found.publications[offset] for offset in range(first, last, step) if offset in found.publications)
        page, more = cut_page(found.head, request, rows)
        return HistoryReply(head=self._head(request.channel), publications=page, more=more)

    async def remove(self, channel: str) -> Head:
        """As the port says."""
        if found := self._database.logs.get(channel):
            found.raise_floor(found.head.head)
        return self._head(channel)

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says."""
        due = list(islice((log for log in self._database.logs.values() if _expired(log, now_ms)), limit))
        for log in due:
            oldest = [(offset, each.time_ms) for offset, (each, _) in islice(log.publications.items(), EXPIRY_PAGE)]
            plan = plan_expiry(log.head.floor, oldest, ttl_ms=log.ttl_ms, now_ms=now_ms, complete=len(oldest) < EXPIRY_PAGE)
            log.raise_floor(plan.floor)
        logs = self._database.logs
        for channel in [name for name, log in logs.items() if _quiet(log, now_ms - QUIET_MS)]:
            del logs[channel]
        return len(due)

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        old = ((log, name) for log in self._database.logs.values() for name, seen in log.ids.items() if seen.time_ms < before_ms)
        forgotten = list(islice(old, limit))
        for log, name in forgotten:
            del log.ids[name]
        return len(forgotten)

    def _head(self, channel: str) -> Head:
        found = self._database.logs.get(channel)
        return head_message(None if found is None else found.head, self._database.generation, self._clock())


def _expired(log: MemoryLog, now_ms: int) -> bool:
    oldest = next(iter(log.publications.values()), None)
    return oldest is not None and oldest[0].time_ms + log.ttl_ms <= now_ms


def _quiet(log: MemoryLog, before_ms: int) -> bool:
    return log.at_ms < before_ms and not log.publications and not log.ids
