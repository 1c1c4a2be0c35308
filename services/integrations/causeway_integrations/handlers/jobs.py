"""One delivery of the work queue: claim the record, make one attempt, settle it. The record decides, the delivery only wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Attempt, JobDelivery, Record, SettleRequest
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, Postponed, shortened
from causeway_integrations.domain.permissions import OWN, Permissions
from causeway_integrations.domain.slots import Slots
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Connector, Records
from causeway_integrations.ports.attempt import attempt

LOST_ATTEMPTS_MAX: Final = 20
"""So many claims in a row may end without an outcome (a crash each) before the job is given up unrun."""
UNBOUNDED: Final = 1 << 30

log = get_logger("integrations")
_counters = Counters("integrations")
attempts: Final = _counters.counter("attempts", "attempts by outcome: done, retry, dead, postponed")
results: Final = _counters.counter("jobs", "attempts by connector and outcome, such as email.retry", label="result")
skipped: Final = _counters.counter("deliveries_skipped", "deliveries whose record needed no attempt, by the claim's outcome")
lost: Final = _counters.counter("leases_lost", "attempts whose outcome was not taken, because another one had the record")


@dataclass(frozen=True, slots=True)
class _Began:
    """An attempt as it begins."""

    record: Record
    number: int
    at_ms: int


class Jobs:
    """Handles deliveries.

    Args:
        records: storage's.
        connectors: by name.
        permissions: of the apps.
        slots: for jobs, by destination.
        now_ms: the time of day.
        shares: for jobs, by connector, so that one whose destinations all hang leaves room for the others; None: no bound.
        lease_ms: what a lease has beyond the longest that an attempt may take.
        redact: takes secrets out of what is told.
    """

    def __init__(
        self,
        records: Records,
        connectors: Mapping[str, Connector],
        permissions: Permissions,
        slots: Slots,
        now_ms: Callable[[], int],
        *,
        lease_ms: int,
        shares: Slots | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._redact = redact
        self._shares = shares or Slots(UNBOUNDED)
        self._records, self._connectors, self._permissions = records, connectors, permissions
        self._slots, self._now_ms, self._lease_ms = slots, now_ms, lease_ms

    async def handle(self, delivery: JobDelivery, connector: str, op: str) -> None:
        """Return: the delivery is done with, whatever became of the job.

        Args:
            delivery: the record's id.
            connector: as the delivery's subject says.
            op: likewise.

        Raises:
            CausewayError: storage is unavailable; the delivery comes again, and the record's lease decides what happens then.
        """
        claim = await self._records.claim(delivery.id, self._lease_of(connector, op))
        if claim.outcome != "run" or claim.record is None:
            skipped.add(1, claim.outcome)
            return
        record = claim.record
        attributes: dict[str, str | int] = {names.RECORD_ID: record.id, names.RECORD_ATTEMPT: record.attempts}
        name = names.SPAN_ATTEMPT.format(connector=record.connector, op=record.op)
        here = current_traceparent()
        links = (here,) if here else ()
        with span(name, kind=Kind.INTERNAL, parent=record.traceparent, attributes=attributes, links=links):
            began = _Began(record, _tries(record) + 1, self._now_ms())
            outcome = await self._attempted(began)
            await self._settle(record, self._settlement(began, outcome))

    def _lease_of(self, connector: str, op: str) -> int:
        found = self._connectors.get(connector)
        return self._lease_ms + (found.limit_ms(op) if found else 0)

    async def _attempted(self, began: _Began) -> Outcome:
        record = began.record
        connector = self._connectors.get(record.connector)
        operation = connector.operations.get(record.op) if connector else None
        if connector is None or operation is None:
            return GivenUp(f"there is no operation {record.connector}.{record.op}")
        name = f"{record.connector}.{record.op}"
        if name not in OWN and not self._permissions.may(record.app, record.connector, record.op):
            return GivenUp(f"{record.app} may not use {name}: integrations.permissions says which app may use what")
        if _lost(record) > LOST_ATTEMPTS_MAX:
            return GivenUp(f"{_lost(record)} attempts ended without an outcome")
        work = work_of(record, began.number)
        destination = f"{connector.name}/{connector.destination(work)}"
        if not self._slots.take(destination):
            return Postponed("the destination is busy", self._slots.delay_ms(destination, self._now_ms()))
        if not self._shares.take(connector.name):
            self._slots.give_back(destination)
            return Postponed("the connector is busy", self._shares.delay_ms(connector.name, self._now_ms()))
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            fault_point("integrations.attempt.before")
            outcome = await attempt(operation, work, connector.limit_ms(work.op))
            fault_point("integrations.attempt.after")
            return outcome
        finally:
            took_ms = (loop.time() - started) * 1000
            self._slots.free(destination, took_ms)
            self._shares.free(connector.name, took_ms)

    def _settlement(self, began: _Began, outcome: Outcome) -> SettleRequest:
        match outcome:
            case Done(note, status):
                return self._told(began, "done", note, status)
            case GivenUp(note, status):
                return self._told(began, "dead", note, status)
            case Postponed(note, delay):
                return self._told(began, "postponed", note, 0, delay)
            case Failed(note, status, retry_after):
                schedule = self._connectors[began.record.connector].schedule_of(began.record.op)
                delay_ms = schedule.delay_ms(began.number)
                if delay_ms is None:
                    return self._told(began, "dead", note, status)
                return self._told(began, "retry", note, status, max(delay_ms, retry_after))
            case _:
                assert_never(outcome)

    def _told(
        self, began: _Began, outcome: Literal["done", "retry", "dead", "postponed"], note: str, status: int, delay_ms: int = 0
    ) -> SettleRequest:
        record, traceparent, note = began.record, current_traceparent(), shortened(self._redact(note))
        entry = Attempt(
            number=began.number - (outcome == "postponed"),
            claim=record.attempts,
            at_ms=began.at_ms,
            duration_ms=max(self._now_ms() - began.at_ms, 0),
            outcome=outcome,
            status=status,
            answer=note,
            trace_id=traceparent[3:35],
        )
        return SettleRequest(
            id=record.id,
            attempt=record.attempts,
            outcome="retry" if outcome == "postponed" else outcome,
            delay_ms=delay_ms,
            note=note,
            attempt_log=entry,
        )

    async def _settle(self, record: Record, request: SettleRequest) -> None:
        if not await self._records.settle(request):
            lost.add()
            log.warning("another attempt has this record, this one's outcome does not count", record=request.id)
            return
        fault_point("integrations.settle.after")
        told = request.attempt_log.outcome if request.attempt_log else request.outcome
        attempts.add(1, told)
        results.add(1, f"{record.connector if record.connector in self._connectors else 'unknown'}.{told}")
        if told == "dead":
            log.error("a job is dead", record=request.id, attempt=request.attempt, note=request.note)
        elif told == "retry":
            log.info("an attempt failed", record=request.id, attempt=request.attempt, delay_ms=request.delay_ms, note=request.note)


def work_of(record: Record, attempt: int) -> Work:
    """A record as its operation gets it."""
    return Work(
        app=record.app,
        connector=record.connector,
        op=record.op,
        payload=record.payload,
        key=derived_id(record.id),
        id=record.id,
        created_ms=record.created_ms,
        attempt=attempt,
        traceparent=record.traceparent,
        line=record.line,
        turn=record.turn,
    )


def _tries(record: Record) -> int:
    """Tries that were told. What an older storage does not tell is counted by the claims."""
    return record.log[-1].number if record.log else record.attempts - 1


def _lost(record: Record) -> int:
    """Claims in a row that ended without an outcome, this one left out."""
    return record.attempts - 1 - (record.log[-1].claim if record.log else 0)
