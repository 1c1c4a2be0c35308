"""Liveness and routing over a real nats-server: who is silent, who left, whom a gateway asks when somebody does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from causeway_common.bus import Announcement, AppsDirectory, Bus, BusSettings, Call, Deadline, ensure_streams
from causeway_common.bus.apps import OUTLIVED_KEPT
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs as v
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.subjects import encode_token
from causeway_common.runtime import now_ms
from causeway_common.telemetry import span
from causeway_gateway.adapters.apps import BusApps, BusRoutes
from causeway_gateway.domain.calls import CallCounts
from causeway_gateway.domain.routing import Routing
from causeway_gateway.ports import NobodyError
from support.nats import NatsServer
from support.waiting import until

SILENT_MS = 1_200
Connect = Callable[[str], Awaitable[Bus]]
REQUEST = m.RpcRequest(user="ann", client="c", data=b"1")


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def connect(nats: NatsServer) -> AsyncIterator[Connect]:
    made: list[Bus] = []

    async def make(name: str) -> Bus:
        made.append(Bus(BusSettings(nats.url, "", "", name)))
        await made[-1].start()
        return made[-1]

    first = await make("streams")
    await ensure_streams(first, Deadline.after(5))
    yield make
    for bus in made:
        await bus.stop()


def manifest(version: str, *methods: str, app: str = "chat", namespaces: tuple[str, ...] = ()) -> m.Manifest:
    return m.Manifest(
        app=app,
        version=version,
        methods=[m.MethodSpec(name=name) for name in methods or ("send",)],
        namespaces=[m.NamespaceSpec(name=name) for name in namespaces],
    )


async def directory_of(bus: Bus, silent_ms: int = SILENT_MS) -> AppsDirectory:
    directory = AppsDirectory(bus, silent_ms=silent_ms)
    await directory.start()
    await until(lambda: directory.ready)
    return directory


class Instance:
    """Announces itself every 0.2 s, until it is told to stop."""

    def __init__(self, bus: Bus, directory: AppsDirectory, manifest: m.Manifest, name: str) -> None:
        self.word = Announcement(bus, directory, manifest, name, now_ms)
        self._task = asyncio.ensure_future(self._go_on())

    async def _go_on(self) -> None:
        while True:
            try:
                await self.word.give(Deadline.after(1))
            except CausewayError:
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(0.2)

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def lives(directory: AppsDirectory) -> list[tuple[str, int]]:
    return [(each.version, each.instances) for each in directory.living.get("chat", ())]


async def test_who_falls_silent_has_died_and_an_outage_of_nats_kills_nobody(nats: NatsServer, connect: Connect) -> None:
    bus = await connect("logic")
    own = await connect("gateway")
    known, directory = await directory_of(bus), await directory_of(own)
    deaths: list[list[tuple[str, int]]] = []
    one, two = (Instance(bus, known, manifest(version), version) for version in ("1.0.0", "2.0.0"))
    await until(lambda: lives(directory) == [("2.0.0", 1), ("1.0.0", 1)])
    directory.on_change(lambda: deaths.append(lives(directory)))

    nats.kill()
    await asyncio.sleep(2 * SILENT_MS / 1000)
    await nats.start()
    await until(lambda: own.connected and bus.connected)
    await asyncio.sleep(2 * SILENT_MS / 1000)
    assert deaths == []

    await two.die()
    await until(lambda: lives(directory) == [("1.0.0", 1)])
    later = await directory_of(own)
    assert lives(later) == [("2.0.0", 1), ("1.0.0", 1)]  # as far as it can know yet
    await until(lambda: lives(later) == [("1.0.0", 1)])
    await one.die()
    for each in (known, directory, later):
        await each.stop()


async def test_who_leaves_says_so_and_who_stays_is_heard_of_at_once(connect: Connect) -> None:
    bus = await connect("logic")
    directory = await directory_of(bus, 60_000)
    words = [Announcement(bus, directory, manifest("1.0.0"), name, now_ms) for name in "ab"]
    told: list[str] = []
    words[1].on_peer_left(lambda: told.append("a left"))
    for word in words:
        await word.give(Deadline.after(2))
    await until(lambda: lives(directory) == [("1.0.0", 2)])
    await words[0].leave()
    await until(lambda: lives(directory) == [("1.0.0", 1)])
    assert told == ["a left"]
    newcomer = await directory_of(bus, 60_000)
    assert lives(newcomer) == []  # its last word in the bucket is a farewell…
    await words[1].give(Deadline.after(2))  # …for as long as it takes the other one to speak
    await until(lambda: lives(newcomer) == [("1.0.0", 1)])
    await words[1].leave()
    await until(lambda: lives(directory) == [])
    assert [method.name for method in directory.manifests["chat"].methods] == ["send"]
    for each in (directory, newcomer):
        await each.stop()


async def test_a_namespace_is_free_once_no_living_version_of_its_app_has_it(connect: Connect) -> None:
    bus = await connect("logic")
    directory = await directory_of(bus, 60_000)
    old, new = (
        Announcement(bus, directory, manifest(version, namespaces=names), version, now_ms)
        for version, names in (("1.0.0", ("room",)), ("2.0.0", ()))
    )
    other = Announcement(bus, directory, manifest("1.0.0", app="other", namespaces=("room",)), "o", now_ms)
    for word in (old, new):
        await word.give(Deadline.after(2))
    await until(lambda: len(lives(directory)) == 2)
    with pytest.raises(CausewayError, match="belongs to the app 'chat'"):
        await other.give(Deadline.after(2))

    await old.leave()
    await until(lambda: lives(directory) == [("2.0.0", 1)])
    await other.give(Deadline.after(2))
    await until(lambda: directory.namespaces.get("room", ("",))[0] == "other")
    await directory.stop()


async def test_manifests_of_versions_long_gone_are_taken_out(connect: Connect) -> None:
    bus = await connect("logic")
    directory = await directory_of(bus, 60_000)
    for number in range(OUTLIVED_KEPT + 3):
        word = Announcement(bus, directory, manifest(f"1.{number}.0"), str(number), now_ms)
        await word.give(Deadline.after(2))
        await word.leave()
        await until(lambda: lives(directory) == [] and "chat" in directory.manifests)
    last = Announcement(bus, directory, manifest("2.0.0"), "last", now_ms)
    await last.give(Deadline.after(2))
    await last.give(Deadline.after(2))
    await until(lambda: len(directory.versions("chat")) == OUTLIVED_KEPT + 1)

    assert [each.version for each in directory.versions("chat")][:2] == ["2.0.0", "1.10.0"]
    later = await directory_of(bus, 60_000)
    assert len(later.versions("chat")) == OUTLIVED_KEPT + 1
    for each in (directory, later):
        await each.stop()


async def serve(bus: Bus, version: str) -> None:
    """Answers `send` with its version; one without a version as a release that knows of none."""

    async def answer(_request: m.RpcRequest, _call: Call) -> m.RpcReply:
        return m.RpcReply(data=version.encode() or b"plain")

    if version:
        token = encode_token(version)
        await bus.serve(v.RPC_VERSION, answer, queue=version, limit=8, app="chat", method="send", version=token)
    else:
        await bus.serve(v.RPC, answer, queue="chat", limit=8, app="chat", method="send")
    await bus.flush()


async def answers(apps: BusApps) -> tuple[str, str]:
    """As the server API and as a client calls."""
    done: asyncio.Future[m.RpcReply | CausewayError] = asyncio.get_running_loop().create_future()
    apps.begin_call("chat", "send", REQUEST, Deadline.after(2), done=done.set_result, parent=span("test", parent=None))
    try:
        told = (await apps.call("chat", "send", REQUEST, Deadline.after(2))).decode()
    except NobodyError:
        told = "nobody"
    begun = await done
    return told, "nobody" if isinstance(begun, NobodyError) else begun.data.decode() if isinstance(begun, m.RpcReply) else str(
        begun
    )


async def test_the_next_version_is_asked_where_nobody_answers_for_the_first(connect: Connect) -> None:
    """A gateway hears late that an instance went; that costs a round trip and no call. Also of a release without versions."""
    bus = await connect("gateway")
    logic = await connect("logic")
    directory, routing = await directory_of(bus, 60_000), Routing()
    apps = BusApps(bus, routing, CallCounts())
    directory.on_change(lambda: routing.update(directory.living))
    for version in ("1.0.0", "2.0.0"):
        await Announcement(logic, directory, manifest(version), version, now_ms).give(Deadline.after(2))
    await until(lambda: len(lives(directory)) == 2)

    assert await answers(apps) == ("nobody", "nobody")
    await serve(logic, "")
    assert await answers(apps) == ("plain", "plain")
    await serve(logic, "1.0.0")
    assert await answers(apps) == ("1.0.0", "1.0.0")
    await serve(logic, "2.0.0")
    assert await answers(apps) == ("2.0.0", "2.0.0")
    await directory.stop()


async def test_a_hook_that_nobody_is_there_for_is_told_as_such(connect: Connect) -> None:
    bus = await connect("gateway")
    apps = BusApps(bus, Routing(), CallCounts())
    with pytest.raises(NobodyError) as raised:
        await apps.may_subscribe("chat", m.SubscribeHookRequest(user="ann", client="c", channel="chat:1"), Deadline.after(2))

    assert raised.value.name is ErrorName.UNAVAILABLE


async def test_routes_are_followed_live_and_kept_for_gateways_that_come_later(connect: Connect) -> None:
    bus = await connect("gateway")
    first, second = Routing(), Routing()
    routes, later = BusRoutes(bus, first), BusRoutes(bus, second)
    await routes.start()
    bid = m.Route(app="chat", method="send", version="2.0.0", share_permille=50)
    app = m.Route(app="chat", method="", version="2.0.0", share_permille=1000)
    for route in (bid, app):
        await routes.set(route, Deadline.after(2))
    await until(lambda: first.routes == [app, bid])
    await routes.remove("chat", "", Deadline.after(2))
    await until(lambda: first.routes == [bid])
    await later.start()
    assert second.routes == [bid]
    for each in (routes, later):
        await each.stop()
