"""The gateway over a real loopback socket, its upstream fake: frames as a client sees them, and the published SDK and API client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from cent import AsyncClient, CentApiResponseError, HistoryRequest, PublishRequest, StreamPosition
from centrifuge import Client, PublicationContext, SubscriptionEventHandler

from causeway_common.contracts.messages import ClientInfo, FeedPublication, NamespaceSpec, RpcRequest
from causeway_gateway.adapters.clock import TICK_MS
from causeway_gateway.handlers.clients import COMMANDS_A_TURN, HORIZON_MS
from support.waiting import until
from unit.gateway.fakes import API_KEY, Gateway, token


class Wire:
    """A client that speaks frames."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self._lines: list[Any] = []

    async def send(self, *commands: dict[str, Any]) -> None:
        await self.ws.send_str("\n".join(json.dumps(command) for command in commands))

    async def next(self) -> Any:
        while not self._lines:
            message = await self.ws.receive(timeout=5)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return ("closed", self.ws.close_code)
            self._lines = [json.loads(line) for line in message.data.split("\n")]
        return self._lines.pop(0)

    async def ask(self, *commands: dict[str, Any]) -> Any:
        await self.send(*commands)
        return [await self.next() for _ in commands]

    async def connect(self, user: str = "ann") -> Any:
        (reply,) = await self.ask({"id": 1, "connect": {"token": token(user)}})
        return reply


@asynccontextmanager
async def wire(gateway: Gateway, **options: Any) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session, session.ws_connect(gateway.url, **options) as ws:
        yield Wire(ws)


async def test_connect_and_two_subscribes_in_one_frame_give_three_replies_connect_first() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        replies = await client.ask(
            {"id": 1, "connect": {"token": token("ann")}},
            {"id": 2, "subscribe": {"channel": "open:a"}},
            {"id": 3, "subscribe": {"channel": "news:a"}},
        )

    assert replies[0]["id"] == 1
    assert replies[0]["connect"].items() >= {"version": "test", "ping": 25, "pong": True}.items()
    assert {reply["id"]: reply["subscribe"] for reply in replies[1:]} == {
        2: {},
        3: {"recoverable": True, "positioned": True},
    }


async def test_a_publication_reaches_every_subscriber_its_publisher_too_with_who_sent_it() -> None:
    async with Gateway() as gateway, wire(gateway) as ann, wire(gateway) as bob:
        await ann.connect("ann")
        await bob.connect("bob")
        for client in (ann, bob):
            await client.ask({"id": 2, "subscribe": {"channel": "news:a"}})

        await ann.send({"id": 3, "publish": {"channel": "news:a", "data": {"n": 1}}})
        got = [await ann.next(), await ann.next()]
        seen = await bob.next()

    push = next(each for each in got if "push" in each)
    assert {"id": 3, "publish": {}} in got
    assert push == seen
    assert seen["push"]["pub"].items() >= {"data": {"n": 1}, "offset": 1}.items()
    assert seen["push"]["pub"]["info"]["user"] == "ann"


@pytest.mark.parametrize(("missed", "recovered"), [(0, True), (3, True), (300, True), (301, False)])
async def test_a_returning_client_gets_all_it_missed_or_is_told(missed: int, recovered: bool) -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        for n in range(5 + missed):
            gateway.bus.put("news:a", b"%d" % n)
        await client.connect()

        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 5, "epoch": "e1"}})

    result = reply["subscribe"]
    assert result["was_recovering"] is True
    assert result.get("recovered", False) is recovered
    offsets = [publication["offset"] for publication in result.get("publications", [])]
    assert offsets == (list(range(6, 6 + missed)) if recovered else [])
    assert result["offset"] == (5 if recovered else 5 + missed)


