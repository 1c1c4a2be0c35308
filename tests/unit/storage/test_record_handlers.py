"""The verbs of the records over the adapter in memory: many at once, whose turn it is, and what becomes of those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.messages import (
    ClaimRequest,
    ClaimsRequest,
    EnqueueRequest,
    NewRecord,
    SettleRequest,
    SettlesRequest,
)
from causeway_storage.adapters.memory import MemoryDatabase, MemoryRecords
from causeway_storage.domain.record import line_of_key
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.delivery import FIRST_LOOK_MS, Delivery
from causeway_storage.handlers.records import RecordHandlers
from unit.storage.test_delivery import AGAIN_MS, Queue


class NoApps:
    """`ports.Apps`: none is known."""

    manifests: dict[str, Any] = {}
    namespaces: dict[str, Any] = {}


class Bench:
    """The handlers, a queue that shows what was delivered, and a clock."""

    def __init__(self) -> None:
        self.now, self.queue, self.dead = 1_000_000, Queue(), list[str]()
        self.records = MemoryRecords(MemoryDatabase())
        self.delivery = Delivery(self.records, self.queue, lambda: self.now, redeliver_after_ms=AGAIN_MS)
        self.handlers = RecordHandlers(
            self.records, self.delivery, Access(NoApps()), lambda: self.now, lambda: None, dead=self._tell
        )

    async def _tell(self, id: str, attempt: int) -> None:
        assert attempt
        self.dead.append(id)

    async def enqueues(self, *records: NewRecord, caller: str = "integrations") -> None:
        await self.handlers.enqueue(EnqueueRequest(records=list(records)), call(caller))

    async def claims(self, *ids: str, caller: str = "integrations") -> list[str]:
        request = ClaimsRequest(claims=[ClaimRequest(id=each, node="n", lease_ms=1000) for each in ids])
        return [each.outcome for each in (await self.handlers.claims(request, call(caller))).replies]

    async def settles(self, **outcomes: Any) -> list[bool]:
        request = SettlesRequest(settles=[SettleRequest(id=name, attempt=1, outcome=each) for name, each in outcomes.items()])
        return (await self.handlers.settles(request, call("integrations"))).settled


def call(caller: str) -> Call:
    return Call({"caller": caller}, "", Deadline.after(4))


def record(name: str, *, line: str = "", app: str = "chat", connector: str = "webhook") -> NewRecord:
    return NewRecord(id=name, app=app, connector=connector, op="deliver", payload={}, line=line, behind=line)


async def test_the_end_of_one_delivers_the_next_of_its_line_at_once_and_the_sweep_should_that_be_lost() -> None:
    bench = Bench()
    await bench.enqueues(*(record(name, line="l") for name in "abc"))
    assert await bench.claims("c", "b", "a") == ["leased", "leased", "run"]
    bench.queue.delivered.clear()
    bench.now += 1

    assert await bench.settles(a="dead") == [True]
    assert (bench.queue.delivered, bench.dead) == (["b"], ["a"])
    bench.queue.delivered.clear()
    bench.now += FIRST_LOOK_MS
    await bench.delivery.sweep()
    assert bench.queue.delivered == ["b"]
    assert await bench.claims("c", "b") == ["leased", "run"]


async def test_of_many_each_is_answered_for_itself_and_a_foreign_one_is_not_there() -> None:
    bench = Bench()
    await bench.enqueues(record("a"), record("b"), record("task", connector=""))
    assert await bench.claims("a", "task", "nobody", "b", "a") == ["run", "missing", "missing", "run", "leased"]
    assert await bench.claims("a", "task", caller="chat") == ["missing", "run"]

    assert await bench.settles(a="done", task="done", nobody="done", b="dead") == [True, False, False, True]
    assert bench.dead == ["b"]
    assert await bench.settles(a="done", b="dead") == [True, True], "a repeat is answered as the first time"


async def test_where_one_end_is_unknown_all_are_asked_again_and_what_is_known_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await bench.enqueues(record("a"), record("b"))
    await bench.claims("a", "b")
    settle = bench.records.settle

    async def unsure(request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        if request.id == "a":
            raise unavailable("the outcome is unknown")
        return await settle(request, now_ms, runner)

    monkeypatch.setattr(bench.records, "settle", unsure)
    with pytest.raises(CausewayError) as caught:
        await bench.settles(a="done", b="dead")
    monkeypatch.undo()

    assert (caught.value.temporary, bench.dead) == (True, ["b"])
    assert await bench.settles(a="done", b="dead") == [True, True]


async def test_an_apps_line_is_its_own_and_it_gives_no_turn_and_makes_nobody_wait() -> None:
    """What it names is a key; nothing that it says puts it before others, behind others, or into another app's line."""
    bench = Bench()
    asked = NewRecord(id="1", app="chat", connector="webhook", op="event", payload={}, line="e:7", turn=5, behind="e:7")
    await bench.enqueues(asked, caller="chat")
    claimed = await bench.records.claim(ClaimRequest(id="a:chat:1", node="n", lease_ms=1), bench.now)

    assert claimed.record is not None
    assert (claimed.record.line, claimed.record.turn) == (line_of_key("chat", "e:7"), 1)
    assert line_of_key("chat", "e:7") != line_of_key("shop", "e:7")
