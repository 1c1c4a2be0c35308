"""Records on their way: new ones at once, those that are due later at their time of day, wherever the clock or the queue goes."""

from __future__ import annotations

import asyncio

from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import ClaimRequest, NewRecord, SettleRequest
from causeway_storage.adapters.memory import MemoryDatabase, MemoryRecords
from causeway_storage.domain.record import TASK
from causeway_storage.handlers.delivery import LOOK_AGAIN_MAX_S, Delivery
from causeway_storage.ports import DueRecord

AGAIN_MS = 30_000


class Queue:
    """A work queue that drops names it has seen, as JetStream does, and may be away."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.away = False
        self._names: set[tuple[str, int]] = set()

    async def deliver(self, record: DueRecord) -> None:
        self.send(record)

    def send(self, record: DueRecord) -> None:
        if self.away:
            raise unavailable("the queue is away")
        if (record.id, record.next_at_ms) not in self._names:
            self._names.add((record.id, record.next_at_ms))
            self.delivered.append(record.id)

    def lose(self) -> None:
        """The stream was deleted: what it had, and what it had seen."""
        self.delivered.clear()
        self._names.clear()


class Storage:
    """The records, and a clock that a test sets; `start` again is another process on the same database."""

    def __init__(self) -> None:
        self.now, self.queue, self.database = 1_000_000, Queue(), MemoryDatabase()
        self.start()

    def start(self) -> None:
        self.records = MemoryRecords(self.database)
        self.delivery = Delivery(self.records, self.queue, lambda: self.now, redeliver_after_ms=AGAIN_MS)

    async def put(self, id: str, due_ms: int = 0) -> int:
        record = NewRecord(id=id, app="chat", connector=TASK, op="tidy", payload={}, due_ms=due_ms)
        made = await self.delivery.put([record], ())
        await asyncio.sleep(0)
        return made

    async def at(self, now: int) -> list[str]:
        """What has been delivered so far, once the sweep has looked at this time of day."""
        self.now = now
        await self.delivery.sweep()
        return self.queue.delivered

    async def run(self, id: str) -> str:
        """Claim it and, where that was granted, end it well."""
        claimed = await self.records.claim(ClaimRequest(id=id, node="n", lease_ms=1000), self.now, "chat")
        if claimed.record:
            await self.records.settle(SettleRequest(id=id, attempt=claimed.record.attempts, outcome="done"), self.now, "chat")
        return claimed.outcome


async def test_one_that_is_due_later_is_delivered_then_and_not_before() -> None:
    storage = Storage()
    assert await storage.put("later", storage.now + 60_000) == 1
    assert await storage.put("now") == 1
    assert await storage.put("past", storage.now - 1) == 1

    assert await storage.at(storage.now) == ["now", "past"]
    assert [await storage.run(each) for each in ("now", "past")] == ["run", "run"]
    assert await storage.at(storage.now + 59_999) == ["now", "past"]
    assert await storage.at(storage.now + 1) == ["now", "past", "later"]


async def test_asking_again_moves_nothing() -> None:
    storage = Storage()
    await storage.put("later", storage.now + 60_000)
    assert await storage.put("later", storage.now + 1) == 0
    assert await storage.put("later") == 0

    assert await storage.at(storage.now + 59_000) == []
    assert await storage.at(storage.now + 1_000) == ["later"]


async def test_the_next_look_is_not_later_than_what_is_due_next() -> None:
    storage = Storage()
    await storage.put("soon", storage.now + 300)
    assert await storage.delivery.sweep() == 0.3
    await storage.put("late", storage.now + 10**9)
    storage.now += 300
    await storage.at(storage.now)
    assert await storage.delivery.sweep() == LOOK_AGAIN_MAX_S


async def test_a_restart_a_lost_stream_and_a_queue_that_is_away_lose_none() -> None:
    storage = Storage()
    due = storage.now + 60_000
    await storage.put("later", due)
    storage.start()
    storage.queue.away = True
    assert await storage.at(due) == []
    storage.queue.away = False
    assert await storage.at(due + 1_000) == ["later"]
    storage.queue.lose()
    assert await storage.at(due + 1_000 + AGAIN_MS) == ["later"]

    assert await storage.run("later") == "run"
    assert await storage.at(due + 10 * AGAIN_MS) == ["later"], "it is done"


async def test_a_clock_set_forward_delivers_what_is_due_by_it_and_one_set_back_delivers_nothing_twice() -> None:
    storage = Storage()
    start = storage.now
    await storage.put("later", start + 60_000)
    await storage.put("latest", start + 7_200_000)

    assert await storage.at(start + 3_600_000) == ["later"]
    assert await storage.run("later") == "run"
    assert await storage.at(start) == ["later"], "the clock was set back"
    assert await storage.at(start + 7_199_999) == ["later"]
    assert await storage.at(start + 7_200_000) == ["later", "latest"]
