"""Who may come in, how fast, and where they really come from."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from types import SimpleNamespace

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.acceptor import Acceptor, bind
from causeway_gateway.adapters.forwarded import Proxies, ProxyHeader, proxy_header
from causeway_gateway.adapters.limits import Limits, Refused
from support.waiting import until
from unit.gateway.transports.harness import place

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the left one is the client's own word
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.8", ["1.1.1.1"], "203.0.113.8"),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_saw(peer: str, forwarded: Sequence[str], client: str) -> None:
    assert Proxies(["10.0.0.0/8"]).client(peer, forwarded) == client


def test_without_trusted_proxies_the_header_is_nothing() -> None:
    assert Proxies([]).client("10.0.0.1", ["1.1.1.1"]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\nGET", ProxyHeader("203.0.113.9", 37)),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", ProxyHeader("2001:db8::1", 32)),
        (b"PROXY UNKNOWN\r\nGET", ProxyHeader("", 15)),
        (V2 + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 10, 0, 0, 1, 0, 1, 0, 2]) + b"GET", ProxyHeader("203.0.113.9", 28)),
        (V2 + b"\x21\x21\x00\x24" + bytes(15) + b"\x01" + bytes(20), ProxyHeader("::1", 52)),
        (V2 + b"\x20\x00\x00\x00", ProxyHeader("", 16)),
        (V2 + b"\x21\x31\x00\x02ab", ProxyHeader("", 18)),
        (b"", None),
        (b"PROXY TCP4 203.0", None),
        (V2[:5], None),
        (V2 + b"\x21\x11\x00\x0c", None),
    ],
)
def test_proxy_headers_of_both_versions(data: bytes, header: ProxyHeader | None) -> None:
    assert proxy_header(data) == header


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 nonsense 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9\r\n",
        b"PROXY " + bytes(200),
        V2 + b"\x31\x11\x00\x0c",
        V2 + b"\x21\x11\xff\xff",
        V2 + b"\x21\x11\x00\x04abcd",
    ],
)
def test_what_is_no_proxy_header_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        proxy_header(data)


@given(st.one_of(st.binary(max_size=150), st.binary(max_size=60).map(V2.__add__), st.binary(max_size=120).map(b"PROXY ".__add__)))
def test_any_bytes_are_a_proxy_header_or_none_or_refused(data: bytes) -> None:
    try:
        header = proxy_header(data)
    except ValueError:
        return
    assert header is None or 0 < header.size <= len(data)


async def test_an_address_from_the_proxy_protocol_reaches_both_kinds_of_endpoint() -> None:
    line = b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n"
    async with place(trusted_proxies=["127.0.0.0/8"], proxy_protocol=True) as here:
        socket_, stream, liar = await here.raw(), await here.raw(), await here.raw()
        socket_.write(line[:7])
        await asyncio.sleep(0.01)
        socket_.write(line[7:])
        assert (await socket_.upgrade("/connection/websocket")).startswith("HTTP/1.1 101")
        stream.write(line + b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        await stream.head()
        await here.hall.visitor(2)
        assert [visitor.visit.address for visitor in here.hall.visitors] == ["203.0.113.9", "203.0.113.9"]
        before = metrics.dropped.value("proxy_header")
        liar.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await liar.rest() == b""
        assert metrics.dropped.value("proxy_header") == before + 1


async def test_a_forged_address_of_an_untrusted_client_is_not_believed() -> None:
    before = metrics.unbelieved.value("x-forwarded-for")
    async with place(trusted_proxies=["192.0.2.0/24"], connection_limit_per_ip=1) as here:
        await here.upgraded(headers={"X-Forwarded-For": "203.0.113.1"})
        second = await here.raw()
        assert (await second.upgrade("/connection/websocket", {"X-Forwarded-For": "203.0.113.2"})).startswith("HTTP/1.1 429 ")
        assert (await here.hall.visitor()).visit.address == "127.0.0.1"
    assert metrics.unbelieved.value("x-forwarded-for") == before + 2


async def test_a_trusted_proxys_clients_are_counted_one_by_one_on_every_transport() -> None:
    async with place(trusted_proxies=["127.0.0.1/32"], connection_limit_per_ip=1) as here, aiohttp.ClientSession() as session:
        first = await here.upgraded(headers={"X-Forwarded-For": "203.0.113.1"})
        await here.upgraded(headers={"X-Forwarded-For": "203.0.113.2"})
        headers = {"X-Forwarded-For": "203.0.113.1"}
        async with session.post(f"{here.http}/connection/http_stream", data=b"{}", headers=headers) as response:
            assert response.status == 429
        await first.bye()
        await until(lambda: here.server.connections == 1)
        async with session.post(f"{here.http}/connection/http_stream", data=b"{}", headers=headers) as response:
            assert response.status == 200
            assert (await here.hall.visitor(3)).visit.address == "203.0.113.1"


async def test_beyond_the_limit_of_all_connections_is_503_until_one_leaves() -> None:
    async with place(connection_limit=2) as here:
        first, _ = await here.upgraded(), await here.upgraded()
        third = await here.raw()
        assert (await third.upgrade("/connection/websocket")).startswith("HTTP/1.1 503 ")
        await first.bye()
        await until(lambda: here.server.connections == 1)
        await here.upgraded()


@pytest.mark.parametrize(("one", "two", "same"), [("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:0:1::1", False)])
def test_of_ipv6_a_64_counts_as_one(one: str, two: str, same: bool) -> None:
    limits = Limits(0, 1)
    limits.take(one)
    if same:
        with pytest.raises(Refused):
            limits.take(two)
    else:
        limits.take(two)
        limits.give(two)
    limits.give(one)
    limits.take(two)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", b""),
        (b"\r\n\r\n", b"HTTP/1.1 408 "),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 "),
    ],
)
async def test_who_does_not_finish_its_first_head_in_time_is_dropped_and_counted(said: bytes, told: bytes) -> None:
    before = metrics.dropped.value("header_timeout")
    async with place(header_seconds=0.05) as here:
        client = await here.raw()
        client.write(said)
        assert (await client.rest())[:13] == told
    assert metrics.dropped.value("header_timeout") == before + 1


async def test_blank_lines_before_a_request_are_skipped() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(b"\r\n\r\nGET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.head()).startswith("HTTP/1.1 200")


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x00"])
@pytest.mark.parametrize("cut", [1, 5, 11])
async def test_a_proxy_header_of_who_is_no_proxy_is_400_and_counted(header: bytes, cut: int) -> None:
    before = metrics.unbelieved.value("proxy")
    async with place(trusted_proxies=["192.0.2.0/24"], proxy_protocol=True) as here:
        client = await here.raw()
        client.write(header[:cut])
        await asyncio.sleep(0.01)
        client.write(header[cut:] + b"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.head()).startswith("HTTP/1.1 400 ")
    assert metrics.unbelieved.value("proxy") == before + 1


async def test_a_giant_head_is_431_however_it_comes() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(b"GET /connection/websocket HTTP/1.1\r\nX: " + b"x" * 20_000)
        assert (await client.head()).startswith("HTTP/1.1 431 ")
        other = await here.raw()
        other.write(b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n")
        assert " 400 " in await other.head()


async def test_a_crowd_that_says_nothing_pushes_out_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.adapters.doorway.WAITING_MAX", 2)
    async with place() as here:
        oldest, middle, newest = await here.raw(), await here.raw(), await here.raw()
        assert await oldest.rest() == b""
        for client in (middle, newest):
            client.write(b"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.head()).startswith("HTTP/1.1 200")


async def test_a_storm_waits_unanswered_and_none_of_it_is_lost() -> None:
    taken = 0

    class Door(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal taken
            taken += 1
            transport.close()

    before = metrics.throttled.value("rate")
    acceptor = Acceptor(bind("127.0.0.1", 0, reuse_port=False), lambda _address: Door(), 50)
    port = acceptor.start()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    try:
        await until(lambda: taken == 30)
    finally:
        for client in clients:
            client.close()
        await acceptor.stop()
    assert metrics.throttled.value("rate") > before


async def test_the_rate_is_kept_over_any_time_but_a_tenth_of_a_second_may_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    bound = bind("127.0.0.1", 0, reuse_port=False)
    acceptor = Acceptor(bound, lambda _address: asyncio.Protocol(), 50)
    monkeypatch.setattr(acceptor, "_loop", SimpleNamespace(time=lambda: now[0]))
    acceptor._counted = 0.0

    def taken_at(when: float) -> int:
        now[0] = when
        return next(count for count in range(100) if not acceptor._token())

    counts = [taken_at(when) for when in (0.0, 0.01, 0.05, 10.0)]
    bound.close()
    assert counts == [5, 0, 2, 5]


async def test_those_that_wait_when_the_listener_stops_are_still_served() -> None:
    async with place(connection_rate=1) as here:
        clients = [await here.raw() for _ in range(5)]
        for client in clients:
            client.write(b"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n")
        await clients[0].head()
        await here.server.stop_accepting()
        for client in clients[1:]:
            assert (await client.head()).startswith("HTTP/1.1 200")
        with pytest.raises(OSError, match=r".+"):
            await here.raw()


async def test_the_sockets_notice_a_peer_that_is_no_more() -> None:
    async with place() as here:
        await here.upgraded()
        visitor = await here.hall.visitor()
        accepted = visitor.link._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


class Dead(asyncio.Transport):
    """asyncio's transport of a socket whose peer has just gone."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...


