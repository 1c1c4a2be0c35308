"""Shards on a real nats-server: the owner is asked first, and whoever it is not is answered by any storage process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from causeway_common.bus import Bus, BusSettings, Call, Deadline, OwnedShards, ask_owner, connection, ensure_streams
from causeway_common.bus.nodes import Nodes
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.shards import SHARDS, channel_shard, shards_of
from causeway_common.runtime import Periodic, now_ms
from causeway_storage.handlers.ownership import BEAT_SECONDS, SILENT_MS, Ownership
from support.nats import NatsServer
from support.waiting import until

CHANNEL = "demo:a"
SHARD = channel_shard(CHANNEL)
REQUEST = m.AppendRequest(channel=CHANNEL, size=1, ttl_ms=1, items=[])


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def make_bus(nats: NatsServer) -> AsyncIterator[Callable[[str], Bus]]:
    made: list[Bus] = []

    def make(name: str) -> Bus:
        made.append(Bus(BusSettings(nats.url, "", "", name)))
        return made[-1]

    yield make
    for bus in made:
        await bus.stop()


class Storage:
    """A storage process as callers see it: it answers with its own name as the epoch."""

    def __init__(self, bus: Bus, name: str) -> None:
        self.bus, self.name = bus, name
        self.took: list[str] = []
        self.deaf = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.shards = OwnedShards(bus, {verbs.APPEND: partial(self.answer, "owner")}, limit=64)

    async def start(self) -> None:
        await self.bus.start()
        await self.bus.serve(verbs.APPEND, partial(self.answer, "any"), queue="storage", limit=64)
        await self.bus.flush()

    async def answer(self, by: str, _request: m.AppendRequest, call: Call) -> m.AppendReply:
        assert call.fields["caller"] == "gateway"
        self.took.append(f"{by} {call.message_id}")
        await self.gate.wait()
        if self.deaf and by == "owner":
            await asyncio.sleep(10)
        return m.AppendReply(epoch=f"{self.name} as {by}", offsets=[], repeats=[])


async def ask(bus: Bus, seconds: float = 4) -> str:
    request = Deadline.after(seconds)
    reply = await ask_owner(bus, verbs.APPEND, REQUEST, request, shard=SHARD, caller="gateway", message_id="c:1")
    return reply.epoch


async def caller_and(make_bus: Callable[[str], Bus], *names: str) -> tuple[Bus, list[Storage]]:
    client = make_bus("client")
    await client.start()
    storages = [Storage(make_bus(name), name) for name in names]
    for storage in storages:
        await storage.start()
    return client, storages


async def test_the_owner_is_asked_and_nobody_else(make_bus: Callable[[str], Bus]) -> None:
    client, (a, b) = await caller_and(make_bus, "a", "b")
    await b.shards.take(frozenset({SHARD}))

    assert {await ask(client) for _ in range(5)} == {"b as owner"}
    assert a.took == []


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody goes on to `any` because an answer takes long: a request that is not answered fails at its deadline."""
    monkeypatch.setattr(connection, "REPEAT_AFTER_SECONDS", 1000.0)


@pytest.mark.usefixtures("no_patience")
async def test_where_nobody_owns_the_shard_any_process_answers_and_nobody_waits_for_that(make_bus: Callable[[str], Bus]) -> None:
    client, _ = await caller_and(make_bus, "a")

    assert await ask(client) == "a as any"


async def test_an_owner_that_does_not_answer_is_passed_over_with_the_same_id(make_bus: Callable[[str], Bus]) -> None:
    client, (a,) = await caller_and(make_bus, "a")
    await a.shards.take(frozenset({SHARD}))
    a.deaf = True

    assert await ask(client) == "a as any"
    assert a.took == ["owner c:1", "any c:1"]


async def test_without_any_process_the_error_is_temporary_and_comes_at_once(make_bus: Callable[[str], Bus]) -> None:
    client, _ = await caller_and(make_bus)

    with pytest.raises(CausewayError, match="nobody answers") as raised:
        await ask(client)
    assert raised.value.temporary


