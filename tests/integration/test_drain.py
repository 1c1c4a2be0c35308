"""P7 for the gateway: two behind a plain balancer, each replaced in turn under load. Nobody loses anything, and no request fails.

How long each client heard nothing is printed below the summary and recorded, not asserted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cent import AsyncClient
from centrifuge import CentrifugeError, Client, ClientDisconnectedError, ConnectingContext
from centrifuge.handlers import ClientEventHandler

from chaos.checker import Entry, Histories, violations
from chaos.crowd import CONFIG, Publishers, Watcher, whole_log
from interop.driver import Driver, JsClient, running_driver
from support.balancer import balanced
from support.stack import Stack, running_stack
from support.waiting import until

CHANNEL = "soak:drain"
TRANSPORTS = [("websocket", False), ("websocket", True), ("http_stream", False), ("http_stream", True), ("sse", False)]
STREAMS = """
[http_stream]
enabled = true

[sse]
enabled = true
"""


class Caller(ClientEventHandler):
    """A client that calls an app, one call after the other, as an SDK's user does: what a disconnect cut short is asked again."""

    def __init__(self, client: Client) -> None:
        self.client = client
        client.events = self
        self.answered = self.cut_short = 0
        self.failures: list[str] = []
        self.sent_away: list[int] = []
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        if ctx.code:
            self.sent_away.append(ctx.code)

    async def start(self) -> None:
        await self.client.connect()
        await self.client.ready(10)
        room = (await self.client.rpc("chat.create_room", {"name": "drain"})).data["room"]
        self._task = asyncio.create_task(self._call(room))

    async def finish(self) -> None:
        self._stopping = True
        assert self._task is not None
        await self._task
        await self.client.disconnect()

    async def _call(self, room: str) -> None:
        while not self._stopping:
            try:
                await self.client.rpc("chat.history", {"room": room, "limit": 1})
                self.answered += 1
            except ClientDisconnectedError:
                self.cut_short += 1
            except CentrifugeError as error:
                self.failures.append(repr(error))


class TimedWatcher(Watcher):
    """A watcher that notes when each publication came."""

    def __init__(self, name: str, client: Client, channel: str) -> None:
        super().__init__(name, client, channel)
        self.times: list[float] = []

    async def on_publication(self, ctx: Any) -> None:
        self.times.append(time.monotonic())
        await super().on_publication(ctx)


def longest_ms(times: Iterable[float]) -> int:
    """The longest time without a publication, while they were published all the time."""
    return round(max(later - earlier for earlier, later in pairwise(times)) * 1e3)


def reordered(log: Iterable[Entry]) -> list[str]:
    """Publications that stand before one that the same publisher had sent, and been answered, earlier."""
    newest: dict[str, int] = {}
    found = []
    for _, key in log:
        publisher, _, number = key.rpartition("-")
        if int(number) <= newest.get(publisher, -1):
            found.append(key)
        newest[publisher] = int(number)
    return found


async def javascript(driver: Driver, stack: Stack, port: int) -> list[JsClient]:
    """A client of the JavaScript SDK on each transport, watching the channel."""
    clients = []
    for transport, protobuf in TRANSPORTS:
        client = driver.client(f"{transport}{' protobuf' if protobuf else ''}")
        path = f"127.0.0.1:{port}/connection/{transport}"
        where: dict[str, Any] = {"url": f"ws://{path}"}
        if transport != "websocket":
            where = {
                "transports": [{"transport": transport, "endpoint": f"http://{path}"}],
                "emulationEndpoint": f"http://127.0.0.1:{port}/emulation",
            }
        await client("connect", token=stack.token("js"), protobuf=protobuf, **where)
        await client.told("connected")
        await client("subscribe", channel=CHANNEL)
        await client.told("subscribed", channel=CHANNEL)
        clients.append(client)
    return clients


def received(client: JsClient) -> tuple[int, list[Entry]]:
    """Where a client of the JavaScript SDK began, and what came."""
    begun = client.events("subscribed", channel=CHANNEL)[0]["context"]
    publications = client.events("publication", channel=CHANNEL)
    keys = [data["key"] for data in client.datas(CHANNEL)]
    return begun["streamPosition"]["offset"], [
        (each["context"]["offset"], key) for each, key in zip(publications, keys, strict=True)
    ]


@pytest.mark.stack
@pytest.mark.timeout(150)
async def test_two_gateways_behind_a_balancer_are_replaced_under_load_and_nobody_loses_or_repeats_anything(
    tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    async with (
        running_stack(tmp_path, config=STREAMS + CONFIG) as stack,
        balanced(stack) as (balancer, gateways),
        running_driver() as driver,
        AsyncClient(f"http://127.0.0.1:{balancer.port}/api", stack.credentials["api_key"], timeout=6) as api,
    ):
        url = f"ws://127.0.0.1:{balancer.port}/connection/websocket"

        def client(user: str) -> Client:
            return Client(url, token=stack.token(user), min_reconnect_delay=0.05, max_reconnect_delay=0.2)

        publishers = Publishers(api, CHANNEL, count=2, in_flight=2)
        watchers = [TimedWatcher(f"python {number}", client(f"user-{number}"), CHANNEL) for number in range(4)]
        callers = [Caller(client(f"caller-{number}")) for number in range(4)]
        for each in watchers:
            await each.watch()
        browsers = await javascript(driver, stack, balancer.port)
        for caller in callers:
            await caller.start()
        publishers.start()
        for gateway in gateways:
            acknowledged = len(publishers.acknowledged)
            await until(lambda before=acknowledged: len(publishers.acknowledged) > before + 200, 30)  # type: ignore[misc]
            await gateway.replace()
        acknowledged = len(publishers.acknowledged)
        await until(lambda: len(publishers.acknowledged) > acknowledged + 200, 30)
        await publishers.finish()
        for caller in callers:
            await caller.finish()
        epoch, log = await whole_log(api, CHANNEL)
        await until(lambda: all(each.entries and each.entries[-1] == log[-1] for each in watchers), 30)
        await until(lambda: all(received(each)[1][-1:] == log[-1:] for each in browsers), 30)
        histories = Histories(
            epoch=epoch,
            log=log,
            acknowledged=publishers.acknowledged,
            sent=frozenset(publishers.sent),
            received={
                **{each.name: (each.start or 0, each.entries) for each in watchers},
                **{each.name: received(each) for each in browsers},
            },
            complaints=[complaint for each in watchers for complaint in each.complaints]
            + [f"{each.name}: {told}" for each in browsers for told in each.events("disconnected", "unsubscribed")],
        )
        interruptions = {each.name: longest_ms(each.times) for each in watchers} | {
            each.name: longest_ms(told["at"] for told in each.events("publication")) for each in browsers
        }
        for each in watchers:
            await each.client.disconnect()

        record_property("reported", f"drain: longest time without a publication, ms: {interruptions}")
        record_property(
            "reported",
            f"drain: {len(log)} publications, {sum(each.answered for each in callers)} calls answered, "
            f"{sum(each.cut_short for each in callers)} asked again after a 3001",
        )
        assert violations(histories) == []
        assert reordered(log) == []
        assert publishers.errors == [], "no request of the server API failed"
        assert [caller.failures for caller in callers] == [[]] * len(callers), "no call was answered by an error"
        assert all(set(caller.sent_away) == {3001} for caller in callers), "told to come again, and nothing else"
        assert all(caller.cut_short <= len(caller.sent_away) for caller in callers)
        assert sum(each.recoveries for each in watchers) >= len(watchers), "each of them had to move at least once"
