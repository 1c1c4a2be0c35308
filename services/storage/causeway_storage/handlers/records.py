"""enqueue, claim, settle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    EnqueueReply,
    EnqueueRequest,
    SettleReply,
    SettleRequest,
)
from causeway_common.telemetry import Counters
from causeway_storage.domain import checks
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.ports import Clock, Records

Dead = Callable[[str, int], Awaitable[None]]
_counters = Counters("storage")
_claims: Final = _counters.counter("claims", "claims of records by outcome")
_settles: Final = _counters.counter("settles", "ends of attempts by outcome: done, retry, dead, lost")


class RecordHandlers:
    """The verbs of the records.

    Args:
        records: where they are.
        delivery: puts new ones into the work queue.
        access: who may.
        clock: the time of day.
        wake: makes the sweep of due records look again.
        dead: tells of a record that is dead since this attempt; None: nobody is told.
    """

    def __init__(
        self,
        records: Records,
        delivery: Delivery,
        access: Access,
        clock: Clock,
        wake: Callable[[], None],
        *,
        dead: Dead | None = None,
    ) -> None:
        self._records, self._delivery, self._access, self._clock, self._wake = records, delivery, access, clock, wake
        self._dead = dead

    async def enqueue(self, request: EnqueueRequest, call: Call) -> EnqueueReply:
        """Create records and have them delivered."""
        checks.check_enqueue(request)
        records = self._access.enqueues(call, request.records)
        for record in records:
            checks.check_record(record, or_task=True)  # its id may have become too long
        created = await self._delivery.put(records, ())
        if created and any(record.due_ms for record in records):
            self._wake()  # it may be due before the next look
        return EnqueueReply(created=created)

    async def claim(self, request: ClaimRequest, call: Call) -> ClaimReply:
        """Take a record for one attempt: integrations a job, an app a task of its own."""
        runner = self._access.runner(call)
        checks.check_claim(request)
        reply = await self._records.claim(request, self._clock(), runner)
        _claims.add(1, reply.outcome)
        return reply

    async def settle(self, request: SettleRequest, call: Call) -> SettleReply:
        """End an attempt."""
        runner = self._access.runner(call)
        checks.check_settle(request)
        settled = await self._records.settle(request, self._clock(), runner)
        _settles.add(1, request.outcome if settled else "lost")
        if settled and request.outcome == "retry":
            self._wake()
        if settled and request.outcome == "dead" and self._dead is not None:
            await self._dead(request.id, request.attempt)
        return SettleReply(settled=settled)
