"""One delivery of a task: claim its record, run it once, settle it. The record decides, the delivery only wakes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Literal

from causeway_common.bus import Deadline, Postponed
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Attempt, JobDelivery, Record, SettleRequest
from causeway_common.runtime import fault_point, format_duration
from causeway_common.telemetry import Counters, Kind, current_traceparent, get_logger, names, span
from causeway_logic.domain.retry import Retry
from causeway_logic.domain.tasks import Running
from causeway_logic.handlers.lanes import Lane
from causeway_logic.handlers.work import Unhandled, Work, Works
from causeway_logic.ports import Outside, Records

LEASE_MARGIN_MS: Final = 5000
"""A record is another try's so long after this one must have ended."""
LOST_MAX: Final = 20
"""So many claims in a row may end without an outcome (a crash each) before the task is given up unrun."""
UNKNOWN_MAX_S: Final = 30.0
UNKNOWN_DELIVERIES_MAX: Final = 6
"""A delivery that nobody here has a handler for goes back after 1 s, 2 s, 4 s…; after so many storage is left to deliver it again."""
UNHANDLED_MS: Final = 5000
UNHANDLED_MAX_MS: Final = 600_000
"""What this version has no handler for is looked at again after 5 s, 10 s, … 10 min: another version may have one."""
UNHANDLED_DEAD_MS: Final = 86_400_000
"""Seen for so long by versions of the app without a handler for it, a record is dead: an operator finds it, and can re-drive it."""
NOTE_MAX_CHARS: Final = 1000

