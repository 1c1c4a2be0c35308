"""`ports.Records` in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import assert_never

from msgspec import structs

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, SettleRequest
from causeway_storage.adapters.memory.database import MemoryDatabase, MemoryRecord
from causeway_storage.domain.packing import pack
from causeway_storage.domain.record import (
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    Waits,
    life_of_new,
    look_again_ms,
    plan_claim,
    plan_settle,
    record_message,
    refusal,
)
from causeway_storage.domain.relay import ParkedItem, parked_record
from causeway_storage.ports import DuePage, DueRecord, Ending
from causeway_storage.ports.records import CLAIMS_MAX_BYTES, WOKEN_LOOK_MS, WOKEN_MAX


class MemoryRecords:
    """The records."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database, self._records = database, database.records

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """As the port says."""
        for item in parked:
            dead, life = parked_record(item, now_ms)
            self._records.setdefault(dead.id, MemoryRecord(dead, now_ms, life))
        new = {record.id: self._placed(record) for record in records if record.id not in self._records}
        for name, record in new.items():
            self._records[name] = MemoryRecord(record, now_ms, life_of_new(record, now_ms=now_ms, next_at_ms=next_at_ms))
        return frozenset(new)

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """As the port says."""
        life, found = self._life(request.id, runner), self._records.get(request.id)
        waits_ms = look_again_ms(found.created_ms, now_ms) if found and self._must_wait(found, now_ms) else 0
        match plan_claim(life, now_ms=now_ms, lease_ms=request.lease_ms, waits_ms=waits_ms):
            case Claimed(its):
                found = self._records[request.id]
                found.life = its
                return ClaimReply(outcome="run", record=record_message(found.record, found.created_ms, its))
            case Waits(its):
                self._records[request.id].life = its
                return ClaimReply(outcome="leased")
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

    async def claims(self, requests: Sequence[ClaimRequest], now_ms: int, runner: str = "") -> Sequence[ClaimReply | CausewayError]:
        """As the port says."""
        replies: list[ClaimReply | CausewayError] = []
        size = 0
        for request in requests:
            found = self._records.get(request.id)
            its = len(pack(found.record.payload)) if found else 0
            if size and its and size + its > CLAIMS_MAX_BYTES:
                replies.append(ClaimReply(outcome="later"))
                continue
            size += its
            try:
                replies.append(await self.claim(request, now_ms, runner))
            except CausewayError as error:
                replies.append(error)
        return replies

    async def settles(self, requests: Sequence[SettleRequest], now_ms: int, runner: str = "") -> Sequence[Ending | CausewayError]:
        """As the port says."""
        endings: list[Ending | CausewayError] = []
        for request in requests:
            try:
                settled = await self.settle(request, now_ms, runner)
            except CausewayError as error:
                endings.append(error)
            else:
                endings.append(Ending(settled, self._woken(request.id, now_ms) if settled else ()))
        return endings

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

    def _placed(self, record: NewRecord) -> NewRecord:
        if not record.line or record.turn:
            return record
        self._database.turn += 1
        return structs.replace(record, turn=self._database.turn)

    def _pending(self, line: str) -> list[MemoryRecord]:
        return [each for each in self._records.values() if each.record.line == line and each.life.state == "pending"]

    def _must_wait(self, found: MemoryRecord, now_ms: int) -> bool:
        its = found.record
        if not its.behind:
            return False
        return any(
            (each.record.turn, each.record.id) < (its.turn, its.id) or _runs(each.life, now_ms)
            for each in self._pending(its.line)
            if each.record.id != its.id
        ) or (its.behind != its.line and any(each.record.turn < its.turn for each in self._pending(its.behind)))

    def _woken(self, id: str, now_ms: int) -> tuple[DueRecord, ...]:
        ended = self._records[id].record
        if not ended.line:
            return ()
        own = [each for each in self._pending(ended.line) if each.record.behind] if ended.behind else []
        first = [min(own, key=lambda each: (each.record.turn, each.record.id))] if own else []
        others = [
            each
            for each in self._records.values()
            if each.life.state == "pending" and each.record.behind == ended.line != each.record.line
        ]
        others.sort(key=lambda each: each.record.turn)
        woken = [each for each in (*first, *others[:WOKEN_MAX]) if each.record.id != id and each.life.free_at_ms <= now_ms]
        for each in woken:
            each.life = replace(each.life, next_at_ms=now_ms + WOKEN_LOOK_MS)
        return tuple(self._due(each.record.id, now_ms) for each in woken)

    def _life(self, id: str, runner: str) -> RecordLife | None:
        found = self._records.get(id)
        if found and (refused := refusal(found.record.app, found.record.connector, runner)):
            raise refused
        return None if found is None else found.life

    def _due(self, id: str, at: int) -> DueRecord:
        record = self._records[id].record
        return DueRecord(id, record.connector, record.op, at, record.traceparent, record.app)


def _runs(life: RecordLife, now_ms: int) -> bool:
    return life.attempts > life.settled and life.free_at_ms > now_ms
