"""The channels of a gateway, with a clock of the test's own: joining, leaving, repairing, comparing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClientInfo, FeedPublication, NamespaceSpec
from causeway_gateway.adapters.clock import TaskGroup
from causeway_gateway.domain.frames.codecs import JSON_HTTP_STREAM
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.domain.wheel import Entry, Wheel
from causeway_gateway.handlers.channel import Channel
from causeway_gateway.handlers.feeds import (
    COMPARE_EVERY_MS,
    COMPARE_FIRST_MS,
    COMPARE_RETRY_MS,
    GRACE_MS,
    HEADS_MAX,
    Feeds,
)
from support.waiting import until
from unit.gateway.fakes import FakeBus


class Clock:
    """Timers that a test moves."""

    def __init__(self) -> None:
        self._now = 0
        self._wheel = Wheel(1, 0)

    def now(self) -> int:
        return self._now

    def wall(self) -> int:
        return self._now

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        return self._wheel.at(when, callback)

    async def pass_by(self, milliseconds: int) -> None:
        """Let time pass, and everything that it starts run to where it waits."""
        self._now += milliseconds
        for callback in self._wheel.advance(self._now):
            callback()
        for _ in range(20):
            await asyncio.sleep(0)


LOGGED = NamespaceSpec(name="a", history_size=100, history_ttl_ms=60_000)
OPEN = NamespaceSpec(name="open")


class Member:
    codec = JSON_HTTP_STREAM
    backlog = 0

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self.frames: list[bytes] = []
        self.latest: dict[tuple[str, str], bytes] = {}
        self.told: list[UnsubscribeCode] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def send_latest(self, key: tuple[str, str], frame: bytes) -> None:
        self.latest[key] = frame

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        self.told.append(code)
        self._feeds.leave(channel, self)


class World:
    def __init__(self) -> None:
        self.bus, self.clock, self.tasks = FakeBus(), Clock(), TaskGroup()
        self.owner: str | None = ""
        self.feeds = Feeds(self.bus, self.bus, self.clock, self.tasks, lambda _: self.owner)

    async def enter(self, name: str, *, logged: bool = True) -> Channel:
        return await self.feeds.enter(name, LOGGED if logged else OPEN, Deadline.after(1))

    async def watch(self, name: str, *, logged: bool = True) -> Member:
        member = Member(self.feeds)
        channel = await self.enter(name, logged=logged)
        subscription = Subscription(ClientInfo(user="ann", client="c1"))
        subscription.next_offset = channel.feed.position + 1 if channel.feed else 0
        self.feeds.join(name, member, subscription)
        self.feeds.release(channel)
        return member


async def test_one_encode_serves_every_subscriber() -> None:
    world = World()
    members = [await world.watch("a") for _ in range(3)]
    world.bus.put("a", b"1")

    assert {id(member.frames[0]) for member in members} == {id(members[0].frames[0])}


async def test_a_channel_is_left_after_a_grace_and_not_if_somebody_came_back() -> None:
    world = World()
    member = await world.watch("a")
    world.feeds.leave("a", member)
    await world.clock.pass_by(GRACE_MS - 1)
    again = await world.watch("a")
    await world.clock.pass_by(GRACE_MS)
    assert len(world.bus.listeners["a"]) == 1
    world.feeds.leave("a", again)
    await world.clock.pass_by(GRACE_MS)

    assert world.feeds.channels == 0
    await until(lambda: world.bus.listeners["a"] == [])


async def test_many_channels_joined_at_once_cost_few_reads() -> None:
    world = World()
    count = HEADS_MAX + 1

    await asyncio.gather(*(world.enter(f"a:{n}") for n in range(count)))

    assert world.bus.heads_reads <= 3


async def test_a_join_that_failed_is_tried_anew_by_the_next_who_comes() -> None:
    world = World()
    world.bus.away = True
    with pytest.raises(CausewayError, match="100"):
        await world.enter("a")
    world.bus.away = False

    channel = await world.enter("a")

    assert channel.feed is not None
    assert channel.feed.started
    assert len(world.bus.listeners["a"]) == 1


async def test_a_fault_of_ours_while_joining_is_told_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(world.bus, "flush", broken)
    with pytest.raises(CausewayError, match="internal"):
        await world.enter("a")


async def test_heads_are_compared_a_second_after_joining_and_every_forty_seconds() -> None:
    world = World()
    member = await world.watch("a")
    world.bus.lose = lambda _: True
    world.bus.put("a", b"1")
    await world.clock.pass_by(COMPARE_FIRST_MS)
    await world.clock.pass_by(50)
    assert len(member.frames) == 1
    world.bus.put("a", b"2")
    await world.clock.pass_by(COMPARE_EVERY_MS)
    await world.clock.pass_by(50)

    assert len(member.frames) == 2


async def test_while_storage_is_away_repairs_and_comparisons_are_tried_again() -> None:
    world = World()
    member = await world.watch("a")
    world.bus.lose = lambda message: message.offset == 1
    world.bus.put("a", b"1")
    world.bus.put("a", b"2")
    world.bus.away = True
    for _ in range(10):
        await world.clock.pass_by(COMPARE_RETRY_MS)
    assert member.frames == []
    world.bus.away = False
    await world.clock.pass_by(2 * COMPARE_RETRY_MS)

    assert len(member.frames) == 2
    assert member.told == []


async def test_a_reconnect_spreads_the_comparisons() -> None:
    world = World()
    for n in range(30):
        await world.watch(f"a:{n}")
    await world.clock.pass_by(COMPARE_FIRST_MS)
    before = world.bus.heads_reads
    world.feeds.compare_soon(3000)
    for _ in range(30):
        await world.clock.pass_by(100)

    assert world.bus.heads_reads - before > 10


async def test_messages_without_offset_go_straight_through() -> None:
    world = World()
    member = await world.watch("open", logged=False)
    await world.bus.publish("open", b"1", None, None)

    assert member.frames == [b'{"push":{"channel":"open","pub":{"data":1}}}\n']
    assert world.bus.heads_reads == 0


async def test_a_long_fan_out_holds_up_its_own_channel_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.handlers.fanout.SLICE", 1)
    world = World()
    crowd = [await world.watch("a") for _ in range(5)]
    alone = await world.watch("b")

    world.bus.put("a", b"1")
    world.bus.put("a", b"2")
    world.bus.put("b", b"1")
    assert [len(member.frames) for member in crowd] == [1, 0, 0, 0, 0]
    assert len(alone.frames) == 1

    await until(lambda: all(len(member.frames) == 2 for member in crowd))
    assert [member.told for member in crowd] == [[]] * 5
    assert b'"offset":1' in crowd[4].frames[0]


async def test_a_channel_without_history_is_heard_where_its_app_publishes() -> None:
    """Apps publish there themselves, and NATS lets each only under its own name."""
    world = World()
    world.owner = "chat"
    member = await world.watch("open:a", logged=False)
    world.bus.feed(FeedPublication(channel="open:a", data=b"1"))
    world.bus.feed(FeedPublication(channel="open:a", data=b"2"), "other")
    world.bus.feed(FeedPublication(channel="open:a", data=b"3"), "chat")

    assert [frame for frame in member.frames if b'"data":3' in frame] == member.frames
    assert len(member.frames) == 1


async def test_a_channel_follows_its_namespace_to_another_app_and_is_never_heard_twice() -> None:
    world = World()
    world.owner = "chat"
    member = await world.watch("open:a", logged=False)
    world.owner = "auctions"
    world.feeds.owners_changed()
    await until(lambda: not world.bus.listeners["chat>open:a"])
    world.bus.feed(FeedPublication(channel="open:a", data=b"1"), "chat")
    world.bus.feed(FeedPublication(channel="open:a", data=b"2"), "auctions")
    assert len(member.frames) == 1

    world.owner = None  # the namespace is gone: who watches goes on where it was
    world.feeds.owners_changed()
    await world.clock.pass_by(0)
    assert len(world.bus.listeners["auctions>open:a"]) == 1


async def test_a_namespace_that_moves_while_a_channel_is_joined_is_followed() -> None:
    world = World()
    world.owner = "chat"
    flush = world.bus.flush

    async def moving_flush() -> None:
        world.owner = "auctions"
        world.feeds.owners_changed()
        await flush()

    world.bus.flush = moving_flush  # type: ignore[method-assign]
    await world.watch("open:a", logged=False)
    await until(lambda: not world.bus.listeners["chat>open:a"])

    assert len(world.bus.listeners["auctions>open:a"]) == 1
