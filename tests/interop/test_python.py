"""The published Python clients: `centrifuge-python` (JSON and Protobuf) and every method of `cent`; and clients that only listen."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import cent
import pytest
import pytest_asyncio
from centrifuge import (
    Client,
    ClientEventHandler,
    PublicationContext,
    SubscribedContext,
    SubscriptionEventHandler,
    UnsubscribedContext,
)
from centrifuge.contexts import ConnectedContext, ConnectingContext, LeaveContext

from interop.world import CONFIG, subscription_token, url
from support.people import all_told, connections
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]
formats = pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("interop-python")
    async with running_stack(directory, config=CONFIG, gateways=2) as running:
        yield running


class Notes(SubscriptionEventHandler):
    """What a subscription was told."""

    def __init__(self) -> None:
        self.publications: list[Any] = []
        self.subscribed: list[SubscribedContext] = []
        self.unsubscribed: list[int] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        data = ctx.pub.data
        self.publications.append(json.loads(data) if isinstance(data, bytes) else data)

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.unsubscribed.append(ctx.code)


def sdk(stack: Stack, user: str, *, protobuf: bool = False, **options: Any) -> Client:
    return Client(
        url(stack),
        **{"token": stack.token(user), "use_protobuf": protobuf, "min_reconnect_delay": 0.05, "max_reconnect_delay": 0.2} | options,
    )


@formats
async def test_centrifuge_python_subscribes_publishes_reads_and_recovers(stack: Stack, protobuf: bool) -> None:
    channel, notes = f"news:python-{protobuf}", Notes()
    client = sdk(stack, "ann", protobuf=protobuf)
    await client.connect()
    subscription = client.new_subscription(channel, notes)
    await subscription.subscribe()
    await subscription.ready(10)
    payload: Callable[[Any], Any] = (lambda data: json.dumps(data).encode()) if protobuf else (lambda data: data)
    await subscription.publish(payload({"n": 1}))
    await until(lambda: notes.publications == [{"n": 1}])
    page = await subscription.history(limit=10)
    assert [each.offset for each in page.publications] == [1]
    assert [info.user for info in (await subscription.presence()).clients.values()] == ["ann"]
    assert (await subscription.presence_stats()).num_clients == 1
    await client.disconnect()
    async with stack.api() as api:
        for number in (2, 3):
            await api.publish(cent.PublishRequest(channel=channel, data={"n": number}))
    await client.connect()
    await until(lambda: len(notes.publications) == 3)

    assert notes.publications == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert notes.subscribed[-1].recovered is True
    await client.disconnect()


async def test_centrifuge_python_renews_both_kinds_of_tokens(stack: Stack) -> None:
    channel, notes, now = "$secret:python", Notes(), int(time.time())

    async def connection() -> str:
        return stack.token("ann", exp=now + 3600)

    async def of_channel(_: str) -> str:
        return subscription_token(stack, "ann", channel, exp=now + 3600)

    client = sdk(stack, "ann", token=stack.token("ann", exp=now - 5), get_token=connection)
    await client.connect()
    await client.ready(10)
    token = subscription_token(stack, "ann", channel, exp=now + 2)
    subscription = client.new_subscription(channel, notes, token=token, get_token=of_channel)
    await subscription.subscribe()
    await subscription.ready(10)
    await asyncio.sleep(4)  # past expiry and its grace of a second

    assert (len(notes.subscribed), notes.unsubscribed) == (1, [])
    await client.disconnect()


async def _error(work: Awaitable[Any]) -> int:
    with pytest.raises(cent.CentApiResponseError) as raised:
        await work
    return int(raised.value.code)


async def test_every_method_of_cent(stack: Stack) -> None:
    channel, notes = "news:cent", Notes()
    client = sdk(stack, "cent-user")
    await client.connect()
    subscription = client.new_subscription(channel, notes)
    await subscription.subscribe()
    await subscription.ready(10)
    async with stack.api() as api:
        first = await api.publish(cent.PublishRequest(channel=channel, data=1, idempotency_key="once"))
        again = await api.publish(cent.PublishRequest(channel=channel, data=2, idempotency_key="once"))
        assert (first.offset, again.offset) == (1, 1)
        packed = base64.b64encode(b'{"packed":true}').decode()
        await api.publish(cent.PublishRequest(channel=channel, data=None, b64data=packed, tags={"a": "b"}))
        versions = [await api.publish(cent.PublishRequest(channel=channel, data=v, version=v)) for v in (7, 7, 8)]
        assert [result.offset for result in versions] == [3, 3, 4]
        both = await api.broadcast(cent.BroadcastRequest(channels=[channel, "nowhere:x"], data="both"))
        assert [response.error.code if response.error else 0 for response in both.responses] == [0, 102]
        await until(lambda: len(notes.publications) == 5)
        assert notes.publications == [1, {"packed": True}, 7, 8, "both"]
        page = await api.history(cent.HistoryRequest(channel=channel, limit=-1))
        assert [each.data for each in page.publications] == notes.publications
        assert page.publications[1].tags == {"a": "b"}
        back = await api.history(cent.HistoryRequest(channel=channel, limit=2, reverse=True))
        assert [each.offset for each in back.publications] == [5, 4]
        presence = await api.presence(cent.PresenceRequest(channel=channel))
        assert [info.user for info in presence.presence.values()] == ["cent-user"]
        stats = await api.presence_stats(cent.PresenceStatsRequest(channel=channel))
        assert (stats.num_clients, stats.num_users) == (1, 1)
        channels = await api.channels(cent.ChannelsRequest(pattern="news:c*"))
        assert {name: found.num_clients for name, found in channels.channels.items()} == {channel: 1}
        info = await api.info(cent.InfoRequest())
        assert len(info.nodes) == 2
        assert sum(node.num_clients for node in info.nodes) == 1
        await api.history_remove(cent.HistoryRemoveRequest(channel=channel))
        assert (await api.history(cent.HistoryRequest(channel=channel, limit=-1))).publications == []
        await api.subscribe(cent.SubscribeRequest(user="cent-user", channel="plain:cent"))
        await api.unsubscribe(cent.UnsubscribeRequest(user="cent-user", channel="plain:cent"))
        await api.refresh(cent.RefreshRequest(user="cent-user", expire_at=int(time.time()) + 60))
        batch = await api.batch(
            cent.BatchRequest(
                requests=[
                    cent.PublishRequest(channel=channel, data="batched"),
                    cent.PresenceStatsRequest(channel=channel),
                ]
            )
        )
        assert len(batch.replies) == 2
        assert await _error(api.publish(cent.PublishRequest(channel="nowhere:x", data=1))) == 102
        assert await _error(api.presence(cent.PresenceRequest(channel="numbers:1"))) == 108
        assert await _error(api.history(cent.HistoryRequest(channel="plain:1"))) == 108
        await api.disconnect(cent.DisconnectRequest(user="cent-user"))
    await until(lambda: client.state.name == "DISCONNECTED")


async def test_what_skips_the_history_reaches_who_watches_in_order_and_is_not_kept(stack: Stack) -> None:
    channel, notes = "news:aside", Notes()
    client = sdk(stack, "ann")
    await client.connect()
    subscription = client.new_subscription(channel, notes)
    await subscription.subscribe()
    await subscription.ready(10)
    async with stack.api() as api:
        for number in range(20):
            aside = await api.publish(cent.PublishRequest(channel=channel, data=f"aside {number}", skip_history=True))
            kept = await api.publish(cent.PublishRequest(channel=channel, data=number))
            assert (aside.offset, aside.epoch, kept.offset) == (0, "", number + 1)
        for _ in range(2):
            await api.publish(cent.PublishRequest(channel=channel, data="once", skip_history=True, idempotency_key="aside"))
        await until(lambda: len(notes.publications) >= 41)
        page = await api.history(cent.HistoryRequest(channel=channel, limit=-1))
    assert notes.publications == [data for number in range(20) for data in (f"aside {number}", number)] + ["once"]
    assert [each.data for each in page.publications] == list(range(20))
    await client.disconnect()
    await client.connect()
    await until(lambda: len(notes.subscribed) == 2)

    assert notes.subscribed[-1].recovered is True
    assert len(notes.publications) == 41, "nothing was missed, nothing comes twice"
    await client.disconnect()


async def test_a_batch_with_a_failing_command_answers_the_others(stack: Stack) -> None:
    commands = [{"publish": {"channel": "nowhere:x", "data": 1}}, {"presence_stats": {"channel": "plain:x"}}, {"what": {}}]
    headers = {"X-API-Key": stack.credentials["api_key"]}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{stack.port}/api/batch", json={"commands": commands}, headers=headers) as response,
    ):
        replies = (await response.json())["replies"]

    assert [reply.get("error", {}).get("code") for reply in replies] == [102, None, 104]
    assert replies[1]["presence_stats"] == {"num_clients": 0, "num_users": 0}


@pytest.mark.parametrize("transport", ["uni_websocket", "uni_http_stream", "uni_sse"])
async def test_a_client_that_only_listens_gets_bare_pushes(stack: Stack, transport: str) -> None:
    channel = f"plain:{transport}"
    request = json.dumps({"token": stack.token("ann"), "subs": {channel: {}, "nowhere:x": {}}})

    async def follow(lines: AsyncIterator[Any]) -> None:
        pushes = (json.loads(line) async for line in lines)
        connect = (await anext(pushes))["connect"]
        assert connect["client"]
        assert connect["session"]
        assert channel in connect["subs"]
        assert "nowhere:x" not in connect["subs"]
        async with stack.api() as api:
            await api.publish(cent.PublishRequest(channel=channel, data={"hello": 1}))
            found: list[Any] = []
            while {"pub", "ping"} - {kind for kind, _ in found}:
                push = await anext(pushes)
                found.append(("pub", push["pub"]["data"]) if "pub" in push else ("ping", push))
            assert ("pub", {"hello": 1}) in found
            assert ("ping", {}) in found
            await api.disconnect(cent.DisconnectRequest(user="ann"))
        async for push in pushes:
            if "disconnect" in push:
                assert push["disconnect"] == {"code": 3503, "reason": "force disconnect"}
                return
        raise AssertionError("no disconnect was told")

    async def lines_of(content: aiohttp.StreamReader) -> AsyncIterator[str]:
        async for raw in content:
            line = raw.decode().strip().removeprefix("data: ")
            if line:
                yield line

    async with aiohttp.ClientSession() as http:
        if transport == "uni_websocket":
            async with http.ws_connect(url(stack, transport)) as socket:
                await socket.send_str(request)
                await follow(message.data async for message in socket if message.type is aiohttp.WSMsgType.TEXT)
        elif transport == "uni_sse":
            async with http.get(f"{url(stack, transport)}?cf_connect={quote(request)}") as response:
                await follow(lines_of(response.content))
        else:
            async with http.post(url(stack, transport), data=request) as response:
                await follow(lines_of(response.content))


class Neighbour(ClientEventHandler, SubscriptionEventHandler):
    """What a client in a room was told: its own connection's end, and the leaves of others by client id."""

    def __init__(self) -> None:
        self.lost = False
        self.own: list[str] = []
        self.leaves: Counter[str] = Counter()

    async def on_connected(self, ctx: ConnectedContext) -> None:
        self.own.append(ctx.client)

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        self.lost |= ctx.code != 0

    async def on_leave(self, ctx: LeaveContext) -> None:
        self.leaves[ctx.info.client] += 1