async def test_a_client_whose_filter_leaves_nothing_of_what_it_missed_is_told_where_it_stands() -> None:
    tagged = NamespaceSpec(
        name="tagged",
        history_size=1000,
        history_ttl_ms=60_000,
        force_recovery=True,
        allow_subscribe_for_client=True,
        allow_tags_filter=True,
    )
    async with Gateway(specs=(tagged,)) as gateway, wire(gateway) as client:
        for _ in range(5):
            gateway.bus.put("tagged:a", b"1", tags={"kind": "other"})
        await client.connect()
        subscribe = {"channel": "tagged:a", "recover": True, "offset": 2, "tf": {"key": "kind", "cmp": "eq", "val": "mine"}}
        (reply,) = await client.ask({"id": 2, "subscribe": subscribe})

    assert reply["subscribe"]["recovered"]
    assert "publications" not in reply["subscribe"]
    assert reply["subscribe"]["offset"] == 5


async def test_a_position_beyond_every_log_is_told_and_never_recovered() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        gateway.bus.put("news:a", b"1")
        await client.connect()
        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 2**63 - 1}})

    assert (reply["subscribe"].get("recovered"), reply["subscribe"]["offset"]) == (None, 1)


async def test_another_epoch_is_told_and_never_recovered() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        gateway.bus.put("news:a", b"1")
        await client.connect()

        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 1, "epoch": "e0"}})
        await client.ask({"id": 3, "unsubscribe": {"channel": "news:a"}})
        (strict,) = await client.ask(
            {"id": 4, "subscribe": {"channel": "news:a", "recover": True, "offset": 1, "epoch": "e0", "flag": 2}}
        )

    assert "recovered" not in reply["subscribe"]
    assert reply["subscribe"]["epoch"] == "e1"
    assert strict["error"]["code"] == 112


async def test_a_client_ahead_of_this_gateway_recovers_and_gets_nothing_twice() -> None:
    """After a drain elsewhere a client may know more than this gateway's feed."""
    async with Gateway() as gateway, wire(gateway) as first, wire(gateway) as client:
        gateway.bus.put("news:a", b"1")
        await first.connect()
        await first.ask({"id": 2, "subscribe": {"channel": "news:a"}})
        gateway.bus.lose = lambda _: True
        for n in (2, 3, 4):
            gateway.bus.put("news:a", b"%d" % n)
        gateway.bus.lose = lambda _: False
        await client.connect()

        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 3, "epoch": "e1"}})
        gateway.bus.put("news:a", b"5")
        pushed = await client.next()
        others = [(await first.next())["push"]["pub"]["offset"] for _ in range(4)]

    assert reply["subscribe"]["recovered"] is True
    assert [each["offset"] for each in reply["subscribe"]["publications"]] == [4]
    assert pushed["push"]["pub"]["offset"] == 5
    assert others == [2, 3, 4, 5]


async def test_a_lost_last_message_arrives_by_the_comparison_of_heads() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "news:a"}})
        gateway.bus.lose = lambda _: True
        gateway.bus.put("news:a", b'"lost"')

        gateway.feeds.compare_soon(0)
        pushed = await client.next()

    assert pushed["push"]["pub"] == {"data": "lost", "offset": 1}


async def test_a_new_epoch_ends_subscriptions_with_2500() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        gateway.bus.put("news:a", b"1")
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "news:a"}})
        log = gateway.bus.logs["news:a"]
        log.epoch, log.publications = "e2", []
        gateway.bus.put("news:a", b"2")

        push = await client.next()
        (again,) = await client.ask({"id": 3, "subscribe": {"channel": "news:a", "recover": True, "offset": 1, "epoch": "e1"}})

    assert push["push"] == {"channel": "news:a", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}
    assert "recovered" not in again["subscribe"]
    assert (again["subscribe"]["epoch"], again["subscribe"]["offset"]) == ("e2", 1)