async def test_who_is_gone_before_it_can_be_told_that_it_is_late_does_not_end_the_others_time() -> None:
    async with place(header_seconds=0.05) as here:
        doorways = here.server._doorways
        assert doorways is not None
        doorway = doorways.opened("127.0.0.1")
        doorway.connection_made(Dead())
        doorway.data_received(b"GET / HT")
        await until(lambda: doorway not in doorways._waiting)
        late = await here.raw()
        late.write(b"GET / HT")

        assert (await late.rest()).startswith(b"HTTP/1.1 408 ")


async def test_plain_http_is_bounded_the_oldest_idle_connection_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.adapters.doorway.HTTP_MAX", 2)
    ask = b"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n"
    before = metrics.refused.value("http_limit")
    async with place() as here:
        busy, idle, third, fourth = [await here.raw() for _ in range(4)]
        busy.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        await until(lambda: len(here.server._runner.server.connections) == 1)  # type: ignore[union-attr]
        idle.write(ask)
        assert (await idle.head()).startswith("HTTP/1.1 200")
        third.write(ask)
        assert (await third.head()).startswith("HTTP/1.1 200")
        assert (await idle.rest()) == b"{}", "it made room"
        third.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        await until(lambda: all(each._current_request is not None for each in here.server._runner.server.connections))  # type: ignore[union-attr]
        fourth.write(ask)
        assert (await fourth.head()).startswith("HTTP/1.1 503")
        await here.upgraded()
    assert metrics.refused.value("http_limit") == before + 1
