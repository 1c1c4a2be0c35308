"""An in-memory stand-in for storage's records, with the contract's meaning. A fake, for unit tests alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from causeway_common.contracts.messages import BreakerState, ClaimReply, JsonMap, NewRecord, Record, SettleRequest
from causeway_integrations.domain.outside import Answer, Answered, Outgoing
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.jobs import work_of


@dataclass
class FakeRecords:
    """Records that are always due; leases do not run out."""

    records: dict[str, Record] = field(default_factory=dict)
    settled: list[SettleRequest] = field(default_factory=list)
    lease_lost: bool = False
    made: list[NewRecord] = field(default_factory=list)

    def add(self, new: NewRecord) -> bool:
        """Create one; False where its id exists."""
        if new.id in self.records:
            return False
        self.made.append(new)
        self.records[new.id] = Record(
            id=new.id,
            app=new.app,
            connector=new.connector,
            op=new.op,
            payload=new.payload,
            traceparent=new.traceparent,
            state="pending",
            attempts=0,
            created_ms=0,
        )
        return True

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        assert lease_ms > 0
        record = self.records.get(id)
        if record is None:
            return ClaimReply(outcome="missing")
        match record.state:
            case "done" | "dead":
                return ClaimReply(outcome=record.state)
            case "pending":
                claimed = _with(record, attempts=record.attempts + 1)
                self.records[id] = claimed
                return ClaimReply(outcome="run", record=claimed)

    async def settle(self, request: SettleRequest) -> bool:
        self.settled.append(request)
        if self.lease_lost:
            return False
        record = self.records[request.id]
        if request.attempt_log is not None:
            kept = record.log[:-1] if record.log and record.log[-1].outcome == "postponed" else record.log
            self.records[request.id] = _with(record, log=[*kept, request.attempt_log])
        if request.outcome != "retry":
            self.records[request.id] = _with(self.records[request.id], state=request.outcome, note=request.note)
        return True

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        assert message_id
        return sum([self.add(record) for record in records])


@dataclass
class FakeOutside:
    """Answers as told, in turn, the last one for ever, and keeps what was sent."""

    answers: list[Answer] = field(default_factory=lambda: [Answered(200)])
    sent: list[Outgoing] = field(default_factory=list)

    async def send(self, request: Outgoing) -> Answer:
        self.sent.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class FakeBreakers:
    """Keeps what was shared."""

    shared: list[tuple[str, str, BreakerState]] = field(default_factory=list)

    def share(self, connector: str, destination: str, state: BreakerState) -> None:
        self.shared.append((connector, destination, state))


@dataclass
class FakeApps:
    """Apps by source and type; None: not known yet."""

    apps: dict[tuple[str, str], list[str]] | None = field(default_factory=dict)
    order_by: str = ""

    def handling(self, source: str, type: str) -> dict[str, str] | None:
        return None if self.apps is None else dict.fromkeys(self.apps.get((source, type), []), self.order_by)


@dataclass
class FakeClock:
    """A time of day that stands still."""

    now: int = 1_735_689_600_999

    def __call__(self) -> int:
        return self.now


def work(connector: str, op: str, payload: JsonMap, *, app: str = "chat", key: str = "key-1", waits: bool = False) -> Work:
    """One attempt."""
    return Work(app, connector, op, payload, key, f"id-{key}", 1_735_689_600_000, waits=waits)


async def claimed(records: FakeRecords, id: str) -> Work:
    """A record claimed for an attempt."""
    record = (await records.claim(id, 1)).record
    assert record is not None
    return work_of(record, record.attempts)


def new_record(
    op: str = "event", payload: JsonMap | None = None, *, connector: str = "webhook", id: str = "o:1:0", app: str = "chat"
) -> NewRecord:
    """A record to create."""
    return NewRecord(id=id, app=app, connector=connector, op=op, payload=payload or {})


def _with(record: Record, **changes: Any) -> Record:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return Record(**(values | changes))
