"""Timers from the commit to the task: planned by the relay under the commit's version, fired once by the sweep, whatever dies when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import CancelItem, ClaimRequest, JsonMap, ScheduleItem, SettleRequest, TaskItem
from causeway_storage.adapters.memory import MemoryAuditLog, MemoryDatabase, MemoryEntities, MemoryLogs, MemoryRecords, MemoryTimers
from causeway_storage.domain.entity import Element, EntityKey
from causeway_storage.domain.record import TASK
from causeway_storage.domain.relay import fired_record, plan_relay
from causeway_storage.domain.stored import Timer
from causeway_storage.handlers.delivery import LOOK_AGAIN_MAX_S, Delivery
from causeway_storage.handlers.sweeps import OutboxSweep, Retention
from causeway_storage.handlers.timers import TIMERS_PAGE, TimerSweep
from causeway_storage.ports import DueRecord

KEY = EntityKey("auctions", "lot", "7")


def schedule(at_ms: int, name: str = "close", **payload: Any) -> JsonMap:
    return encode_item(ScheduleItem(name=name, at_ms=at_ms, task="close_lot", payload=payload))


def cancel(name: str = "close") -> JsonMap:
    return encode_item(CancelItem(name=name))


def element(version: int, *items: JsonMap) -> Element:
    return Element(f"c{version}", items, 100 + version, f"trace-{version}", version)


class Queue:
    """The work queue: what was delivered, by id."""

    def __init__(self) -> None:
        self.delivered: list[DueRecord] = []

    async def deliver(self, record: DueRecord) -> None:
        self.send(record)

    def send(self, record: DueRecord) -> None:
        self.delivered.append(record)


class DiesMarking(MemoryTimers):
    """Dies before what fired is marked, as often as `deaths` says."""

    deaths = 0

    async def fired(self, timers: Sequence[Timer]) -> None:
        if self.deaths:
            self.deaths -= 1
            raise unavailable("it died here")
        await super().fired(timers)


class Storage:
    """The sweep over the memory adapter, with a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 10_000_000_000
        self.database, self.queue = MemoryDatabase(), Queue()
        self.timers, self.records = DiesMarking(self.database), MemoryRecords(self.database)
        self.delivery = Delivery(self.records, self.queue, self.clock, redeliver_after_ms=30_000)
        self.sweep = TimerSweep(self.timers, self.delivery, self.clock)

    def clock(self) -> int:
        return self.now

    async def relay(self, *elements: Element) -> None:
        await self.sweep.put(plan_relay(KEY, elements).timers)

    async def step(self) -> float:
        wait = await self.sweep.step()
        await asyncio.sleep(0)
        return wait

    @property
    def made(self) -> list[int]:
        """The versions of the tasks that were made, in order."""
        return [each.record.payload["version"] for each in self.database.records.values()]


# --- the plan -----------------------------------------------------------------------------------------------------------


def test_a_round_sets_timers_under_the_version_of_their_commit_and_makes_records_of_tasks() -> None:
    report = encode_item(TaskItem(task="report", payload={"n": 1}))
    work = plan_relay(KEY, [element(3, schedule(500, n=1), report), element(4, cancel("other"))])

    close, other = work.timers
    assert (close.key, close.version, close.at_ms, close.task) == ("auctions:3:lot:1:7:close", 3, 500, "close_lot")
    assert (close.payload, close.set_ms, close.traceparent) == ({"n": 1}, 103, "trace-3")
    assert (other.name, other.version, other.at_ms) == ("other", 4, 0)
    (record,) = work.records
    assert (record.id, record.app, record.connector, record.op, record.payload) == ("o:c3:1", "auctions", TASK, "report", {"n": 1})
    assert work.timer_elements == {"c3", "c4"}
    assert work.finished([work.timer_elements]) == frozenset()


def test_the_last_item_of_a_name_counts_within_a_commit_and_between_commits() -> None:
    (timer,) = plan_relay(KEY, [element(1, schedule(500), cancel(), schedule(700))]).timers
    assert (timer.version, timer.at_ms) == (1, 700)

    (timer,) = plan_relay(KEY, [element(1, schedule(500)), element(2, cancel())]).timers
    assert (timer.version, timer.at_ms) == (2, 0)


def test_a_timer_or_task_that_can_never_be_set_is_parked_with_its_reason() -> None:
    nameless, unnamed = schedule(500, name=""), encode_item(TaskItem(task="a.b", payload={}))
    work = plan_relay(KEY, [element(1, nameless, unnamed, schedule(9)), element(0, schedule(500, name="late"))])

    assert [each.id for each in work.parked] == ["o:c1:0", "o:c1:1", "o:c0:0"]
    assert "version" in work.parked[-1].reason
    assert [timer.at_ms for timer in work.timers] == [9]


# --- the sweep ----------------------------------------------------------------------------------------------------------


async def test_a_due_timer_becomes_a_task_of_its_app_at_its_time_and_not_before() -> None:
    storage = Storage()
    await storage.relay(element(1, schedule(storage.now + 300, version=1)))

    assert await storage.step() == 0.3, "it wakes for the next one"
    storage.now += 300
    assert await storage.step() == 0.0
    assert await storage.step() == LOOK_AGAIN_MAX_S

    (delivered,) = storage.queue.delivered
    assert (delivered.app, delivered.connector, delivered.op, delivered.traceparent) == ("auctions", TASK, "close_lot", "trace-1")
    assert storage.made == [1]


