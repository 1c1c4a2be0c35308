"""One delivery of the work queue: claim the record, make one attempt, settle it. The record decides, the delivery only wakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import JobDelivery, Record, SettleRequest
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, shortened
from causeway_integrations.ports import Operation, Records, Schedule

LOST_ATTEMPTS_MAX: Final = 20
"""So many claims beyond the schedule's tries may end without an outcome (a crash each) before the job is given up unrun."""

log = get_logger("integrations")
_counters = Counters("integrations")
attempts: Final = _counters.counter("attempts", "attempts by outcome: done, retry, dead")
skipped: Final = _counters.counter("deliveries_skipped", "deliveries whose record needed no attempt, by the claim's outcome")
lost: Final = _counters.counter("leases_lost", "attempts whose outcome was not taken, because another one had the record")


class Jobs:
    """Handles deliveries.

    Args:
        records: storage's.
        operations: by connector, then by name.
        schedule: when a failed one is tried again.
        max_attempts: the schedule's tries.
        lease_ms: longer than any attempt takes.
    """

    def __init__(
        self,
        records: Records,
        operations: Mapping[str, Mapping[str, Operation]],
        schedule: Schedule,
        *,
        max_attempts: int,
        lease_ms: int,
    ) -> None:
        self._records, self._operations, self._schedule = records, operations, schedule
        self._max_attempts, self._lease_ms = max_attempts, lease_ms

    async def handle(self, delivery: JobDelivery) -> None:
        """Return: the delivery is done with, whatever became of the job.

        Raises:
            CausewayError: storage is unavailable; the delivery comes again, and the record's lease decides what happens then.
        """
        claim = await self._records.claim(delivery.id, self._lease_ms)
        if claim.outcome != "run" or claim.record is None:
            skipped.add(1, claim.outcome)
            return
        record = claim.record
        attributes: dict[str, str | int] = {names.RECORD_ID: record.id, names.RECORD_ATTEMPT: record.attempts}
        name = names.SPAN_ATTEMPT.format(connector=record.connector, op=record.op)
        here = current_traceparent()
        links = (here,) if here else ()
        with span(name, kind=Kind.INTERNAL, parent=record.traceparent, attributes=attributes, links=links):
            outcome = await self._attempted(record)
            await self._settle(self._settlement(record, outcome))

    async def _attempted(self, record: Record) -> Outcome:
        operation = self._operations.get(record.connector, {}).get(record.op)
        if operation is None:
            return GivenUp(f"there is no operation {record.connector}.{record.op}")
        if record.attempts > self._max_attempts + LOST_ATTEMPTS_MAX:
            return GivenUp(f"{record.attempts - 1} attempts ended without an outcome")
        try:
            return await operation(record)
        except CausewayError as error:
            return Failed(str(error)) if error.temporary else GivenUp(str(error))
        except Exception as error:
            log.exception("an attempt failed for a reason that its connector does not know", record=record.id)
            return Failed(f"internal: {type(error).__name__}")

    def _settlement(self, record: Record, outcome: Outcome) -> SettleRequest:
        match outcome:
            case Done(note):
                return SettleRequest(id=record.id, attempt=record.attempts, outcome="done", note=shortened(note))
            case GivenUp(note):
                return SettleRequest(id=record.id, attempt=record.attempts, outcome="dead", note=shortened(note))
            case Failed(note):
                delay = self._schedule.delay_ms(record.attempts)
                if delay is None:
                    return SettleRequest(id=record.id, attempt=record.attempts, outcome="dead", note=shortened(note))
                return SettleRequest(id=record.id, attempt=record.attempts, outcome="retry", delay_ms=delay, note=shortened(note))
            case _:
                assert_never(outcome)

    async def _settle(self, request: SettleRequest) -> None:
        if not await self._records.settle(request):
            lost.add()
            log.warning("another attempt has this record, this one's outcome does not count", record=request.id)
            return
        fault_point("integrations.settle.after")
        attempts.add(1, request.outcome)
        if request.outcome == "dead":
            log.error("a job is dead", record=request.id, attempt=request.attempt, note=request.note)
        elif request.outcome == "retry":
            log.info("an attempt failed", record=request.id, attempt=request.attempt, delay_ms=request.delay_ms, note=request.note)
