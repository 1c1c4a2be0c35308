"""Records as storage keeps them, in memory, and a bench that delivers them to an app as JetStream does. Fakes, for unit tests alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from causeway_common.bus import Postponed
from causeway_common.contracts import messages as m
from causeway_common.contracts.messages import Attempt, ClaimReply, JobDelivery, Record, SettleRequest
from causeway_logic import App
from causeway_logic.handlers.every import Recurring
from causeway_logic.handlers.lifecycle import LifecycleEvents
from causeway_logic.handlers.tasks import Tasks
from causeway_logic.handlers.work import Works
from unit.logic.fakes import Bench, FakeStorage


class KilledError(BaseException):
    """The process dies here."""


@dataclass
class FakeRecords:
    """`ports.Records`: leases by the bench's clock. `die_before_settle` has the process die so many times instead of settling."""

    storage: FakeStorage
    time_ms: int = 0
    known: dict[str, Record] = field(default_factory=dict)
    free_at: dict[str, int] = field(default_factory=dict)
    settled: list[SettleRequest] = field(default_factory=list)
    die_before_settle: int = 0
    keeps_log: bool = True

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        new = self.storage.records.get(id)
        if new is None:
            return ClaimReply(outcome="missing")
        record = self.known.get(id) or Record(
            id=id, app=new.app, connector="", op=new.op, payload=new.payload, state="pending", attempts=0, created_ms=0,
            traceparent=new.traceparent,
        )  # fmt: skip
        if record.state != "pending":
            return ClaimReply(outcome=record.state)
        if self.free_at.get(id, 0) > self.time_ms:
            return ClaimReply(outcome="leased")
        self.known[id] = record = msgspec.structs.replace(record, attempts=record.attempts + 1)
        self.free_at[id] = self.time_ms + lease_ms
        return ClaimReply(outcome="run", record=record)

    async def settle(self, request: SettleRequest) -> bool:
        if self.die_before_settle:
            self.die_before_settle -= 1
            raise KilledError
        record = self.known[request.id]
        if request.attempt != record.attempts:
            return False
        self.settled.append(request)
        log: list[Attempt] = [*record.log, request.attempt_log] if request.attempt_log and self.keeps_log else record.log
        state = record.state if request.outcome == "retry" else request.outcome
        self.known[request.id] = msgspec.structs.replace(record, state=state, note=request.note, log=log)
        self.free_at[request.id] = self.time_ms + request.delay_ms
        return True


class DurableBench(Bench):
    """An app with its records, timers and lifecycle events, on a clock that is moved."""

    def __init__(self, app: App, storage: FakeStorage | None = None, *, concurrency: int = 4) -> None:
        super().__init__(app, storage)
        self.records = FakeRecords(self.storage, self.time_ms)
        self.works = Works(app, self.dispatcher)
        self.tasks = Tasks(self.works, self.records, self.outside, concurrency=concurrency)
        self.others: m.Manifest | None = None
        self.events = LifecycleEvents(app, self.dispatcher, self.outside, lambda: self.others)
        self.recurring = Recurring(app, self.dispatcher)

    def move(self, seconds: float) -> None:
        """Let time pass, and fire the timers that are due."""
        self.time_ms += int(seconds * 1000)
        self.records.time_ms = self.time_ms
        for key, timer in list(self.storage.timers.items()):
            if timer.at_ms <= self.time_ms:
                del self.storage.timers[key]
                self.storage.add(f"t:{key}:{timer.at_ms}:{self.storage.versions[key[0], key[1]]}", timer.task, timer.payload)

    async def deliver(self, id: str, *, delivered: int = 1) -> None:
        """One delivery of a record."""
        await self.tasks.handle(JobDelivery(id=id), self.storage.records[id].op, delivered)

    async def run_due(self) -> None:
        """Deliver whatever is unfinished and due, until nothing is."""
        while True:
            due = [
                name
                for name, record in list(self.storage.records.items())
                if max(record.due_ms, self.records.free_at.get(name, 0)) <= self.time_ms and self.state(name) == "pending"
            ]
            if not due:
                return
            for name in due:
                await self.deliver(name)

    def state(self, id: str) -> str:
        """What has become of a record."""
        return self.records.known[id].state if id in self.records.known else "pending"

    @property
    def states(self) -> list[str]:
        """What has become of all records, in their order."""
        return [self.state(name) for name in self.storage.records]

    async def tell(self, event: m.LifecycleEvent, *, delivered: int = 1) -> float | None:
        """Deliver a lifecycle event; the seconds after which it comes again, None where it is done with."""
        try:
            await self.events.handle(event, delivered)
        except Postponed as later:
            return later.seconds
        return None
