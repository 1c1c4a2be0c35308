"""An in-memory stand-in for storage's records, with the contract's meaning. A fake, for unit tests alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from causeway_common.contracts.messages import ClaimReply, JsonMap, NewRecord, Record, SettleRequest
from causeway_integrations.domain.webhook import Answer, Answered


@dataclass
class FakeRecords:
    """Records that are always due; leases do not run out."""

    records: dict[str, Record] = field(default_factory=dict)
    settled: list[SettleRequest] = field(default_factory=list)
    lease_lost: bool = False

    def add(self, new: NewRecord) -> bool:
        """Create one; False where its id exists."""
        if new.id in self.records:
            return False
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
        if request.outcome != "retry":
            self.records[request.id] = _with(self.records[request.id], state=request.outcome, note=request.note)
        return True

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        assert message_id
        return sum([self.add(record) for record in records])


@dataclass
class FakePoster:
    """Answers as told and keeps what was sent."""

    answer: Answer = field(default_factory=lambda: Answered(200))
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((url, dict(headers), body))
        return self.answer


def new_record(
    op: str = "event", payload: JsonMap | None = None, *, connector: str = "webhook", id: str = "o:1:0", app: str = "chat"
) -> NewRecord:
    """A record to create."""
    return NewRecord(id=id, app=app, connector=connector, op=op, payload=payload or {})


def _with(record: Record, **changes: Any) -> Record:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return Record(**(values | changes))
