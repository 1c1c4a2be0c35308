"""Jobs: what the app enqueued for connectors, and their end as the test decides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimRequest, JsonMap, SettleRequest
from causeway_storage.domain.record import TASK
from causeway_testing.calls import Calls
from causeway_testing.storage import LocalStorage

LEASE_MS: Final = 60_000
CALLER: Final = "integrations"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `note` says why it is dead, or waits for another try."""

    id: str
    operation: str
    payload: JsonMap
    state: Literal["pending", "done", "dead"]
    attempts: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of the app as storage has it. `note` says why it is dead, or waits for another try."""

    id: str
    name: str
    payload: JsonMap
    state: Literal["pending", "done", "dead"]
    attempts: int
    note: str = ""


class Jobs:
    """All jobs of the app.

    Args:
        storage: where their records are.
        calls: who answers them.
        call: makes the call of a question to storage.
    """

    def __init__(self, storage: LocalStorage, calls: Calls, call: Callable[[str], Call]) -> None:
        self._storage, self._calls, self._call = storage, calls, call

    def all(self) -> list[Job]:
        """In the order they were enqueued."""
        return [
            Job(
                name,
                f"{each.record.connector}.{each.record.op}",
                each.record.payload,
                each.life.state,
                each.life.attempts,
                each.life.note,
            )
            for name, each in self._storage.database.records.items()
            if each.record.connector != TASK
        ]

    def tasks(self) -> list[TaskRecord]:
        """The tasks, likewise."""
        return [
            TaskRecord(name, each.record.op, each.record.payload, each.life.state, each.life.attempts, each.life.note)
            for name, each in self._storage.database.records.items()
            if each.record.connector == TASK
        ]

    async def run(self) -> list[Job]:
        """Try each that is pending, once; those that were tried, as they are now.

        What the fake returns makes it done; a temporary CausewayError lets it wait for another `run`, another one makes it dead.
        """
        tried = [job for job in self.all() if job.state == "pending"]
        for job in tried:
            await self._try(job)
        ids = {job.id for job in tried}
        return [job for job in self.all() if job.id in ids]

    async def _try(self, job: Job) -> None:
        served = self._storage.served
        claim = await served["claim"](ClaimRequest(id=job.id, node="tester", lease_ms=LEASE_MS), self._call(CALLER))
        if claim.record is None:
            return
        end = SettleRequest(id=job.id, attempt=claim.record.attempts, outcome="done")
        try:
            await self._calls.answered(job.operation, job.payload, job.id)
        except CausewayError as error:
            outcome: Literal["retry", "dead"] = "retry" if error.temporary else "dead"
            end = SettleRequest(id=job.id, attempt=claim.record.attempts, outcome=outcome, note=error.message)
        await served["settle"](end, self._call(CALLER))