async def test_two_owners_at_once_do_not_disturb(make_bus: Callable[[str], Bus]) -> None:
    client, storages = await caller_and(make_bus, "a", "b")
    for storage in storages:
        await storage.shards.take(frozenset({SHARD}))
    storages[0].deaf = True

    assert await ask(client) == "b as owner", "the one that sleeps does not keep the request from the one that lives"


async def test_what_was_sent_to_an_owner_before_it_gave_the_shard_away_is_answered_by_it(make_bus: Callable[[str], Bus]) -> None:
    client, (a, b) = await caller_and(make_bus, "a", "b")
    await a.shards.take(frozenset({SHARD}))
    a.gate.clear()
    asked = asyncio.ensure_future(ask(client))
    await until(lambda: a.took != [])
    await b.shards.take(frozenset({SHARD}))
    await a.shards.release(frozenset({SHARD}))
    a.gate.set()

    assert await asked == "a as owner"
    assert await ask(client) == "b as owner"


@pytest.mark.usefixtures("no_patience")
async def test_no_request_is_dropped_while_shards_come_and_go(make_bus: Callable[[str], Bus]) -> None:
    client, (a,) = await caller_and(make_bus, "a")
    moving = True

    async def asking() -> int:
        count = 0
        while moving:
            await ask(client, seconds=10)
            count += 1
        return count

    callers = [asyncio.ensure_future(asking()) for _ in range(64)]
    for _ in range(200):
        await a.shards.take(frozenset({SHARD}))
        await a.shards.release(frozenset({SHARD}))
    moving = False

    assert sum(await asyncio.gather(*callers)) > 200
    assert {took.split()[0] for took in a.took} == {"owner", "any"}


class Living:
    """One member of the real thing: heartbeats in the bucket and ownership over them."""

    def __init__(self, bus: Bus, name: str) -> None:
        self.storage = Storage(bus, name)
        self.nodes = Nodes(
            bus, service="storage", node=name, version="1", clock=lambda: int(monotonic() * 1000), wall=now_ms, beat_s=BEAT_SECONDS
        )
        living = partial(self.nodes.living, "storage", within_ms=SILENT_MS)
        self.ownership = Ownership(self.storage.shards, name, living)
        self.looking = Periodic("shards", self.ownership.step, after_failure_s=1)
        self.nodes.on_change(self.looking.wake)

    async def start(self) -> None:
        await self.storage.start()
        await self.nodes.begin()
        await self.looking.start()

    async def leave(self) -> None:
        await self.looking.stop()
        await self.nodes.stop()
        await self.ownership.leave()
        await self.storage.bus.stop_serving()

    async def die(self) -> None:
        """Without a word."""
        await self.storage.bus.stop()

    @property
    def held(self) -> frozenset[int]:
        return self.storage.shards.held


async def test_shards_are_handed_over_on_join_leave_and_death(make_bus: Callable[[str], Bus]) -> None:
    """Within two heartbeats by construction (`test_ownership.py`); here it is waited for as long as a busy machine needs."""
    every = frozenset(range(SHARDS))
    members = [Living(make_bus(name), name) for name in ("a", "b", "c")]
    a, b, c = members
    names = {"a", "b", "c"}
    await a.start()
    await ensure_streams(a.storage.bus, Deadline.after(4))
    await until(lambda: a.held == every)
    await b.start()
    await until(lambda: (a.held, b.held) == (shards_of("a", {"a", "b"}), shards_of("b", {"a", "b"})))
    await c.start()
    await until(lambda: all(each.held == shards_of(each.storage.name, names) for each in members))

    await b.leave()
    await until(lambda: (a.held, c.held) == (shards_of("a", {"a", "c"}), shards_of("c", {"a", "c"})))
    await c.die()
    await until(lambda: a.held == every)

    await a.leave()