async def test_one_that_died_between_record_and_mark_fires_again_and_makes_nothing_new() -> None:
    storage = Storage()
    storage.timers.deaths = 2
    await storage.relay(element(1, schedule(storage.now, version=1)))

    for _ in range(2):
        with pytest.raises(CausewayError):
            await storage.step()
    await storage.step()

    assert storage.made == [1]
    assert [each.id for each in storage.queue.delivered] == [fired_record(plan_relay(KEY, [element(1, schedule(1))]).timers[0]).id]


async def test_a_clock_set_forward_and_back_fires_nothing_twice_and_skips_nothing() -> None:
    storage = Storage()
    await storage.relay(
        element(1, schedule(storage.now + 60_000, version=1)), element(2, schedule(storage.now + 10, "b", version=2))
    )

    storage.now += 3_600_000
    await storage.step()
    storage.now -= 7_200_000
    assert await storage.step() == LOOK_AGAIN_MAX_S
    await storage.relay(element(3, schedule(storage.now + 5, "c", version=3)))
    storage.now += 5
    await storage.step()
    storage.now += 10_000_000
    await storage.step()

    assert sorted(storage.made) == [1, 2, 3]


async def test_due_timers_are_fired_in_pages_without_a_pause() -> None:
    storage = Storage()
    await storage.relay(element(1, *(schedule(1, f"n{number}", version=number) for number in range(TIMERS_PAGE + 1))))

    await storage.step()
    assert len(storage.made) == TIMERS_PAGE
    assert storage.sweep.seen_ms == 0, "not all is done"
    await storage.step()
    await storage.step()

    assert sorted(storage.made) == list(range(TIMERS_PAGE + 1))
    assert storage.sweep.seen_ms == storage.now


async def test_a_timer_before_the_next_look_wakes_the_sweep_and_a_later_one_does_not() -> None:
    storage, woken = Storage(), list[int]()
    storage.sweep.on_earlier(lambda: woken.append(1))
    await storage.relay(element(1, schedule(storage.now + 400)))
    await storage.step()

    await storage.relay(element(2, schedule(storage.now + 400, "b")), element(3, cancel("c")))
    assert woken == []
    await storage.relay(element(4, schedule(storage.now + 399, "d")))
    assert woken == [1]


async def test_one_set_while_the_sweep_looks_wakes_it_again() -> None:
    storage, woken = Storage(), list[int]()
    storage.sweep.on_earlier(lambda: woken.append(1))
    look = storage.timers.due

    async def slow(now_ms: int, limit: int) -> Any:
        page = await look(now_ms, limit)
        await storage.relay(element(1, schedule(storage.now + 10)))
        return page

    storage.timers.due = slow  # type: ignore[method-assign]
    await storage.step()

    assert woken == [1]


async def test_the_record_of_a_timer_stays_until_the_timer_is_marked() -> None:
    storage = Storage()
    storage.timers.deaths = 1
    await storage.relay(element(1, schedule(storage.now, version=1)))
    with pytest.raises(CausewayError):
        await storage.step()
    (name,) = storage.database.records
    await storage.records.claim(ClaimRequest(id=name, node="n", lease_ms=1), storage.now, "auctions")
    await storage.records.settle(SettleRequest(id=name, attempt=1, outcome="done"), storage.now, "auctions")
    storage.now += 100 * ID_LIFETIME_MS
    entities, logs = MemoryEntities(storage.database), MemoryLogs(storage.database, str, lambda _: None)
    outboxes = OutboxSweep(entities, lambda _: None, storage.clock, patience_ms=1)
    retention = Retention(
        logs,
        entities,
        storage.records,
        outboxes,
        storage.clock,
        timers=storage.sweep,
        audit=MemoryAuditLog(storage.database),
        interval_ms=1,
        keep_done_ms=1,
        keep_audit_ms=1,
    )

    await retention.step()
    assert list(storage.database.records) == [name]
    await storage.step()
    await storage.step()
    await retention.step()
    assert storage.made == []
    assert storage.database.timers, "it is forgotten when no outbox can bring its setting again"
    await outboxes.step()
    await retention.step()
    assert not storage.database.timers


ACTS = st.lists(st.one_of(st.integers(0, 9), st.sampled_from(["fire", "die", "forward", "back"])), max_size=40)


@given(settings=st.lists(st.one_of(st.none(), st.integers(1, 100)), min_size=1, max_size=10), acts=ACTS)
async def test_in_whatever_order_relays_and_sweeps_run_an_older_version_never_overwrites_and_each_fires_once(
    settings: list[int | None], acts: list[int | str]
) -> None:
    """A number of `acts` is a relay that puts this commit's setting (None: a cancellation), perhaps again and late."""
    storage, newest, fired = Storage(), 0, set[int]()
    start = storage.now
    elements = [
        element(version, cancel() if at is None else schedule(start + at, version=version))
        for version, at in enumerate(settings, 1)
    ]
    moves: dict[int | str, Callable[[], int]] = {"forward": lambda: storage.now + 37, "back": lambda: storage.now - 23}
    for act in [*acts, len(elements) - 1, "forward", "forward", "forward", *["forward"] * acts.count("back"), "fire"]:
        if isinstance(act, int) and act < len(elements):
            await storage.relay(elements[act])
            newest = max(newest, act + 1)
        elif act in moves:
            storage.now = moves[act]()
        elif act in {"fire", "die"}:
            at = settings[newest - 1] if newest else None
            if at is not None and start + at <= storage.now:
                fired.add(newest)
            storage.timers.deaths = int(act == "die")
            try:
                await storage.sweep.step()
            except CausewayError:
                assert act == "die"
    storage.timers.deaths = 0
    await storage.sweep.step()

    assert sorted(storage.made) == sorted(fired)
    assert len(storage.queue.delivered) == len(fired), "one delivery each, the sweep of records aside"
    assert settings[-1] is None or len(settings) in fired
