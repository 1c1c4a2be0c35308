"""What storage does with attendances on its own: relay, clearing, and who may ask; over stand-ins for store and bus."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import Attend, AttendRequest, ClientInfo, FeedMembership, JsonMap, LifecycleEvent
from causeway_storage.domain.attendance import Change, holders_of, idle_since_ms, plan_change, plan_clear, sendings_of, sent
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.attendance import (
    AGAIN_MS,
    CLEAR_PAGE,
    FORGET_EVERY,
    RELAY_PAGE,
    AttendanceHandlers,
    AttendanceRelay,
    Clearing,
)
from causeway_storage.ports import AttendancePage, Holder, PendingAttendance
from unit.storage.test_access import KnownApps

INFO = ClientInfo(user="ann", client="c")


class Played:
    """`ports.Attendances`, `Events`, `Leaves` and `Liveness` in memory. `failing` names the keys' users whose events fail."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.documents: dict[str, JsonMap] = {}
        self.known: dict[str, Holder] = {}
        self.dead: set[str] = set()
        self.failing: set[str] = set()
        self.told: list[LifecycleEvent | FeedMembership] = []
        self.flushed = 0
        self.woken = 0
        self.cleared: list[str] = []
        self.forgotten_before = 0

    def clock(self) -> int:
        return self.now

    def wake(self) -> None:
        self.woken += 1

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        if (holder not in self.known and first != 1) or self.known.get(holder, Holder(holder)).cleared_ms is not None:
            return False
        self.known[holder] = Holder(holder, leave_at_ms)
        for change in changes:
            planned = plan_change(self.documents.get(change.key), holder, change, now_ms)
            if planned is not None:
                self.documents[change.key] = planned
        return True

    async def holders(self) -> list[Holder]:
        return list(self.known.values())

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        self.cleared.append(holder)
        self.known[holder] = Holder(holder, None, now_ms)
        held = [key for key, document in self.documents.items() if holder in holders_of(document)][:limit]
        for key in held:
            planned = plan_clear(self.documents[key], holder, now_ms)
            assert planned is not None
            self.documents[key] = planned
        return len(held)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        waiting = sorted(key for key, each in self.documents.items() if each["outbox"] and key > cursor)[:limit]
        found = tuple(PendingAttendance(key, sendings_of(self.documents[key])) for key in waiting)
        return AttendancePage(found, waiting[-1] if len(waiting) == limit else "")

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        assert not any(isinstance(each, FeedMembership) for each in self.told) or self.flushed, (
            "nothing is taken out before it left"
        )
        for key, ids in done.items():
            self.documents[key] = sent(self.documents[key], ids, now_ms)

    async def forget(self, before_ms: int, limit: int) -> int:
        self.forgotten_before = before_ms
        return min(limit, sum(idle_since_ms(each) is not None for each in self.documents.values()))

    def silent(self, node: str) -> bool:
        return node in self.dead

    async def tell(self, event: LifecycleEvent) -> None:
        await asyncio.sleep(0)
        if event.user in self.failing:
            raise unavailable("JetStream is away")
        self.told.append(event)

    async def flush(self) -> None:
        self.flushed += 1


class Members:
    """`ports.Leaves`."""

    def __init__(self, played: Played) -> None:
        self._played = played

    def tell(self, membership: FeedMembership) -> None:
        self._played.told.append(membership)

    async def flush(self) -> None:
        self._played.flushed += 1


def user(name: str, number: int, *, held: bool = True) -> Change:
    return Change(name, number, Attend(scope="user", held=held, user=name))


def relay(played: Played) -> AttendanceRelay:
    return AttendanceRelay(played, played, Members(played), played.clock, patience_ms=2000)


def clearing(played: Played) -> Clearing:
    return Clearing(played, played, played.clock, played.wake, interval_ms=500)


def types(played: Played) -> list[str]:
    return [each.type for each in played.told if isinstance(each, LifecycleEvent)]


async def test_a_key_s_events_leave_in_order_and_are_taken_out() -> None:
    played = Played()
    await played.attend("n.1", 1, [user("ann", 1), user("ann", 2, held=False), user("ann", 3)], 5)

    assert await relay(played).step() == 2
    assert types(played) == ["connected", "disconnected", "connected"]
    assert await played.pending(10, "", 10) == AttendancePage((), "")


