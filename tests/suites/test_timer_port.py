"""Timers and audit records, on every adapter."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.messages import CancelItem, JsonMap, ScheduleItem
from causeway_storage.domain.entity import TIMERS_MAX, Commit, EntityKey
from causeway_storage.domain.relay import plan_relay
from causeway_storage.domain.stored import Operation, Timer
from causeway_storage.ports import TimerPage
from support.models import Machine, World, checked, opened_worlds
from support.stores import Store


def timer(name: str, version: int, at: int, *, entity: str = "1", now: int = 0) -> Timer:
    return Timer(
        app="chat",
        kind="room",
        entity=entity,
        name=name,
        version=version,
        set_ms=now,
        at_ms=at,
        payload={"$set": {"a.b": version}},
        traceparent="trace",
    )


async def test_timers_are_due_longest_first_with_the_time_of_the_next(store: Store) -> None:
    a, b, c = timer("a", 1, 10), timer("b", 1, 20), timer("c", 1, 30)
    await store.timers.put([c, a, b])

    assert await store.timers.due(20, 10) == TimerPage((a, b), 30)
    assert await store.timers.due(20, 1) == TimerPage((a,), 20)
    assert await store.timers.due(9, 10) == TimerPage((), 10)


async def test_a_timer_moves_and_is_cancelled_with_a_later_version_and_never_with_an_older_one(store: Store) -> None:
    await store.timers.put([timer("a", 2, 10)])
    await store.timers.put([timer("a", 1, 5), timer("a", 2, 6)])
    assert await store.timers.due(99, 10) == TimerPage((timer("a", 2, 10),), None)
    await store.timers.put([timer("a", 3, 50)])
    assert await store.timers.due(49, 10) == TimerPage((), 50)
    await store.timers.put([timer("a", 5, 0)])
    await store.timers.put([timer("a", 4, 60)])

    assert await store.timers.due(99, 10) == TimerPage((), None)


async def test_a_timer_that_fired_is_not_set_again_by_an_older_version(store: Store) -> None:
    await store.timers.put([timer("a", 2, 10)])
    (due,) = (await store.timers.due(10, 10)).timers
    await store.timers.fired([due])
    await store.timers.put([timer("a", 1, 20), timer("a", 2, 20)])
    assert await store.timers.due(99, 10) == TimerPage((), None)

    await store.timers.put([timer("a", 3, 30)])
    await store.timers.fired([due])

    assert [each.version for each in (await store.timers.due(99, 10)).timers] == [3], "an older firing ends nothing newer"


async def test_in_whichever_order_versions_come_the_newest_stands(store: Store) -> None:
    await asyncio.gather(*(store.timers.put([timer("a", version, version)]) for version in (3, 1, 5, 2, 4)))

    assert await store.timers.due(99, 10) == TimerPage((timer("a", 5, 5),), None)


async def test_keys_tell_app_kind_entity_and_name_apart(store: Store) -> None:
    timers = [timer("a", 1, 10), timer("a:1", 1, 10), timer("1", 1, 10, entity="a"), timer("", 1, 10, entity="a:1")]
    await store.timers.put(timers)

    assert len((await store.timers.due(10, 10)).timers) == 4


async def test_timers_that_are_over_are_forgotten_by_age(store: Store) -> None:
    await store.timers.put([timer("a", 1, 0, now=5), timer("b", 1, 0, now=6), timer("c", 1, 9, now=1)])

    assert await store.timers.forget(6, 10) == 1
    await store.timers.put([timer("a", 1, 7), timer("b", 1, 8)])
    assert [each.name for each in (await store.timers.due(99, 10)).timers] == ["a", "c"]


def operation(number: int) -> Operation:
    return Operation(
        id=f"{number:016d}-x", at_ms=number, caller="api", name="publish", target="demo:$a.b", outcome="ok", detail={"$n": number}
    )


async def test_audit_records_are_paged_from_the_newest_and_removed_by_age(store: Store) -> None:
    await store.audit.record([operation(number) for number in range(1, 6)])
    await store.audit.record([operation(6), operation(5)])

    first = await store.audit.page("", 4)
    assert first == [operation(6), operation(5), operation(4), operation(3)]
    assert await store.audit.page(first[-1].id, 4) == [operation(2), operation(1)]
    assert await store.audit.remove(4, 2) == 2
    assert await store.audit.remove(4, 10) == 1
    assert await store.audit.page("", 10) == [operation(6), operation(5), operation(4)]


class TimersAgainstAModel(Machine):
    """Timers that are set, moved, cancelled, fire, in any order of versions."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: dict[str, Timer] = {}

    @rule(
        which=st.integers(0, 1),
        name=st.sampled_from("ab"),
        version=st.integers(1, 9),
        delay=st.one_of(st.none(), st.integers(1, 30)),
    )
    def put(self, which: int, name: str, version: int, delay: int | None) -> None:
        made = timer(name, version, 0 if delay is None else self.now + delay, entity=self.prefix, now=self.now)
        self.run(self.store(which).timers.put([made]))
        there = self.timers.get(name)
        if there is None or there.version < version:
            self.timers[name] = made

    @rule(which=st.integers(0, 1), elapsed=st.integers(0, 20), fire=st.booleans())
    def due(self, which: int, elapsed: int, fire: bool) -> None:
        self.now += elapsed
        page = self.run(self.store(which).timers.due(self.now, 1000))
        found = [each for each in page.timers if each.entity == self.prefix]
        waiting = sorted((each for each in self.timers.values() if each.at_ms), key=lambda each: (each.at_ms, each.key))
        assert found == [each for each in waiting if each.at_ms <= self.now]
        if fire:
            self.run(self.store(which).timers.fired(found))
            for each in found:
                self.timers[each.name] = timer(each.name, each.version, 0, entity=self.prefix, now=each.set_ms)