async def test_a_thousand_returning_clients_cost_one_read() -> None:
    """Here 20 of them, behind the ring, at one position."""
    async with Gateway() as gateway, aiohttp.ClientSession() as session:
        for n in range(250):
            gateway.bus.put("news:a", b"%d" % n)
        sockets = [Wire(await session.ws_connect(gateway.url)) for _ in range(20)]
        for client in sockets:
            await client.connect()
        gateway.bus.page_size = 1000
        for client in sockets:
            await client.send({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 50, "epoch": "e1"}})
        replies = [await client.next() for client in sockets]
        for client in sockets:
            await client.ws.close()

    assert all(len(reply["subscribe"]["publications"]) == 200 for reply in replies)
    assert gateway.bus.history_reads == 1


async def test_commands_of_one_app_keep_their_order_and_concurrent_ones_do_not_wait() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        order: list[str] = []
        first = asyncio.Event()

        async def send(request: RpcRequest) -> bytes:
            if request.data == b"1":
                await first.wait()
            order.append(request.data.decode())
            return request.data

        async def slow(request: RpcRequest) -> bytes:
            first.set()
            return b'"slow"'

        gateway.apps.methods = {"chat.send": send, "chat.slow": slow}
        await client.connect()
        replies = await client.ask(
            {"id": 2, "rpc": {"method": "chat.send", "data": 1}},
            {"id": 3, "rpc": {"method": "chat.send", "data": 2}},
            {"id": 4, "rpc": {"method": "chat.slow"}},
        )

    assert order == ["1", "2"]
    assert [reply["id"] for reply in replies] == [4, 2, 3]


async def test_the_app_decides_who_watches_its_namespace() -> None:
    async with Gateway() as gateway, wire(gateway) as ann, wire(gateway) as eve:
        gateway.apps.members = {"ann"}
        await ann.connect("ann")
        await eve.connect("eve")

        (allowed,) = await ann.ask({"id": 2, "subscribe": {"channel": "chat:1"}})
        (denied,) = await eve.ask({"id": 2, "subscribe": {"channel": "chat:1"}})

    assert allowed["subscribe"]["data"] == {"welcome": True}
    assert denied["error"] == {"code": 403, "message": "members only"}


async def test_unknown_app_and_method_are_104_a_silent_one_is_a_temporary_100_no_dot_is_108() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        replies = await client.ask(
            {"id": 2, "rpc": {"method": "nobody.here"}},
            {"id": 3, "rpc": {"method": "chat.unknown"}},
            {"id": 4, "rpc": {"method": "nodot"}},
            {"id": 5, "rpc": {"method": "chat.send"}},
        )

    assert [reply["error"]["code"] for reply in replies] == [104, 104, 108, 100]
    assert replies[3]["error"]["temporary"] is True


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", 3501),
        ("no json", 3501),
        ('{"id":1,"connect":{}}\n\n{"id":2}', 3501),
        ('{"id":1,"publish":{"channel":"open:a","data":1}}', 3501),
        ('{"id":1,"connect":{}}', 3501),
        ('{"id":1,"connect":{"token":"bad"}}', 3500),
        ('{"id":-1,"connect":{}}', 3501),
        ("{}", 3501),
        ("[" * 30_000, 3501),
    ],
)
async def test_a_bad_frame_closes_with_the_protocols_code_and_nobody_else_notices(frame: str, code: int) -> None:
    async with Gateway() as gateway, wire(gateway) as other, wire(gateway) as client:
        await other.connect()
        await client.ws.send_str(frame)
        closed = await client.next()
        (alive,) = await other.ask({"id": 2, "subscribe": {"channel": "open:a"}})

    assert closed == ("closed", code)
    assert alive == {"id": 2, "subscribe": {}}


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        await client.ws.send_str('{"id":2,"rpc":{"method":"chat.send","data":"' + "x" * 70 * 1024 + '"}}')
        assert await client.next() == ("closed", 1009)
        await until(lambda: gateway.broken == [1009])


