"""Reading logs: a client's page of history, and the missed publications of a recovery, each checked to be consecutive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from causeway_common.bus import Deadline
from causeway_common.contracts.epochs import continues
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Head, StoredPublication
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_gateway.domain.protocol import HistoryRequest, HistoryResult, Publication, publication_of, weight
from causeway_gateway.ports import Storage

OVERHEAD_BYTES: Final = 128
OFFSET_MAX: Final = 2**53 - 1
"""No log has more; what clients say beyond is read as this."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What came after an offset. `whole`: consecutive from there to the head, and within the bounds."""

    head: Head
    publications: tuple[Publication, ...]
    whole: bool


class Reader:
    """Reads logs page by page.

    Args:
        storage: the logs.
        recovery_limit: most publications of a recovery.
        history_limit: most publications of a history reply to a client.
        max_bytes: most bytes of either.
    """

    def __init__(self, storage: Storage, *, recovery_limit: int, history_limit: int, max_bytes: int) -> None:
        self._storage = storage
        self._recovery_limit, self._history_limit, self._max_bytes = recovery_limit, history_limit, max_bytes
        self._shared: dict[tuple[str, int, str], asyncio.Task[Tail]] = {}

    def within(self, publications: list[Publication]) -> bool:
        """Whether these may go into one recovery."""
        return len(publications) <= self._recovery_limit and sum(map(size_of, publications)) <= self._max_bytes

    async def tail(self, channel: str, since: int, epoch: str, deadline: Deadline) -> Tail:
        """What a client at this position missed. Clients at the same position share one read.

        Raises:
            CausewayError: 100 unavailable.
        """
        key = (channel, since, epoch)
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.get_running_loop().create_task(self._tail(channel, since))
            task.add_done_callback(lambda done: self._read(key, done))
        done, _ = await asyncio.wait({task}, timeout=max(deadline.remaining(), 0))
        if not done:
            raise CausewayError(ErrorName.UNAVAILABLE, "unavailable: the log could not be read in time")
        return task.result()

    def _read(self, key: tuple[str, int, str], task: asyncio.Task[Tail]) -> None:
        del self._shared[key]
        if not task.cancelled():
            task.exception()  # whoever waits gets it from the task; nobody may be waiting any more

    async def _tail(self, channel: str, since: int) -> Tail:
        deadline = Deadline.after(CLIENT_COMMAND_SECONDS)
        found: list[Publication] = []
        epoch: str | None = None
        while True:
            limit = self._recovery_limit + 1 - len(found)
            after = min(since + len(found), OFFSET_MAX)
            page = await self._storage.history(channel, since=after, limit=limit, reverse=False, deadline=deadline)
            head = page.head
            epoch = head.epoch if epoch is None else epoch
            if head.epoch != epoch or head.head - since > self._recovery_limit:
                return Tail(head, (), whole=False)
            for stored in page.publications:
                if stored.offset != since + len(found) + 1:
                    return Tail(head, (), whole=False)
                found.append(publication_of(stored))
            if not self.within(found):
                return Tail(head, (), whole=False)
            if not (page.more and page.publications):
                return Tail(head, tuple(found), whole=since + len(found) == head.head)

    async def history(self, channel: str, request: HistoryRequest, deadline: Deadline) -> HistoryResult:
        """A client's page: at most the configured number, and fewer where they are large.

        Raises:
            CausewayError: 112, `since` is of another epoch; 100 unavailable.
        """
        most = self._history_limit
        limit = request.limit if 0 <= request.limit <= most else most
        result, _ = await self.page(channel, request, limit, self._max_bytes, deadline=deadline)
        return result

    async def page(
        self, channel: str, request: HistoryRequest, limit: int, max_bytes: int, *, deadline: Deadline
    ) -> tuple[HistoryResult, bool]:
        """As `history`, with bounds of the caller's own; also whether `max_bytes` cut it short."""
        found: list[StoredPublication] = []
        size, step = 0, -1 if request.reverse else 1
        epoch = request.since.epoch if request.since else ""
        last = min(request.since.offset, OFFSET_MAX) if request.since else 0
        while True:
            page = await self._storage.history(
                channel, since=last, limit=limit - len(found), reverse=request.reverse, deadline=deadline
            )
            if not continues(epoch, page.head.epoch):
                raise CausewayError(ErrorName.UNRECOVERABLE_POSITION)
            epoch = page.head.epoch
            for stored in page.publications:
                size += weight(stored) + OVERHEAD_BYTES
                if found and (size > max_bytes or stored.offset != last + step):
                    return _result(found, page.head), size > max_bytes
                found.append(stored)
                last = stored.offset
            if not page.more or not page.publications or len(found) >= limit:
                return _result(found, page.head), False


def _result(found: list[StoredPublication], head: Head) -> HistoryResult:
    return HistoryResult(publications=[publication_of(stored) for stored in found], epoch=head.epoch, offset=head.head)


def size_of(publication: Publication) -> int:
    """About the bytes of one publication in a reply."""
    return weight(publication) + OVERHEAD_BYTES
