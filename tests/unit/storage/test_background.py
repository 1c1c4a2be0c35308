"""What storage does on its own, over stand-ins that play the store and the queue: relay, deliveries, sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import (
    AppendRequest,
    ClaimReply,
    ClaimRequest,
    Document,
    Head,
    HistoryReply,
    HistoryRequest,
    JobItem,
    NewRecord,
    PublishItem,
    SettleRequest,
    Trace,
)
from causeway_common.contracts.shards import entity_shard
from causeway_common.runtime import Periodic
from causeway_storage.adapters.memory import MemoryAuditLog, MemoryDatabase, MemoryTimers
from causeway_storage.domain.entity import Commit, Element, EntityKey
from causeway_storage.domain.query import Query
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.handlers.background import Tasks
from causeway_storage.handlers.delivery import DUE_PAGE, FIRST_LOOK_MS, RETRY_MS, Delivery
from causeway_storage.handlers.relay import Relay
from causeway_storage.handlers.sweeps import REMOVE_PAGE, STRANGERS_PATIENCE, OutboxSweep, Retention
from causeway_storage.handlers.timers import TimerSweep
from causeway_storage.ports import Appended, Committed, Conflicted, DuePage, DueRecord, Ending, Found, PendingEntity, PendingPage

KEY = EntityKey("chat", "room", "1")
REDELIVER_MS = 30_000


class PlayedStore:
    """Logs, entities, records and the work queue in lists; `failing` names the calls that are unavailable."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.elements: list[Element] = []
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.delivered: list[DueRecord] = []
        self.put_at: list[int] = []
        self.due_records: list[DueRecord] = []
        self.postponed: list[tuple[list[str], int]] = []
        self.parked: list[str] = []
        self.waiting: list[PendingEntity] = []
        self.forgotten_before = 0
        self.full_pages = 0

    def clock(self) -> int:
        return self.now

    async def _called(self, name: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(name)
        if name in self.failing:
            raise unavailable(name)

    # logs
    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        await self._called(f"append {request.channel} {','.join(item.data.decode() for item in request.items)}")
        return Appended(request.channel, "e.1", (), (), ())

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        raise NotImplementedError

    async def history(self, request: HistoryRequest) -> HistoryReply:
        raise NotImplementedError

    async def remove(self, channel: str) -> Head:
        raise AssertionError("nothing of the background removes a log")

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        self.full_pages -= 1
        return limit if self.full_pages >= 0 else 0

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        self.forgotten_before = before_ms
        return 0

    # entities
    async def load(self, key: EntityKey) -> Document:
        raise NotImplementedError

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        raise NotImplementedError

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        found = tuple(self.elements)
        await self._called("outbox")
        return found

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        await self._called(f"clear {','.join(sorted(ids))}")
        self.elements = [element for element in self.elements if element.id not in ids]

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """One entity a page."""
        if "pending" in self.failing:
            raise unavailable("pending")
        found = [each for each in self.waiting if each.oldest_ms <= older_than_ms]
        at = int(cursor or 0)
        return PendingPage(tuple(found[at : at + 1]), str(at + 1) if at + 1 < len(found) else "")

    # records
    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        self.put_at.append(next_at_ms)
        await self._called(f"put {','.join(record.id for record in records)}")
        self.parked += [item.id for item in parked]
        return frozenset(record.id for record in records if record.id != "old")

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        raise NotImplementedError

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        raise NotImplementedError

    async def claims(self, requests: Sequence[ClaimRequest], now_ms: int, runner: str = "") -> list[ClaimReply | CausewayError]:
        raise NotImplementedError

    async def settles(self, requests: Sequence[SettleRequest], now_ms: int, runner: str = "") -> list[Ending | CausewayError]:
        raise NotImplementedError

    async def due(self, now_ms: int, limit: int) -> DuePage:
        due = [each for each in self.due_records if each.next_at_ms <= now_ms][:limit]
        rest = [each for each in self.due_records if each not in due]
        return DuePage(tuple(due), min((each.next_at_ms for each in rest), default=None))

    async def postpone(self, records: Collection[DueRecord], next_at_ms: int) -> None:
        self.postponed.append(([record.id for record in records], next_at_ms))
        moved = {record.id for record in records}
        self.due_records = [replace(each, next_at_ms=next_at_ms) if each.id in moved else each for each in self.due_records]

    async def query(self, query: Query) -> list[Found]:
        raise NotImplementedError

    async def cursor_key(self) -> bytes:
        raise NotImplementedError

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        raise NotImplementedError

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        return 0

    async def remove_done(self, before_ms: int, limit: int) -> int:
        return 0

    # queue
    async def deliver(self, record: DueRecord) -> None:
        await self._called(f"deliver {record.id}")
        self.delivered.append(record)

    def send(self, record: DueRecord) -> None:
        if f"deliver {record.id}" in self.failing:
            raise unavailable("the queue is away")
        self.delivered.append(record)


def publish(channel: str, data: bytes) -> dict[str, Any]:
    return encode_item(PublishItem(channel=channel, data=data, size=10, ttl_ms=1000))


def element(id: str, *items: dict[str, Any]) -> Element:
    return Element(id, items, 1, "")


def delivery_of(store: PlayedStore) -> Delivery:
    return Delivery(store, store, store.clock, redeliver_after_ms=REDELIVER_MS)


def no_timers(store: PlayedStore) -> TimerSweep:
    return TimerSweep(MemoryTimers(MemoryDatabase()), delivery_of(store), store.clock)


def relay_of(store: PlayedStore) -> Relay:
    return Relay(store, store, delivery_of(store), no_timers(store), store.clock)


async def idle(relay: Relay) -> None:
    async with asyncio.timeout(5):
        while relay.running:
            await asyncio.sleep(0)


def record(id: str) -> NewRecord:
    return NewRecord(id=id, app="chat", connector="webhook", op="event", payload={})


# --- relay --------------------------------------------------------------------------------------------------------------


async def test_the_relay_clears_only_after_every_acknowledgement_and_looks_again() -> None:
    store = PlayedStore()
    store.elements = [
        element("a", publish("chat:1", b"1"), encode_item(JobItem(connector="webhook", op="event", payload={}))),
        element("b", publish("chat:1", b"2"), publish("chat:2", b"3")),
    ]
    relay = relay_of(store)
    relay.kick(KEY)
    await idle(relay)

    calls = [call for call in store.calls if not call.startswith("deliver")]
    assert calls[0] == "outbox"
    assert set(calls[1:4]) == {"append chat:1 1,2", "append chat:2 3", "put o:a:1"}
    assert calls[4:] == ["clear a,b", "outbox"]


async def test_one_relay_per_entity_takes_up_what_was_committed_meanwhile() -> None:
    store = PlayedStore()
    store.elements = [element("a", publish("chat:1", b"1"))]
    relay = relay_of(store)
    relay.kick(KEY)
    relay.kick(KEY)
    while store.calls.count("outbox") < 2:
        await asyncio.sleep(0)
    store.elements.append(element("b", publish("chat:1", b"2")))
    relay.kick(KEY)
    assert relay.running == 1
    await idle(relay)

    assert [call for call in store.calls if call.startswith("append")] == ["append chat:1 1", "append chat:1 2"]
    assert store.elements == []


async def test_what_failed_stays_and_what_was_acknowledged_leaves() -> None:
    store = PlayedStore()
    store.elements = [element("a", publish("chat:1", b"1"), publish("chat:2", b"2")), element("b", publish("chat:1", b"3"))]
    store.failing = {"append chat:2 2"}
    relay = relay_of(store)
    relay.kick(KEY)
    await idle(relay)

    assert [each.id for each in store.elements] == ["a"]
    store.failing.clear()
    relay.kick(KEY)
    await idle(relay)
    assert store.elements == []


async def test_an_item_that_can_never_leave_is_parked_and_the_rest_goes_on() -> None:
    store = PlayedStore()
    store.elements = [element("a", publish("", b"1"), publish("chat:1", b"2"))]
    relay = relay_of(store)
    relay.kick(KEY)
    await idle(relay)

    assert store.parked == ["o:a:0"]
    assert "append chat:1 2" in store.calls
    assert store.elements == []


async def test_an_unknown_kind_waits_for_a_process_that_knows_it() -> None:
    store = PlayedStore()
    store.elements = [element("a", publish("chat:1", b"1")), element("b", {"kind": "timer"}), element("c", publish("chat:1", b"2"))]
    relay = relay_of(store)
    relay.kick(KEY)
    await idle(relay)

    assert [each.id for each in store.elements] == ["b", "c"]
    assert "append chat:1 2" not in store.calls


# --- deliveries ---------------------------------------------------------------------------------------------------------


async def test_new_records_are_delivered_at_once_and_old_ones_left_to_the_sweep() -> None:
    store = PlayedStore()
    delivery = delivery_of(store)

    assert await delivery.put([record("a"), record("old")], ()) == 1

    assert [each.id for each in store.delivered] == ["a"]


async def test_the_sweep_looks_soon_after_a_first_delivery_and_its_own_has_another_name() -> None:
    """The first one may have died with the process; JetStream drops a name that it has seen within two minutes."""
    store = PlayedStore()
    await delivery_of(store).put([record("a")], ())
    (due,) = store.put_at

    assert due == store.now + FIRST_LOOK_MS
    assert store.delivered[0].next_at_ms != due


async def test_a_first_delivery_that_the_queue_does_not_take_is_the_sweeps_and_the_record_is_kept() -> None:
    store = PlayedStore()
    store.failing = {"deliver a"}

    assert await delivery_of(store).put([record("a")], ()) == 1

    assert (store.delivered, store.put_at) == ([], [store.now + FIRST_LOOK_MS])


async def test_the_sweep_delivers_what_is_due_and_puts_it_off_each_by_its_outcome() -> None:
    store = PlayedStore()
    store.due_records = [
        DueRecord(name, "webhook", "event", at, "", "chat") for name, at in (("a", 1), ("b", 2), ("later", store.now + 500))
    ]
    store.failing = {"deliver b"}
    delivery = delivery_of(store)

    await delivery.sweep()

    assert store.postponed == [(["a"], store.now + REDELIVER_MS), (["b"], store.now + RETRY_MS)]
    assert await delivery.sweep() == 0.5, "it wakes for the next one"
    store.due_records = []
    assert await delivery.sweep() == 1.0
    store.due_records = [DueRecord(str(n), "webhook", "event", 1, "", "chat") for n in range(DUE_PAGE + 1)]
    assert await delivery.sweep() == 0.0, "a full page may have more behind it"


# --- sweeps -------------------------------------------------------------------------------------------------------------


async def test_the_first_sweep_kicks_all_that_waits_and_later_ones_what_waits_too_long() -> None:
    store = PlayedStore()
    keys = [EntityKey("chat", "room", str(n)) for n in range(3)]
    ages = (5000, 100, 0)
    store.waiting = [PendingEntity(key, store.now - age) for key, age in zip(keys, ages, strict=True)]
    kicked: list[EntityKey] = []
    sweep = OutboxSweep(store, kicked.append, store.clock, patience_ms=2000)

    await sweep.step()
    assert kicked == keys
    assert sweep.seen_ms == store.now - 5000
    kicked.clear()
    store.now += 1950
    await sweep.step()
    assert kicked == keys[:2]
    store.waiting = []
    await sweep.step()
    assert sweep.seen_ms == store.now - 2000


async def test_of_another_processs_entities_only_what_waits_long_is_taken_up_and_all_after_the_shards_have_changed() -> None:
    store, kicked, owned = PlayedStore(), list[EntityKey](), set[int]()
    sweep = OutboxSweep(store, kicked.append, store.clock, patience_ms=2000, owned=owned.__contains__)
    await sweep.step()
    store.waiting = [PendingEntity(KEY, store.now)]

    store.now += 2000 * STRANGERS_PATIENCE - 1
    await sweep.step()
    assert kicked == []
    assert sweep.age_ms == 2000 * STRANGERS_PATIENCE - 1, "its age is known all the same"
    owned.add(entity_shard(KEY.app, KEY.kind, KEY.id))
    await sweep.step()
    assert kicked == [KEY]
    owned.clear()
    store.now += 1
    await sweep.step()
    assert kicked == [KEY, KEY]
    store.waiting = [PendingEntity(KEY, store.now)]
    sweep.inherit()
    await sweep.step()
    assert kicked == [KEY, KEY, KEY]


async def test_a_sweep_that_failed_is_as_thorough_the_next_time() -> None:
    store, kicked = PlayedStore(), list[EntityKey]()
    sweep = OutboxSweep(store, kicked.append, store.clock, patience_ms=2000)
    store.waiting = [PendingEntity(KEY, store.now)]
    store.failing = {"pending"}
    with pytest.raises(CausewayError):
        await sweep.step()
    store.failing = set()

    await sweep.step()

    assert kicked == [KEY]


async def test_ids_are_kept_while_an_outbox_may_append_them_again() -> None:
    store = PlayedStore()
    store.now = 10 * ID_LIFETIME_MS
    sweep = OutboxSweep(store, lambda _key: None, store.clock, patience_ms=2000)
    retention = Retention(
        store,
        store,
        store,
        sweep,
        store.clock,
        timers=no_timers(store),
        audit=MemoryAuditLog(MemoryDatabase()),
        keep_audit_ms=1,
        interval_ms=1000,
        keep_done_ms=1,
    )

    await retention.step()
    assert store.forgotten_before == 0, "before the first complete sweep nothing is known"
    store.waiting = [PendingEntity(KEY, 7)]
    await sweep.step()
    await retention.step()
    assert store.forgotten_before == 7
    store.waiting = []
    await sweep.step()
    await retention.step()
    assert store.forgotten_before == store.now - ID_LIFETIME_MS


async def test_retention_goes_on_at_once_while_pages_are_full() -> None:
    store = PlayedStore()
    store.full_pages = 1
    sweep = OutboxSweep(store, lambda _key: None, store.clock, patience_ms=2000)
    retention = Retention(
        store,
        store,
        store,
        sweep,
        store.clock,
        timers=no_timers(store),
        audit=MemoryAuditLog(MemoryDatabase()),
        keep_audit_ms=1,
        interval_ms=1500,
        keep_done_ms=1,
    )

    assert (await retention.step(), await retention.step()) == (0.0, 1.5)
    assert REMOVE_PAGE > 0


# --- tasks --------------------------------------------------------------------------------------------------------------


async def test_tasks_are_bounded_and_waited_for() -> None:
    tasks, gate, ended = Tasks(2), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        ended.append(1)

    tasks.spawn(work())
    assert not tasks.full
    tasks.spawn(work())
    assert tasks.full
    gate.set()
    await tasks.stop()

    assert ended == [1, 1]
    assert tasks.full, "a stopping set takes no more"


@pytest.mark.parametrize("error", [unavailable("away"), ZeroDivisionError()])
async def test_a_periodic_step_that_fails_runs_again_and_waking_runs_it_now(error: Exception) -> None:
    ran: list[int] = []
    woken = asyncio.Event()

    async def step() -> float:
        ran.append(1)
        if len(ran) == 1:
            raise error
        if len(ran) == 3:
            woken.set()
        return 1000.0

    periodic = Periodic("test", step, after_failure_s=0.0)
    await periodic.start()
    async with asyncio.timeout(5):
        while len(ran) < 2:
            await asyncio.sleep(0)
        periodic.wake()
        await woken.wait()
    await periodic.stop()

    assert len(ran) == 3