async def test_bytes_that_are_no_utf8_close_with_3501() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.ws.send_bytes(b'{"id":1,"connect":{"data":"\xff"}}')
        assert await client.next() == ("closed", 3501)


async def test_half_a_surrogate_pair_is_no_reason_to_close() -> None:
    """Browsers send such text; what arrives is the replacement character."""
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "open:a"}})
        await client.ws.send_str(r'{"id":3,"publish":{"channel":"open:a","data":"a\ud800b\\ud800"}}')
        got = [await client.next(), await client.next()]

    push = next(each for each in got if "push" in each)
    assert push["push"]["pub"]["data"] == "a\ufffdb\\ud800"


async def test_a_slow_reader_is_closed_with_3008_and_the_others_go_on() -> None:
    async with Gateway(queue_max=64 * 1024) as gateway, wire(gateway) as fast:
        await fast.connect()
        await fast.ask({"id": 2, "subscribe": {"channel": "open:a"}})
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
        connect = json.dumps({"id": 1, "connect": {"token": token("slow")}}).encode()
        subscribe = json.dumps({"id": 2, "subscribe": {"channel": "open:a"}}).encode()
        writer.write(
            b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        for body in (connect, subscribe):
            writer.write(bytes([0x81, 0x80 | 126]) + len(body).to_bytes(2, "big") + bytes(4) + body)
        await until(lambda: gateway.feeds.subscriptions == 2)

        count = 0
        while len(gateway.registry) == 2:
            gateway.bus.feed(FeedPublication(channel="open:a", data=b'"' + b"x" * 16_000 + b'"'))
            count += 1
            await asyncio.sleep(0)
            assert "push" in await fast.next()
            assert count < 2000
        gateway.bus.feed(FeedPublication(channel="open:a", data=b'"still here"'))
        assert (await fast.next())["push"]["pub"]["data"] == "still here"
        writer.transport.abort()


async def test_a_conflating_reader_that_keeps_up_ends_with_the_newest_of_every_key_of_a_burst() -> None:
    prices = NamespaceSpec(name="price", allow_subscribe_for_client=True, slow_reader="conflate", conflate_tag="key")
    async with Gateway(specs=(prices,)) as gateway, wire(gateway) as client:
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "price:a"}})
        for number in range(300):
            data = json.dumps({"number": number, "rest": "x" * 1_000}).encode()
            gateway.bus.feed(FeedPublication(channel="price:a", data=data, tags={"key": str(number % 30)}))

        newest: dict[int, int] = {}
        while min(newest.values(), default=0) < 270:
            number = (await client.next())["push"]["pub"]["data"]["number"]
            newest[number % 30] = number
        assert len(newest) == 30


@pytest.mark.parametrize("position", ["recoverable", "positioned"])
async def test_a_positioned_reader_is_closed_rather_than_missing_something_without_a_word(position: str) -> None:
    spec = NamespaceSpec(
        name="log",
        history_size=10,
        history_ttl_ms=60_000,
        allow_subscribe_for_client=True,
        allow_history_for_subscriber=True,
        slow_reader="drop",
    )
    async with Gateway(specs=(spec,), queue_max=256 * 1024) as gateway, wire(gateway) as client:
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "log:a", position: True}})
        for number in range(40):
            gateway.bus.put("log:a", json.dumps({"number": number, "rest": "x" * 10_000}).encode())

        assert await client.next() == ("closed", 3008)


@pytest.mark.parametrize("claims", [{"exp": 1}, {"expire_at": 1}])
async def test_a_subscription_is_not_renewed_into_the_past(claims: dict[str, Any]) -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        lasting = token("ann", channel="news:a", expire_at=int(time.time()) + 60)
        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "token": lasting}})
        assert reply["subscribe"]["expires"]
        await client.send({"id": 3, "sub_refresh": {"channel": "news:a", "token": token("ann", channel="news:a", **claims)}})

        assert await client.next() == ("closed", 3006)


