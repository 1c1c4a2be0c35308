"""The published JavaScript SDK (npm `centrifuge`) against two gateways: every transport, both formats, every feature."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cent import (
    DisconnectRequest,
    HistoryRemoveRequest,
    PublishRequest,
    RefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)

from interop.driver import Driver, JsClient, SdkError, running_driver
from interop.world import CONFIG, options, subscription_token
from support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

TRANSPORTS = [("websocket", False), ("websocket", True), ("http_stream", False), ("http_stream", True), ("sse", False)]
transports = pytest.mark.parametrize(("transport", "protobuf"), TRANSPORTS, ids=str)
formats = pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("interop-js")
    async with running_stack(directory, config=CONFIG, gateways=2) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver() -> AsyncIterator[Driver]:
    async with running_driver() as running:
        yield running


class Meeting:
    """Makes clients with names of their own, and takes them away."""

    def __init__(self, stack: Stack, driver: Driver) -> None:
        self.stack, self.driver = stack, driver
        self.number = next(numbers)
        self.clients: list[JsClient] = []

    def channel(self, namespace: str) -> str:
        return f"{namespace}:{self.number}"

    async def client(self, user: str = "ann", transport: str = "websocket", *, protobuf: bool = False, **more: Any) -> JsClient:
        client = self.driver.client(f"{user}-{next(numbers)}")
        self.clients.append(client)
        await client("connect", **options(self.stack, transport, user, protobuf=protobuf, **more))
        return client

    async def connected(self, user: str = "ann", transport: str = "websocket", **more: Any) -> JsClient:
        client = await self.client(user, transport, **more)
        await client.told("connected")
        return client

    async def watching(self, channel: str, user: str = "ann", transport: str = "websocket", **more: Any) -> JsClient:
        wishes = more.pop("wishes", {})
        client = await self.connected(user, transport, **more)
        await client("subscribe", channel=channel, **wishes)
        await client.told("subscribed", channel=channel)
        return client

    async def publish(self, channel: str, data: Any, **more: Any) -> Any:
        async with self.stack.api() as api:
            return await api.publish(PublishRequest(channel=channel, data=data, **more))


@pytest_asyncio.fixture(loop_scope="module")
async def meeting(stack: Stack, driver: Driver) -> AsyncIterator[Meeting]:
    found = Meeting(stack, driver)
    yield found
    for client in found.clients:
        await client("disconnect")


@transports
async def test_every_command_over_every_transport(meeting: Meeting, transport: str, protobuf: bool) -> None:
    channel = meeting.channel("news")
    client = await meeting.watching(channel, "ann", transport, protobuf=protobuf)
    assert (await client("transport"))["name"] == {"websocket": "websocket", "http_stream": "http_stream", "sse": "sse"}[transport]

    for number in range(12):  # of an emulated client each lands on one gateway or the other
        await client("publish", channel=channel, data={"n": number})
    assert await client.seen(12, channel) == [{"n": number} for number in range(12)]
    page = await client("history", channel=channel, limit=5, reverse=True)
    assert [each["offset"] for each in page["publications"]] == [12, 11, 10, 9, 8]
    assert page["offset"] == 12
    presence = await client("presence", channel=channel)
    assert [info["user"] for info in presence["clients"].values()] == ["ann"]
    assert await client("presence_stats", channel=channel) == {"numClients": 1, "numUsers": 1}
    with pytest.raises(SdkError) as unknown:
        await client("rpc", method="chat.nothing", data=1)
    assert unknown.value.code == 104
    room = await client("rpc", method="create_room", data={"name": f"room {meeting.number}"})
    assert room["data"]
    await client("unsubscribe", channel=channel)
    await client.told("unsubscribed", channel=channel)
    await meeting.publish(channel, "unheard")
    again = await meeting.watching(channel, "bob", transport, protobuf=protobuf)
    await again("publish", channel=channel, data="heard")
    assert await again.seen(1, channel) == ["heard"]
    assert len(client.datas(channel)) == 12


@transports
async def test_what_was_missed_is_recovered_once_and_in_order(meeting: Meeting, transport: str, protobuf: bool) -> None:
    channel = meeting.channel("news")
    client = await meeting.watching(channel, "ann", transport, protobuf=protobuf)
    await meeting.publish(channel, 1)
    await client.seen(1, channel)
    await client("disconnect")
    await client.told("disconnected")
    for number in range(2, 6):
        await meeting.publish(channel, number)
    await client("reconnect")
    context = await client.told("subscribed", 2, channel)

    assert (context["wasRecovering"], context["recovered"]) == (True, True)
    assert await client.seen(5, channel) == [1, 2, 3, 4, 5]


@formats
async def test_nothing_missed_and_too_much_missed_are_told_apart(meeting: Meeting, protobuf: bool) -> None:
    channel = meeting.channel("news")
    client = await meeting.watching(channel, protobuf=protobuf)
    await meeting.publish(channel, 0)
    await client.seen(1, channel)
    await client("disconnect")
    await client.told("disconnected")
    await client("reconnect")
    assert (await client.told("subscribed", 2, channel))["recovered"] is True
    await client("disconnect")
    await client.told("disconnected", 2)
    async with meeting.stack.api() as api:
        await asyncio.gather(*(api.publish(PublishRequest(channel=channel, data=n)) for n in range(301)))
    await client("reconnect")

    assert (await client.told("subscribed", 3, channel))["recovered"] is False


async def test_a_removed_history_is_told_recovered_false(meeting: Meeting) -> None:
    channel = meeting.channel("news")
    client = await meeting.watching(channel)
    await meeting.publish(channel, 1)
    await client.seen(1, channel)
    await client("disconnect")
    await client.told("disconnected")
    await meeting.publish(channel, 2)
    async with meeting.stack.api() as api:
        await api.history_remove(HistoryRemoveRequest(channel=channel))
    await asyncio.sleep(1.5)  # gateways forget what they still have in memory within a second
    await client("reconnect")

    assert (await client.told("subscribed", 2, channel))["recovered"] is False


async def test_positions_are_given_to_who_asks_and_may_read_history(meeting: Meeting) -> None:
    channel = meeting.channel("asked")
    plain = await meeting.watching(channel)
    asking = await meeting.watching(channel, wishes={"recoverable": True})

    assert plain.events("subscribed")[0]["context"]["recoverable"] is False
    context = asking.events("subscribed")[0]["context"]
    assert (context["recoverable"], context["positioned"]) == (True, True)


async def test_a_subscription_may_begin_from_a_position(meeting: Meeting) -> None:
    channel = meeting.channel("news")
    first = await meeting.publish(channel, 1)
    await meeting.publish(channel, 2)
    client = await meeting.watching(channel, wishes={"since": {"offset": first.offset, "epoch": first.epoch}})

    assert await client.seen(1, channel) == [2]


@formats
async def test_deltas_give_every_publication_whole_also_after_a_recovery(meeting: Meeting, protobuf: bool) -> None:
    channel = meeting.channel("delta")
    document = {"title": "a document that is long enough to be worth a patch", "lines": ["x" * 40] * 5}
    client = await meeting.watching(channel, protobuf=protobuf, wishes={"delta": "fossil"})
    for number in range(5):
        await meeting.publish(channel, document | {"n": number, "ä": "ü"})
    assert await client.seen(5, channel) == [document | {"n": number, "ä": "ü"} for number in range(5)]
    await client("disconnect")
    await client.told("disconnected")
    for number in range(5, 8):
        await meeting.publish(channel, document | {"n": number, "ä": "ü"})
    await client("reconnect")
    await client.told("subscribed", 2, channel)
    await meeting.publish(channel, document | {"n": 8, "ä": "ü"})

    assert await client.seen(9, channel) == [document | {"n": number, "ä": "ü"} for number in range(9)]


@formats
async def test_tags_filter_what_comes(meeting: Meeting, protobuf: bool) -> None:
    channel = meeting.channel("tagged")
    wishes = {
        "tagsFilter": {
            "op": "and",
            "nodes": [{"key": "kind", "cmp": "eq", "val": "goal"}, {"key": "minute", "cmp": "gte", "val": "45"}],
        }
    }
    client = await meeting.watching(channel, protobuf=protobuf, wishes=wishes)
    for kind, minute in (("goal", "12"), ("foul", "50"), ("goal", "77")):
        await meeting.publish(channel, minute, tags={"kind": kind, "minute": minute})

    assert await client.seen(1, channel) == ["77"]
    await meeting.publish(channel, "last", tags={"kind": "goal", "minute": "90.5"})
    assert await client.seen(2, channel) == ["77", "last"]


async def test_a_cache_channel_gives_the_newest_to_who_returns(meeting: Meeting) -> None:
    channel = meeting.channel("cache")
    client = await meeting.watching(channel)
    await meeting.publish(channel, 1)
    await client.seen(1, channel)
    await client("disconnect")
    await client.told("disconnected")
    for number in (2, 3, 4):
        await meeting.publish(channel, number)
    await client("reconnect")
    context = await client.told("subscribed", 2, channel)

    assert context["recovered"] is True
    assert await client.seen(2, channel) == [1, 4]


@transports
async def test_joins_and_leaves_are_told_in_order_over_both_gateways(meeting: Meeting, transport: str, protobuf: bool) -> None:
    channel = meeting.channel("room")
    watcher = await meeting.watching(channel, "watcher", transport, protobuf=protobuf)
    await watcher.told("join", 1, channel)
    for user in ("bob", "cid", "dan"):
        guest = await meeting.watching(channel, user)
        await guest("disconnect")
    await watcher.told("leave", 3, channel)

    told = [(each["event"], each["context"]["info"]["user"]) for each in watcher.events("join", "leave", channel=channel)]
    for user in ("bob", "cid", "dan"):
        assert [event for event, who in told if who == user] == ["join", "leave"]


async def test_presence_gathers_the_clients_of_both_gateways(meeting: Meeting) -> None:
    channel = meeting.channel("plain")
    clients = [await meeting.watching(channel, f"user{n}") for n in range(8)]
    presence = await clients[0]("presence", channel=channel)

    assert {info["user"] for info in presence["clients"].values()} == {f"user{n}" for n in range(8)}
    assert await clients[1]("presence_stats", channel=channel) == {"numClients": 8, "numUsers": 8}


@transports
async def test_an_expired_token_is_renewed_and_the_connection_stands(meeting: Meeting, transport: str, protobuf: bool) -> None:
    stack, now = meeting.stack, int(time.time())
    client = await meeting.client(
        "ann", transport, protobuf=protobuf, token=stack.token("ann", exp=now - 10), tokens=[stack.token("ann")]
    )

    await client.told("connected")


async def test_a_connection_is_refreshed_before_its_token_expires(meeting: Meeting) -> None:
    stack, now = meeting.stack, int(time.time())
    client = await meeting.client(
        token=stack.token("ann", exp=now + 2), tokens=[stack.token("ann", exp=now + 3600), stack.token("ann", exp=now + 3600)]
    )
    await client.told("connected")
    await asyncio.sleep(4.5)  # past expiry and its grace of a second

    assert client.events("disconnected") == []
    assert len(client.events("connected")) == 1


async def test_a_wrong_token_is_final(meeting: Meeting) -> None:
    client = await meeting.client(token=meeting.stack.token("ann")[:-6] + "AAAAAA")

    assert (await client.told("disconnected"))["code"] == 3500


async def test_private_channels_need_a_token_of_their_own(meeting: Meeting) -> None:
    channel = f"$secret:{meeting.number}"
    client = await meeting.connected()
    await client("subscribe", channel=f"secret:{meeting.number}")
    assert (await client.told("unsubscribed"))["code"] == 103
    token = subscription_token(meeting.stack, "ann", channel, info={"role": "host"})
    await client("subscribe", channel=channel, token=token)
    await client.told("subscribed", channel=channel)

    presence = await client("presence", channel=channel)
    assert [info["chanInfo"] for info in presence["clients"].values()] == [{"role": "host"}]


async def test_a_subscription_token_for_another_channel_ends_the_connection(meeting: Meeting) -> None:
    client = await meeting.connected()
    token = subscription_token(meeting.stack, "ann", "$secret:other")
    await client("subscribe", channel=f"$secret:{meeting.number}", token=token)

    assert (await client.told("disconnected"))["code"] == 3500


async def test_an_expiring_subscription_is_renewed_by_its_own_token(meeting: Meeting) -> None:
    channel, now = f"$secret:{meeting.number}", int(time.time())
    fresh = [subscription_token(meeting.stack, "ann", channel, exp=now + 3600) for _ in range(2)]
    client = await meeting.connected()
    await client("subscribe", channel=channel, token=subscription_token(meeting.stack, "ann", channel, exp=now + 2), tokens=fresh)
    await client.told("subscribed", channel=channel)
    await asyncio.sleep(4.5)  # past expiry and its grace of a second

    assert client.events("unsubscribed", channel=channel) == []
    assert len(client.events("subscribed", channel=channel)) == 1


async def test_a_subscription_without_a_fresh_token_expires_and_asks_for_one(meeting: Meeting) -> None:
    channel, now = f"$secret:{meeting.number}", int(time.time())
    client = await meeting.connected()
    token = subscription_token(meeting.stack, "ann", channel, expire_at=now + 1)
    later = subscription_token(meeting.stack, "ann", channel)
    await client("subscribe", channel=channel, token=token, tokens=[token, token, token, later])
    await client.told("subscribed", 1, channel)


@transports
async def test_server_side_subscriptions_come_with_the_token(meeting: Meeting, transport: str, protobuf: bool) -> None:
    channel = meeting.channel("news")
    token = meeting.stack.token("ann", channels=[channel])
    client = await meeting.client("ann", transport, protobuf=protobuf, token=token)
    await client.told("server_subscribed", channel=channel)
    await meeting.publish(channel, 1)

    assert await client.seen(1, channel, "server_publication") == [1]


async def test_a_server_side_subscription_recovers_with_the_connection(meeting: Meeting) -> None:
    channel = meeting.channel("news")
    client = await meeting.client(token=meeting.stack.token("ann", channels=[channel]))
    await client.told("server_subscribed", channel=channel)
    await meeting.publish(channel, 1)
    await client.seen(1, channel, "server_publication")
    await client("drop")
    await client.told("connecting", 2)
    for number in (2, 3):
        await meeting.publish(channel, number)
    await client.told("server_subscribed", 2, channel)

    assert await client.seen(3, channel, "server_publication") == [1, 2, 3]


async def test_the_personal_channel_reaches_all_of_a_users_clients(meeting: Meeting) -> None:
    user = f"user{meeting.number}"
    clients = [await meeting.connected(user) for _ in range(3)]
    await meeting.publish(f"personal:#{user}", "hello")

    for client in clients:
        assert await client.seen(1, f"personal:#{user}", "server_publication") == ["hello"]


async def test_user_limited_channels_are_for_their_users_alone(meeting: Meeting) -> None:
    channel = "personal:pair#ann,bob"
    ann, eve = await meeting.connected("ann"), await meeting.connected("eve")
    for client in (ann, eve):
        await client("subscribe", channel=channel)

    await ann.told("subscribed", channel=channel)
    assert (await eve.told("unsubscribed", channel=channel))["code"] == 103


async def test_channel_names_follow_their_namespaces_expression(meeting: Meeting) -> None:
    client = await meeting.connected()
    await client("subscribe", channel="numbers:42")
    await client("subscribe", channel="numbers:forty-two")

    await client.told("subscribed", channel="numbers:42")
    assert (await client.told("unsubscribed", channel="numbers:forty-two"))["code"] == 107


@transports
async def test_the_server_api_reaches_a_user_wherever_it_is(meeting: Meeting, transport: str, protobuf: bool) -> None:
    stack, channel, user = meeting.stack, meeting.channel("plain"), f"user{meeting.number}"
    clients = [await meeting.connected(user, transport, protobuf=protobuf) for _ in range(3)]
    async with stack.api() as api:
        await api.subscribe(SubscribeRequest(user=user, channel=channel, data={"from": "server"}))
        for client in clients:
            await client.told("server_subscribed", channel=channel)
        await meeting.publish(channel, 1)
        for client in clients:
            assert await client.seen(1, channel, "server_publication") == [1]
        await api.unsubscribe(UnsubscribeRequest(user=user, channel=channel))
        for client in clients:
            await client.told("server_unsubscribed", channel=channel)
        await api.refresh(RefreshRequest(user=user, expire_at=int(time.time()) + 3600))
        await api.disconnect(DisconnectRequest(user=user))
    for client in clients:
        assert (await client.told("disconnected"))["code"] == 3503


async def test_a_revoked_user_is_out_and_stays_out(meeting: Meeting) -> None:
    stack, user = meeting.stack, f"user{meeting.number}"
    clients = [await meeting.connected(user) for _ in range(3)]
    headers = {"X-API-Key": stack.credentials["api_key"]}
    address = f"http://127.0.0.1:{stack.port}/api/revoke"
    async with aiohttp.ClientSession() as http, http.post(address, json={"user": user}, headers=headers) as response:
        assert await response.json() == {"result": {}}
    for client in clients:
        assert (await client.told("disconnected"))["code"] == 3500
    again = await meeting.client(user)

    assert (await again.told("disconnected"))["code"] == 3500


async def test_pings_keep_a_quiet_connection_and_the_anonymous_may_come(meeting: Meeting) -> None:
    client = await meeting.client(token="")
    await client.told("connected")
    await asyncio.sleep(2.5)  # more than two pings of a second

    assert client.events("disconnected", "error") == []
    assert len(client.events("connected")) == 1


async def test_a_message_that_nobody_takes_ends_the_connection(meeting: Meeting) -> None:
    client = await meeting.connected()
    await client("send", data={"a": 1})

    assert (await client.told("disconnected"))["code"] == 3508


@formats
async def test_payloads_pass_as_they_are(meeting: Meeting, protobuf: bool) -> None:
    channel = meeting.channel("news")
    client = await meeting.watching(channel, protobuf=protobuf)
    payloads: list[Any] = [None, True, 0, -1.5, "", 'ä\u2028\n\t"', [], {}, [{"a": [1, [2]]}], "x" * 20_000]
    for payload in payloads:
        await client("publish", channel=channel, data={"p": payload})

    assert await client.seen(len(payloads), channel) == [{"p": payload} for payload in payloads]
