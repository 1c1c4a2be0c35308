"""enqueue, claim, settle; one or many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    ClaimsReply,
    ClaimsRequest,
    EnqueueReply,
    EnqueueRequest,
    SettleReply,
    SettleRequest,
    SettlesReply,
    SettlesRequest,
)
from causeway_common.telemetry import Counters
from causeway_storage.domain import checks
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.ports import Clock, Ending, Records

Dead = Callable[[str, int], Awaitable[None]]
_counters = Counters("storage")
_claims: Final = _counters.counter("claims", "claims of records by outcome")
_dead: Final = _counters.counter("records_dead", "records that became dead; what is listed as dead is those that nobody re-drove")
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
        (ending,) = await self._records.settles([request], self._clock(), runner)
        if isinstance(ending, CausewayError):
            raise ending
        await self._settled([request], [ending])
        return SettleReply(settled=ending.settled)

    async def claims(self, request: ClaimsRequest, call: Call) -> ClaimsReply:
        """Take several. One that is none of the caller's is `missing` for it."""
        runner = self._access.runner(call)
        checks.check_claims(request)
        answers = await self._records.claims(request.claims, self._clock(), runner)
        replies = [ClaimReply(outcome="missing") if isinstance(each, CausewayError) else each for each in answers]
        for reply in replies:
            _claims.add(1, reply.outcome)
        return ClaimsReply(replies=replies)

    async def settles(self, request: SettlesRequest, call: Call) -> SettlesReply:
        """End several attempts. One whose outcome is unknown has all of them asked again."""
        runner = self._access.runner(call)
        checks.check_settles(request)
        answers = await self._records.settles(request.settles, self._clock(), runner)
        endings = [Ending(settled=False) if isinstance(each, CausewayError) and not each.temporary else each for each in answers]
        known = [(one, each) for one, each in zip(request.settles, endings, strict=True) if isinstance(each, Ending)]
        await self._settled([one for one, _ in known], [each for _, each in known])
        if unknown := next((each for each in endings if isinstance(each, CausewayError)), None):
            raise unknown
        return SettlesReply(settled=[each.settled for _, each in known])

    async def _settled(self, requests: Sequence[SettleRequest], endings: Sequence[Ending]) -> None:
        for request, ending in zip(requests, endings, strict=True):
            _settles.add(1, request.outcome if ending.settled else "lost")
            for woken in ending.woken:
                self._delivery.begin(woken)
            if ending.settled and request.outcome == "retry":
                self._wake()
            if ending.settled and request.outcome == "dead":
                _dead.add()
                if self._dead is not None:
                    await self._dead(request.id, request.attempt)
