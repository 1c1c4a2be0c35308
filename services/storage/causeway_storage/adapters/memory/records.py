"""`ports.Records` in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import assert_never

from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, SettleRequest
from causeway_storage.adapters.memory.database import MemoryDatabase, MemoryRecord
from causeway_storage.domain.record import (
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    life_of_new,
    plan_claim,
    plan_settle,
    record_message,
    refusal,
)
from causeway_storage.domain.relay import ParkedItem, parked_record
from causeway_storage.ports import DuePage, DueRecord


class MemoryRecords:
    """The records."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._records = database.records

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """As the port says."""
        for item in parked:
            dead, life = parked_record(item, now_ms)
            self._records.setdefault(dead.id, MemoryRecord(dead, now_ms, life))
        new = {record.id: record for record in records if record.id not in self._records}
        for name, record in new.items():
            self._records[name] = MemoryRecord(record, now_ms, life_of_new(record, now_ms=now_ms, next_at_ms=next_at_ms))
        return frozenset(new)

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """As the port says."""
        match plan_claim(self._life(request.id, runner), now_ms=now_ms, lease_ms=request.lease_ms):
            case Claimed(life):
                found = self._records[request.id]
                found.life = life
                return ClaimReply(outcome="run", record=record_message(found.record, found.created_ms, life))
            case NotClaimed(outcome):
                return ClaimReply(outcome=outcome)
            case other:
                assert_never(other)

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        """As the port says."""
        match plan_settle(self._life(request.id, runner), request, now_ms=now_ms):
            case Settled(life):
                self._records[request.id].life = life
                return True
            case LeaseLost():
                return False
            case other:
                assert_never(other)

    async def due(self, now_ms: int, limit: int) -> DuePage:
        """As the port says."""
        pending = sorted((each.life.next_at_ms, name) for name, each in self._records.items() if each.life.state == "pending")
        due = tuple(self._due(name, at) for at, name in pending[:limit] if at <= now_ms)
        return DuePage(due, pending[len(due)][0] if len(due) < len(pending) else None)

    async def postpone(self, records: Collection[DueRecord], next_at_ms: int) -> None:
        """As the port says."""
        for each in records:
            found = self._records.get(each.id)
            if found and found.life.state == "pending" and found.life.next_at_ms == each.next_at_ms:
                found.life = replace(found.life, next_at_ms=next_at_ms)

    async def remove_done(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        ended = (name for name, each in self._records.items() if each.life.state == "done" and each.life.ended_ms < before_ms)
        gone = list(islice(ended, limit))
        for name in gone:
            del self._records[name]
        return len(gone)

    def _life(self, id: str, runner: str) -> RecordLife | None:
        found = self._records.get(id)
        if found and (refused := refusal(found.record.app, found.record.connector, runner)):
            raise refused
        return None if found is None else found.life

    def _due(self, id: str, at: int) -> DueRecord:
        record = self._records[id].record
        return DueRecord(id, record.connector, record.op, at, record.traceparent, record.app)