async def test_the_leaves_of_a_killed_gateways_clients_are_told_once(stack: Stack) -> None:
    """The last test here: it kills one of the gateways that the others use."""
    neighbours: list[tuple[Client, Neighbour]] = []

    async def arrive() -> None:
        neighbour = Neighbour()
        client = sdk(stack, f"n{len(neighbours)}", events=neighbour)
        await client.connect()
        subscription = client.new_subscription("room:killed", neighbour)
        await subscription.subscribe()
        await subscription.ready(10)
        neighbours.append((client, neighbour))

    async with aiohttp.ClientSession() as session:
        before = now = await connections(stack, session)
        while any(now[name] < count + 2 for name, count in before.items()):
            await arrive()
            now = await connections(stack, session)
        await all_told(stack, session)
    victims = stack.kill("gateway-1")
    await until(lambda: stack.pid("gateway-1") not in (0, victims), 20)
    lost = [neighbour for _, neighbour in neighbours if neighbour.lost]
    stayed = [neighbour for _, neighbour in neighbours if not neighbour.lost]
    assert lost
    assert stayed
    gone = {neighbour.own[0] for neighbour in lost}
    await until(lambda: all(len(neighbour.leaves) >= len(lost) for neighbour in stayed), 20)
    for client, _ in neighbours:
        await client.disconnect()

    for neighbour in stayed:
        assert all(count == 1 for count in neighbour.leaves.values())
        assert gone <= neighbour.leaves.keys()
