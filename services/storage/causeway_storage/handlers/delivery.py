"""Records on their way into the work queue: new ones at once, and by a sweep whatever is due and unfinished.

The queue only carries: a delivery that is lost, doubled or late does no harm, since the record decides what is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import NewRecord
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, get_logger
from causeway_storage.domain.record import is_later
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.ports import Clock, DueRecord, Records, WorkQueue

log = get_logger("storage")
_deliveries: Final = Counters("storage").counter(
    "deliveries", "records put into the work queue by outcome: sent (its answer not awaited), ok, failed, postponed"
)

DUE_PAGE: Final = 128
RETRY_MS: Final = 1000
# A new record's first delivery may die with this process; a claim, which comes within milliseconds, moves the time on.
FIRST_LOOK_MS: Final = 2000
LOOK_AGAIN_MAX_S: Final = 1.0
LOOK_AGAIN_MIN_S: Final = 0.01


class Delivery:
    """Creates records and delivers them.

    Args:
        records: where they are.
        queue: what carries them.
        clock: the time of day.
        redeliver_after_ms: a record unfinished for so long after a delivery is delivered again.
    """

    def __init__(self, records: Records, queue: WorkQueue, clock: Clock, *, redeliver_after_ms: int) -> None:
        self._records, self._queue, self._clock, self._redeliver_after_ms = records, queue, clock, redeliver_after_ms
        self.overdue_ms = 0
        """How long the record that is due longest had waited at the last look."""

    async def put(self, records: Sequence[NewRecord], parked: Sequence[ParkedItem]) -> int:
        """Create records durably, and begin to deliver the new ones that are due; how many are new."""
        now = self._clock()
        next_at = now + min(FIRST_LOOK_MS, self._redeliver_after_ms)
        new = await self._records.put(records, parked, now_ms=now, next_at_ms=next_at)
        for record in records:
            if record.id in new and not is_later(record, now):
                # Named by now and not by `next_at`: the sweep's delivery has that name, and JetStream drops a name that it has seen.
                self.begin(DueRecord(record.id, record.connector, record.op, now, record.traceparent, record.app))
        return len(new)

    async def sweep(self) -> float:
        """Deliver what is due; the seconds until the next look."""
        page = await self._records.due(self._clock(), DUE_PAGE)
        self.overdue_ms = max(self._clock() - page.records[0].next_at_ms, 0) if page.records else 0
        if page.records:
            outcomes = await asyncio.gather(*map(self._delivered, page.records))
            await self._postpone([r for r, ok in zip(page.records, outcomes, strict=True) if ok], self._redeliver_after_ms)
            await self._postpone([r for r, ok in zip(page.records, outcomes, strict=True) if not ok], RETRY_MS)
            return 0.0 if len(page.records) == DUE_PAGE else LOOK_AGAIN_MIN_S
        wait = LOOK_AGAIN_MAX_S if page.next_ms is None else (page.next_ms - self._clock()) / 1000
        return min(max(wait, LOOK_AGAIN_MIN_S), LOOK_AGAIN_MAX_S)

    def begin(self, record: DueRecord) -> None:
        """Deliver one that is due again soon, without waiting for the queue: where it does not have it, the sweep delivers it then."""
        fault_point("storage.delivery.before")
        try:
            self._queue.send(record)
        except CausewayError as error:
            _deliveries.add(1, "postponed")
            log.debug("a delivery waits for its sweep", record=record.id, reason=error.message)
            return
        fault_point("storage.delivery.after")
        _deliveries.add(1, "sent")

    async def _delivered(self, record: DueRecord) -> bool:
        fault_point("storage.delivery.before")
        try:
            await self._queue.deliver(record)
        except CausewayError as error:
            _deliveries.add(1, "failed")
            log.warning("a record could not be delivered, trying again", record=record.id, reason=error.message)
            return False
        fault_point("storage.delivery.after")
        _deliveries.add(1, "ok")
        return True

    async def _postpone(self, records: Sequence[DueRecord], delay_ms: int) -> None:
        if records:
            await self._records.postpone(records, self._clock() + delay_ms)