async def test_a_client_that_answers_no_ping_is_closed_with_3012() -> None:
    async with Gateway(ping_interval=600, pong_timeout=400) as gateway, wire(gateway) as client:
        await client.connect()
        assert await client.next() == {}
        await client.send({})
        assert await client.next() == {}
        assert await client.next() == ("closed", 3012)


async def test_a_second_pong_closes_with_3501() -> None:
    async with Gateway(ping_interval=600, pong_timeout=400) as gateway, wire(gateway) as client:
        await client.connect()
        assert await client.next() == {}
        await client.send({}, {})
        assert await client.next() == ("closed", 3501)


async def test_who_does_not_connect_in_time_is_closed_with_3502() -> None:
    async with Gateway(stale_delay=50) as gateway, wire(gateway) as client:
        assert await client.next() == ("closed", 3502)


async def test_a_drain_answers_what_is_under_way_and_closes_with_3001() -> None:
    async with Gateway() as gateway:
        started, finish = asyncio.Event(), asyncio.Event()

        async def slow(request: RpcRequest) -> bytes:
            started.set()
            await finish.wait()
            return b"1"

        gateway.apps.methods = {"chat.send": slow}
        async with wire(gateway) as busy, wire(gateway) as idle:
            await busy.connect()
            await idle.connect()
            await busy.send({"id": 2, "rpc": {"method": "chat.send"}})
            await started.wait()
            closing = asyncio.create_task(gateway.doors.close())
            assert await idle.next() == ("closed", 3001)
            finish.set()
            assert await busy.next() == {"id": 2, "rpc": {"data": 1}}
            assert await busy.next() == ("closed", 3001)
            await closing
        with pytest.raises(aiohttp.ClientError):
            async with wire(gateway):
                pass


async def test_only_pages_of_the_own_host_may_connect_unless_others_are_allowed() -> None:
    async with Gateway() as gateway:
        async with wire(gateway, origin=gateway.http) as client:
            assert "connect" in await client.connect()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with wire(gateway, origin="https://evil.example"):
                pass


async def test_while_storage_is_away_clients_are_told_to_try_again() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        gateway.bus.away = True
        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a"}})
        gateway.bus.away = False
        (again,) = await client.ask({"id": 3, "subscribe": {"channel": "news:a"}})

    assert (reply["error"]["code"], reply["error"]["temporary"]) == (100, True)
    assert again["subscribe"]["positioned"] is True


class Collector(SubscriptionEventHandler):  # type: ignore[misc]  # the SDK is untyped
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.seen.append((ctx.pub.offset, ctx.pub.data))


async def test_the_published_sdk_and_the_published_api_client_use_it_as_it_is() -> None:
    async with Gateway() as gateway:

        async def echo(request: RpcRequest) -> bytes:
            return request.data

        gateway.apps.methods = {"chat.send": echo}
        collector = Collector()
        client = Client(gateway.url, token=token("ann"))
        api = AsyncClient(f"{gateway.http}/api", API_KEY)
        try:
            await client.connect()
            subscription = client.new_subscription("news:a", collector)
            await subscription.subscribe()
            await subscription.ready(timeout=5)
            first = await api.publish(PublishRequest(channel="news:a", data={"n": 1}, idempotency_key="k"))
            repeat = await api.publish(PublishRequest(channel="news:a", data={"n": 1}, idempotency_key="k"))
            await subscription.publish({"n": 2})
            await until(lambda: len(collector.seen) == 2)
            answer = await client.rpc("chat.send", {"hello": "world"})
            page = await subscription.history(limit=10)
            told = await api.history(HistoryRequest(channel="news:a", limit=-1, since=StreamPosition(offset=1, epoch="e1")))
            with pytest.raises(CentApiResponseError) as unknown:
                await api.publish(PublishRequest(channel="nowhere:a", data=1))
        finally:
            await client.disconnect()
            await api.close()

    assert (first.offset, first.epoch) == (repeat.offset, repeat.epoch) == (1, "e1")
    assert collector.seen == [(1, {"n": 1}), (2, {"n": 2})]
    assert answer.data == {"hello": "world"}
    assert [publication.offset for publication in page.publications] == [1, 2]
    assert [publication.offset for publication in told.publications] == [2]
    assert unknown.value.code == 102