world = opened_worlds()


@pytest.mark.timeout(120)
def test_timers_behave_as_their_model(world: World) -> None:
    checked(world, TimersAgainstAModel)


# --- timers of an entity that is deleted --------------------------------------------------------------------------------


def setting(name: str) -> JsonMap:
    return encode_item(ScheduleItem(name=name, at_ms=1000, task="close", payload={}))


def cancelling(name: str) -> JsonMap:
    return encode_item(CancelItem(name=name))


def change(expected: int, *items: JsonMap, delete: bool = False) -> Commit:
    return Commit(expected, f"c{expected}{delete}", {}, 1, items, len(items), "ann", "t", 5, {}, delete)


async def relayed(store: Store, key: EntityKey) -> None:
    work = plan_relay(key, await store.entities.outbox(key))
    await store.timers.put(work.timers)
    await store.entities.clear(key, frozenset(work.elements))


async def test_a_deletion_cancels_the_timers_that_the_entity_has_set(store: Store) -> None:
    key = EntityKey("auctions", "lot", "7")
    await store.entities.commit(key, change(0, setting("a"), setting("b")))
    await store.entities.commit(key, change(1, cancelling("a"), setting("c")))
    await relayed(store, key)
    assert [each.name for each in (await store.timers.due(1000, 10)).timers] == ["b", "c"]

    await store.entities.commit(key, change(2, setting("d"), delete=True))
    await relayed(store, key)

    assert await store.timers.due(1000, 10) == TimerPage((), None)


async def test_one_made_anew_has_no_timer_of_before_and_may_set_the_same_again(store: Store) -> None:
    key = EntityKey("auctions", "lot", "7")
    await store.entities.commit(key, change(0, setting("a")))
    await store.entities.commit(key, change(1, delete=True))
    made = change(0, setting("a"))
    await store.entities.commit(key, Commit(**{n: getattr(made, n) for n in made.__slots__} | {"id": "again"}))
    await relayed(store, key)

    assert [(each.name, each.version) for each in (await store.timers.due(1000, 10)).timers] == [("a", 3)]


async def test_an_entity_without_timers_is_deleted_without_an_outbox(store: Store) -> None:
    key = EntityKey("auctions", "lot", "7")
    await store.entities.commit(key, change(0, setting("a"), cancelling("a")))
    await relayed(store, key)
    await store.entities.commit(key, change(1, delete=True))

    assert await store.entities.outbox(key) == ()


async def test_the_names_that_an_entity_knows_are_bounded_to_those_set_last(store: Store) -> None:
    key = EntityKey("auctions", "lot", "7")
    for version in range(3):
        names = [f"{number + version * 100:03}" for number in range(100)]
        await store.entities.commit(key, change(version, *map(setting, names)))
        await relayed(store, key)
    await store.entities.commit(key, change(3, delete=True))
    await relayed(store, key)

    assert [each.name for each in (await store.timers.due(1000, 300)).timers] == [
        f"{number:03}" for number in range(300 - TIMERS_MAX)
    ]


async def test_the_timers_that_wait_are_paged_the_soonest_first_and_those_that_fired_are_none(store: Store) -> None:
    made = [timer("a", 1, 20), timer("b", 1, 10), timer("c", 1, 20), timer("d", 1, 5), timer("e", 1, 0)]
    await store.timers.put(made)
    await store.timers.fired([made[3]])
    b, a, c = made[1], made[0], made[2]

    assert await store.timers.waiting((0, ""), 10) == [b, a, c]
    assert await store.timers.waiting((0, ""), 2) == [b, a]
    assert await store.timers.waiting((20, a.key), 2) == [c]
    assert await store.timers.waiting((20, c.key), 2) == []