NOBODYS: Final = Running()
log = get_logger("logic")
_counters = Counters("logic")
_attempts: Final = _counters.counter("task_attempts", "tries of tasks by outcome: done, retry, dead, postponed")
_skipped: Final = _counters.counter("task_deliveries_skipped", "deliveries whose record needed no try, by the claim's outcome")
_unknown: Final = _counters.counter("task_deliveries_unknown", "deliveries of tasks that this version does not have")
_lost: Final = _counters.counter("task_leases_lost", "tries whose outcome was not taken, because another one had the record")


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a try came to: `postponed` is none, and does not count."""

    outcome: Literal["done", "retry", "dead"]
    note: str = ""
    postponed: bool = False


class Tasks:
    """Runs the records of one app.

    Args:
        works: what a record's task means.
        records: storage's.
        outside: the clock, the jitter.
        concurrency: so many of one task at once, where it does not say.
        unhandled_ms: what no version has a handler for so long is dead.
    """

    def __init__(
        self, works: Works, records: Records, outside: Outside, *, concurrency: int, unhandled_ms: int = UNHANDLED_DEAD_MS
    ) -> None:
        self._unhandled_ms = unhandled_ms
        self._works, self._records, self._outside, self._concurrency = works, records, outside, concurrency
        self._lanes: dict[str, Lane] = {}
        self._trying: set[asyncio.Task[Any]] = set()
        self._closed = self._stopping = False

    def close(self) -> None:
        """Begin no more tries: what waits for its turn is given back. Those under way go on."""
        self._closed = True

    def stop(self) -> None:
        """Cut off the tries under way and give their tasks back: they run elsewhere at once, and do not count as tried."""
        self._closed = self._stopping = True
        for task in self._trying:
            task.cancel()

    async def handle(self, delivery: JobDelivery, task: str, delivered: int) -> None:
        """Return: the delivery is done with, whatever became of the task.

        Args:
            delivery: which record.
            task: its name, from the subject.
            delivered: how often this delivery came, this time included.

        Raises:
            Postponed: the delivery comes again.
            CausewayError: storage is unavailable; the delivery comes again, and the record's lease decides what happens then.
        """
        running = self._works.running(task)
        if running is None:
            self._not_here(task, delivered)
            running = NOBODYS
        lane = self._lanes.get(task)
        if lane is None:
            lane = self._lanes[task] = Lane(running.limit or self._concurrency, self._outside.jitter)
        async with lane.hold():
            if self._closed:
                raise Postponed(0)
            claim = await self._records.claim(delivery.id, running.timeout_ms + LEASE_MARGIN_MS)
            if claim.outcome != "run" or claim.record is None:
                _skipped.add(1, claim.outcome)
                return
            fault_point("logic.task.after_claim")
            await self._attempt(claim.record)

    async def _attempt(self, record: Record) -> None:
        here = current_traceparent()
        attributes: dict[str, str | int] = {names.RECORD_ID: record.id, names.RECORD_ATTEMPT: record.attempts}
        name = names.SPAN_ATTEMPT.format(connector=record.app, op=record.op)
        links = (here,) if here else ()
        with span(name, kind=Kind.INTERNAL, parent=record.traceparent, attributes=attributes, links=links):
            began_ms = self._outside.now_ms()
            retry, ended = await self._ended(record)
            fault_point("logic.task.before_settle")
            await self._settle(record, self._settlement(record, retry, ended, began_ms))
            fault_point("logic.task.after_settle")

    async def _ended(self, record: Record) -> tuple[Retry, _Ended]:
        try:
            work = self._works.of(record)
        except Unhandled as unhandled:
            return Retry(), self._unhandled(record, str(unhandled))
        except CausewayError as error:
            return Retry(), _Ended("dead", str(error))
        lost = record.attempts - 1 - (record.log[-1].claim if record.log else 0)
        if lost > max(LOST_MAX, 0 if record.log else work.running.retry.tries + LOST_MAX):
            return work.running.retry, _Ended("dead", f"{lost} tries ended without an outcome")
        return work.running.retry, await self._run(work)

    def _unhandled(self, record: Record, note: str) -> _Ended:
        since = _postponed_since(record, note)
        if since is not None and self._outside.now_ms() - since >= self._unhandled_ms:
            return _Ended("dead", f"no version of the app had a handler for {format_duration(self._unhandled_ms)}: {note}")
        return _Ended("retry", note, postponed=True)

    async def _run(self, work: Work) -> _Ended:
        seconds = work.running.timeout_ms / 1000
        trying = asyncio.current_task()
        if trying is None:
            raise AssertionError("unreachable: a coroutine runs in a task")
        self._trying.add(trying)
        try:
            async with asyncio.timeout(seconds):
                await work.run(Deadline.after(seconds))
        except TimeoutError:
            return _Ended("retry", f"it took longer than {seconds:g} s")
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            trying.uncancel()
            return _Ended("retry", "its process stopped", postponed=True)
        except CausewayError as error:
            return _Ended("retry" if error.temporary else "dead", str(error))
        finally:
            self._trying.discard(trying)
        return _Ended("done")

    def _settlement(self, record: Record, retry: Retry, ended: _Ended, began_ms: int) -> SettleRequest:
        told = record.log[-1].number if record.log else record.attempts - 1
        number = told if ended.postponed else told + 1
        outcome, delay = ended.outcome, None
        if ended.postponed:
            delay = 0 if self._stopping else _unhandled_ms(record.attempts - 1 - told)
        elif outcome == "retry":
            delay = retry.delay_ms(number, self._outside.jitter())
            outcome = "dead" if delay is None else "retry"
        note = ended.note[:NOTE_MAX_CHARS]
        since = _postponed_since(record, ended.note) if ended.postponed else None
        began_ms = began_ms if since is None else since
        entry = Attempt(
            number=number,
            claim=record.attempts,
            at_ms=began_ms,
            duration_ms=max(self._outside.now_ms() - began_ms, 0),
            outcome="postponed" if ended.postponed else outcome,
            answer=note,
            trace_id=(*current_traceparent().split("-"), "", "")[1],
        )
        return SettleRequest(
            id=record.id, attempt=record.attempts, outcome=outcome, delay_ms=delay or 0, note=note, attempt_log=entry
        )

    async def _settle(self, record: Record, request: SettleRequest) -> None:
        if not await self._records.settle(request):
            _lost.add()
            log.warning("another try has this task, this one's outcome does not count", record=request.id, task=record.op)
            return
        entry = request.attempt_log
        _attempts.add(1, entry.outcome if entry else request.outcome)
        told = {"record": request.id, "task": record.op, "attempt": request.attempt, "note": request.note}
        if request.outcome == "dead":
            log.error("a task is dead", **told)
        elif request.outcome == "retry":
            log.info("a task will be tried again", delay_ms=request.delay_ms, **told)

    def _not_here(self, task: str, delivered: int) -> None:
        _unknown.add()
        if delivered >= UNKNOWN_DELIVERIES_MAX:  # from here on it waits in its record
            log.warning("nobody takes this task: no living version of the app seems to have it", task=task)
            return
        raise Postponed(min(2.0 ** (delivered - 1), UNKNOWN_MAX_S))


def _postponed_since(record: Record, note: str) -> int | None:
    """When a record was first given back for this reason, and ever since; None where it was not."""
    last = record.log[-1] if record.log else None
    return last.at_ms if last is not None and (last.outcome, last.answer) == ("postponed", note[:NOTE_MAX_CHARS]) else None


def _unhandled_ms(before: int) -> int:
    return int(min(UNHANDLED_MS * 2 ** min(before, 10), UNHANDLED_MAX_MS))