def crowd(count: int, first: int = 2) -> str:
    return "\n".join(json.dumps({"id": number, "subscribe": {"channel": "none:a"}}) for number in range(first, first + count))


async def test_a_frame_of_a_thousand_commands_is_taken_a_few_each_turn_and_in_order() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        (inside,) = gateway.registry._all
        said: list[bytes] = []
        inside.send = said.append  # type: ignore[assignment]
        inside.received(crowd(1_000).encode())

        assert len(said) == COMMANDS_A_TURN
        assert inside.busy
        inside.received(b'{"id":5000,"subscribe":{"channel":"none:a"}}')  # as an uplink of an emulated client might
        await until(lambda: not inside.busy)
        assert [json.loads(frame[4 if frame[1] == 126 else 2 :])["id"] for frame in said] == [*range(2, 1_002), 5_000]


async def test_what_follows_a_long_frame_waits_for_its_end() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        for number in range(12):  # more than may wait for an emulated client
            await client.ws.send_str(crowd(1_000, first=1_000 * number + 2))

        assert [(await client.next())["id"] for _ in range(12_000)] == list(range(2, 12_002))


async def test_an_uplink_that_brings_more_than_its_client_may_have_waiting_ends_it_with_3013() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        await client.connect()
        (inside,) = gateway.registry._all
        for _ in range(9):
            inside.received(crowd(1_000).encode())

        assert not inside.busy
        while isinstance(last := await client.next(), dict):
            assert last["error"]["code"] == 102
        assert last == ("closed", 3013)


async def test_the_timer_of_a_client_that_is_gone_is_not_held_for_as_long_as_its_token_is_good() -> None:
    """A cancelled timer is nothing, but it is kept until its time."""
    in_a_year = int(time.time()) + 365 * 86_400
    async with Gateway(ping_interval=0) as gateway:
        async with wire(gateway) as client:
            await client.ask({"id": 1, "connect": {"token": token("ann", exp=in_a_year)}})
            (inside,) = gateway.registry._all
            inside._tick()  # the time for its connect is over
        await until(lambda: not len(gateway.registry))

        horizon = (gateway.timers.now() + HORIZON_MS) // TICK_MS + 1
        assert all(bucket <= horizon for bucket in gateway.timers._wheel._buckets)


def big(gateway: Gateway, channels: list[str], count: int = 20, size: int = 20_000) -> None:
    for channel in channels:
        for _ in range(count):
            gateway.bus.put(channel, b'"%s"' % (b"x" * size))


async def test_a_client_that_returns_to_many_channels_is_told_what_does_not_fit_and_is_not_closed_as_slow() -> None:
    """Half of what may wait for a connection is for all of its recoveries; 3008 would bring it back to the same."""
    channels = [f"news:{name}" for name in "abcd"]
    position = {"recover": True, "offset": 0, "epoch": "e1"}
    async with Gateway() as gateway, wire(gateway, max_msg_size=0) as client:
        big(gateway, channels)
        (reply,) = await client.ask({"id": 1, "connect": {"token": token("ann"), "subs": dict.fromkeys(channels, position)}})
        found = reply["connect"]["subs"]
        for channel in channels:
            gateway.bus.put(channel, b'"next"')
        pushed = [(await client.next())["push"] for _ in channels]

    assert [len(found[channel].get("publications", [])) for channel in channels] == [20, 0, 0, 0]
    assert [found[channel].get("recovered", False) for channel in channels] == [True, False, False, False]
    assert [found[channel].get("offset", 0) for channel in channels] == [0, 20, 20, 20]
    assert {push["channel"]: push["pub"]["offset"] for push in pushed} == dict.fromkeys(channels, 21)