async def test_a_key_whose_event_fails_waits_whole_and_the_others_leave() -> None:
    played = Played()
    await played.attend("n.1", 1, [user("ann", 1), user("ann", 2, held=False), user("bob", 3)], 5)
    played.failing = {"ann"}
    with pytest.raises(CausewayError):
        await relay(played).step()
    assert [each.user for each in played.told if isinstance(each, LifecycleEvent)] == ["bob"]

    played.failing = set()
    await relay(played).step()
    assert types(played) == ["connected", "connected", "disconnected"]


async def test_the_relay_walks_all_pages_also_past_keys_that_fail() -> None:
    played = Played()
    await played.attend("n.1", 1, [user(f"u{number:04}", number + 1) for number in range(RELAY_PAGE + 1)], 5)
    played.failing = {"u0000"}
    with pytest.raises(CausewayError):
        await relay(played).step()

    assert len(played.told) == RELAY_PAGE


async def test_leaves_are_with_the_bus_before_they_are_taken_out() -> None:
    played = Played()
    held = Attend(scope="member", held=True, channel="chat:1", client="c", info=INFO)
    await played.attend("n.1", 1, [Change("m", 1, held)], 5)
    await played.clear("n.1", 6, 10)
    await relay(played).step()

    (leave,) = played.told
    assert isinstance(leave, FeedMembership)
    assert (leave.channel, leave.joined, leave.info) == ("chat:1", False, INFO)
    assert leave.id


async def test_a_silent_gateway_is_cleared_to_its_last_page_and_a_living_one_is_not() -> None:
    played = Played()
    await played.attend("dead.1", 1, [user(f"u{number}", number + 1) for number in range(CLEAR_PAGE + 1)], 5)
    await played.attend("living.1", 1, [user("ann", 1)], 5)
    played.dead = {"dead"}
    assert await clearing(played).step() == 0.5

    assert set(played.cleared) == {"dead.1"}
    assert played.woken == 2
    assert [key for key, each in played.documents.items() if holders_of(each)] == ["ann"]


async def test_a_gateway_that_left_in_good_order_is_cleared_at_its_time() -> None:
    played = Played()
    await played.attend("n.1", 1, [user("ann", 1)], 5, played.now + 3000)
    await clearing(played).step()
    assert played.cleared == []

    played.now += 3000
    await clearing(played).step()
    assert played.cleared == ["n.1"]


async def test_a_cleared_gateway_is_looked_at_again_for_what_was_under_way_and_then_no_more() -> None:
    played = Played()
    await played.attend("n.1", 1, [user("ann", 1)], 5)
    played.dead = {"n"}
    steps = clearing(played)
    await steps.step()
    played.documents["bob"] = plan_change(None, "n.1", user("bob", 2), played.now) or {}
    await steps.step()
    assert not holders_of(played.documents["bob"])

    played.now += AGAIN_MS
    await steps.step()
    played.cleared.clear()
    await steps.step()
    assert played.cleared == []

    await clearing(played).step()
    assert played.cleared == ["n.1"], "another process looks for itself, once"


async def test_what_nobody_held_for_long_is_forgotten_now_and_then() -> None:
    played = Played()
    steps = clearing(played)
    for _ in range(FORGET_EVERY):
        assert played.forgotten_before == 0
        await steps.step()

    assert played.forgotten_before == played.now - ID_LIFETIME_MS


async def test_a_clearing_that_a_dead_process_began_long_ago_is_carried_on() -> None:
    played = Played()
    await played.attend("n.1", 1, [user("ann", 1)], 5)
    played.known["n.1"] = Holder("n.1", None, played.now - 10 * AGAIN_MS)
    await clearing(played).step()

    assert not holders_of(played.documents["ann"])


def call(caller: str) -> Call:
    return Call({"caller": caller, "verb": "attend"}, "", Deadline.after(4))


async def test_only_the_gateway_says_who_is_there_and_a_cleared_one_is_told() -> None:
    played = Played()
    handlers = AttendanceHandlers(played, Access(KnownApps()), played.clock, played.wake)
    request = AttendRequest(node="n", life=1, first=1, changes=[Attend(scope="user", held=True, user="ann")])
    with pytest.raises(CausewayError, match="only gateway"):
        await handlers.attend(request, call("chat"))
    assert not (await handlers.attend(request, call("gateway"))).cleared
    assert played.woken == 1
    await handlers.attend(AttendRequest(node="n", life=1, first=2, leave_ms=3000), call("gateway"))
    assert played.known["n.1"].leave_at_ms == played.now + 3000
    assert played.woken == 1, "there is nothing to relay"

    await played.clear("n.1", 6, 10)
    assert (await handlers.attend(request, call("gateway"))).cleared