async def test_what_does_not_fit_is_112_where_the_client_wants_all_or_nothing() -> None:
    async with Gateway(recovery_max_bytes=100) as gateway, wire(gateway) as client:
        big(gateway, ["news:a"], 2, 100)
        await client.connect()
        subscribe = {"channel": "news:a", "recover": True, "offset": 0, "epoch": "e1"}
        (strict,) = await client.ask({"id": 2, "subscribe": subscribe | {"flag": 2}})
        (told,) = await client.ask({"id": 3, "subscribe": subscribe})

    assert strict["error"]["code"] == 112
    assert told["subscribe"]["was_recovering"] is True
    assert "recovered" not in told["subscribe"]


@pytest.mark.parametrize("where", ["data", "info", "tags"])
async def test_one_recovery_has_half_the_bytes_that_may_wait_wherever_they_stand(where: str) -> None:
    async with Gateway(queue_max=100_000) as gateway, wire(gateway) as client:
        much = "x" * 20_000
        for _ in range(3):
            gateway.bus.put(
                "news:a",
                b'"%s"' % (much.encode() if where == "data" else b""),
                ClientInfo(user="u", client="c", conn_info=f'"{much}"'.encode()) if where == "info" else None,
                {"t": much} if where == "tags" else None,
            )
        await client.connect()
        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 0, "epoch": "e1"}})
        (page,) = await client.ask({"id": 3, "history": {"channel": "news:a", "limit": 10}})

    assert "recovered" not in reply["subscribe"]
    assert reply["subscribe"]["offset"] == 3
    assert len(page["history"]["publications"]) == 2


async def test_recovery_from_no_epoch_matches_any() -> None:
    async with Gateway() as gateway, wire(gateway) as client:
        for n in range(3):
            gateway.bus.put("news:a", b"%d" % n)
        await client.connect()
        (reply,) = await client.ask({"id": 2, "subscribe": {"channel": "news:a", "recover": True, "offset": 1, "epoch": ""}})

    assert reply["subscribe"]["recovered"] is True
    assert [each["offset"] for each in reply["subscribe"]["publications"]] == [2, 3]


async def test_one_connection_more_than_a_user_may_have_closes_with_3504_and_the_others_stay() -> None:
    async with Gateway(user_limit=1) as gateway, wire(gateway) as first, wire(gateway) as second, wire(gateway) as other:
        assert "connect" in await first.connect("ann")
        assert await second.connect("ann") == ("closed", 3504)
        assert "connect" in await other.connect("bob")
        assert "subscribe" in (await first.ask({"id": 2, "subscribe": {"channel": "open:a"}}))[0]
        await first.ws.close()
        await until(lambda: gateway.registry.num_users == 1)
        async with wire(gateway) as third:
            assert "connect" in await third.connect("ann")


async def test_the_connect_hook_is_asked_with_what_the_client_says_of_itself_and_decides() -> None:
    """Browsers cannot set headers: `headers` of the connect command stand in for them, and are the client's word."""
    request = {"data": "please", "name": "js", "version": "5", "headers": {"Authorization": "Bearer x"}}
    async with Gateway(connect_app="chat") as gateway, wire(gateway) as client, wire(gateway) as refused:
        (reply,) = await client.ask({"id": 1, "connect": request})
        (refusal,) = await refused.ask({"id": 1, "connect": {"data": "now"}})
        asked = gateway.apps.asked_to_connect[0]

    assert reply["connect"]["data"] == {"hello": 1}
    assert (asked.name, asked.version, asked.headers, asked.data) == ("js", "5", {"Authorization": "Bearer x"}, b'"please"')
    assert asked.transport == "websocket"
    assert (refusal["error"]["code"], refusal["error"]["message"]) == (401, "say please")
