"""The WebSocket transport over loopback sockets: byte by byte against RFC 6455, and what the gateway behind it is told."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import pytest

from causeway_gateway.adapters import rfc6455
from causeway_gateway.adapters.pings import FEW, NativePings
from causeway_gateway.adapters.wire import CLOSE_SECONDS
from support.waiting import until
from unit.gateway.transports.harness import Visitor, masked, place

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


async def test_messages_go_to_the_peer_and_frames_to_the_client_joined_in_one_write() -> None:
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        client.write(masked(rfc6455.TEXT, b"one") + masked(rfc6455.BINARY, b"two"))
        await until(lambda: visitor.heard == [b"one", b"two"])
        visitor.say(b"a")
        visitor.say(b"b" * 200)
        assert await client.frame() == (TEXT, b"a")
        assert await client.frame() == (TEXT, b"b" * 200)
        assert (visitor.visit.transport, visitor.visit.address, visitor.visit.native_pings) == ("websocket", "127.0.0.1", False)
        await client.bye()
        await visitor.left.wait()


async def test_a_first_message_that_comes_with_the_handshake_is_heard() -> None:
    async with place() as here:
        client = await here.raw()
        head = "GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        client.write(head.encode() + masked(rfc6455.TEXT, b"early"))
        answer = await client.head()
        assert "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=" in answer
        visitor = await here.hall.visitor()
        await until(lambda: visitor.heard == [b"early"])


@pytest.mark.parametrize("line", ["POST /connection/websocket HTTP/1.1", "GET /connection/websocket HTTP/1.0"])
async def test_only_a_get_of_http_1_1_is_upgraded(line: str) -> None:
    async with place() as here:
        client = await here.raw()
        head = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        client.write(f"{line}\r\n{head}".encode())

        assert " 426 " in (await client.head()).splitlines()[0]
        assert here.server.connections == 0


async def test_a_connection_that_served_http_before_may_still_be_upgraded() -> None:
    """Proxies keep theirs open and use them again."""
    async with place() as here:
        client = await here.raw()
        for _ in range(2):
            client.write(b"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.head()).startswith("HTTP/1.1 200")
            assert await client.reader.readexactly(2) == b"{}"
        assert (await client.upgrade("/connection/websocket")).startswith("HTTP/1.1 101 ")
        visitor = await here.hall.visitor()
        client.write(masked(rfc6455.TEXT, b"hello"))
        await until(lambda: visitor.heard == [b"hello"])
        visitor.say(b"hi")
        assert await client.frame() == (TEXT, b"hi")
        assert here.server._runner.server is not None
        await until(lambda: not here.server._runner.server.connections)  # type: ignore[union-attr]
        await client.bye()
        await visitor.left.wait()
        await until(lambda: here.server.connections == 0)


@pytest.mark.parametrize(
    ("path", "headers", "codec", "chosen"),
    [
        ("", {}, "json_websocket", None),
        ("", {"Sec-WebSocket-Protocol": ""}, "json_websocket", None),
        ("", {"Sec-WebSocket-Protocol": "graphql, centrifuge-json"}, "json_websocket", "centrifuge-json"),
        ("", {"Sec-WebSocket-Protocol": "centrifuge-protobuf"}, "protobuf_websocket", "centrifuge-protobuf"),
        ("", {"Sec-WebSocket-Protocol": "graphql"}, "json_websocket", None),
        ("?format=protobuf", {}, "protobuf_websocket", None),
        ("?cf_protocol=protobuf", {}, "protobuf_websocket", None),
    ],
)
async def test_the_format_is_the_subprotocols_or_the_querys(
    path: str, headers: dict[str, str], codec: str, chosen: str | None
) -> None:
    async with place() as here:
        client = await here.raw()
        answer = await client.upgrade(f"/connection/websocket{path}", headers)
        assert (await here.hall.visitor()).codec.name == codec
        assert (f"Sec-WebSocket-Protocol: {chosen}" in answer) if chosen else ("Sec-WebSocket-Protocol" not in answer)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==AAAA"}, 400),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
async def test_a_handshake_that_is_none_is_refused(headers: dict[str, str], status: int) -> None:
    async with place() as here:
        client = await here.raw()
        assert (await client.upgrade("/connection/websocket", headers)).startswith(f"HTTP/1.1 {status} ")
        assert here.hall.visitors == []
        assert here.server.connections == 0


async def test_a_close_is_answered_with_its_code_then_the_connection_ends() -> None:
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        client.write(masked(rfc6455.CLOSE, (4001).to_bytes(2) + b"bye"))
        assert await client.closed() == (4001, "")
        assert await client.rest() == b""
        assert visitor.left.is_set()


async def test_a_close_by_the_server_flushes_first_and_waits_for_the_clients_answer() -> None:
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        visitor.say(b"last words")
        visitor.link.shut(3001, "shutdown")
        visitor.say(b"never sent")
        assert await client.frame() == (TEXT, b"last words")
        assert await client.closed() == (3001, "shutdown")
        client.write(masked(rfc6455.TEXT, b"not heard any more") + masked(rfc6455.CLOSE, (3001).to_bytes(2)))
        assert await client.rest() == b""
        assert visitor.heard == []
        await visitor.left.wait()


async def test_who_never_answers_a_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CLOSE_SECONDS <= 5
    monkeypatch.setattr("causeway_gateway.adapters.wire.CLOSE_SECONDS", 0.05)
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        visitor.link.shut(3503, "force disconnect")
        assert await client.closed() == (3503, "force disconnect")
        await visitor.left.wait()
        await until(lambda: here.server.connections == 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(rfc6455.TEXT, b"hi", mask=None), 1002),
        (masked(3), 1002),
        (masked(rfc6455.TEXT, b"x", rsv=4), 1002),
        (masked(rfc6455.PING, bytes(126)), 1002),
        (masked(rfc6455.CLOSE, b"\x03"), 1002),
        (masked(rfc6455.CLOSE, (1005).to_bytes(2)), 1002),
        (masked(rfc6455.TEXT, b"\xff"), 1007),
        (masked(rfc6455.CLOSE, (1000).to_bytes(2) + b"\xff"), 1007),
        (masked(rfc6455.TEXT, bytes(70_000)), 1009),
    ],
)
async def test_who_breaks_the_standard_is_told_the_code_and_dropped(data: bytes, code: int) -> None:
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        client.write(data + bytes(100_000))  # what follows must not reset the code away
        assert (await client.closed())[0] == code
        assert await client.rest() == b""
        await client.bye()
        await until(lambda: here.broken == [code])
        assert visitor.left.is_set()
        await until(lambda: here.server.connections == 0)


async def test_pings_are_answered_also_between_fragments() -> None:
    async with place() as here:
        client = await here.upgraded("/echo")
        client.write(masked(rfc6455.TEXT, b"a", fin=False) + masked(rfc6455.PING, b"now") + masked(rfc6455.CONTINUATION, b"b"))
        assert await client.frame() == (PONG, b"now")
        assert await client.frame() == (TEXT, b"ab")
        client.write(masked(rfc6455.PONG, b"unasked") + masked(rfc6455.BINARY, b""))
        assert await client.frame() == (BINARY, b"")


async def test_messages_of_16_mib_are_echoed_whole() -> None:
    blob, text = bytes(range(256)) * 65_536, "ä" * (8 * 1024 * 1024)
    async with place() as here, aiohttp.ClientSession() as session, session.ws_connect(f"{here.http}/echo", max_msg_size=0) as ws:
        await ws.send_bytes(blob)
        assert (await ws.receive(timeout=20)).data == blob
        await ws.send_str(text)
        assert (await ws.receive(timeout=20)).data == text
        await ws.send_bytes(blob + b"x")
        assert (await ws.receive(timeout=20)).data == 1009


async def test_a_slow_reader_overflows_is_told_by_the_code_and_nobody_waits_for_it() -> None:
    async with place(queue_max=200_000) as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        for _ in range(2000):
            visitor.say(b"x" * 16_000)
            await asyncio.sleep(0)
            if visitor.overflows:
                break
        assert visitor.overflows == 1
        assert visitor.link.backlog <= 200_000
        visitor.say(b"dropped")
        while (frame := await client.frame())[0] == TEXT:
            assert frame[1] == b"x" * 16_000
        assert frame == (CLOSE, (3008).to_bytes(2) + b"slow")
        client.write(masked(rfc6455.CLOSE, frame[1]))
        assert await client.rest() == b""


async def test_a_peer_hears_when_what_waited_has_been_written() -> None:
    async with place(queue_max=1 << 23) as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        visitor.say(bytes(6_000_000))
        await until(lambda: visitor.link.backlog > 65_536)
        assert visitor.drains == 0
        assert len((await client.frame())[1]) == 6_000_000
        await until(lambda: visitor.drains == 1)
        assert visitor.link.backlog == 0


async def test_a_flood_of_messages_is_taken_in_turns() -> None:
    """Another connection's message is heard before the flood is through."""
    async with place() as here:
        flood, other = await here.upgraded(), await here.upgraded()
        first, second = await here.hall.visitor(1), await here.hall.visitor(2)
        after: list[int] = []
        here.hall.visitors[1]._answer = lambda _visitor, _frame: after.append(len(first.heard))
        flood.write(masked(rfc6455.TEXT, b"") * 30_000)
        other.write(masked(rfc6455.TEXT, b"me too"))
        await until(lambda: len(first.heard) == 30_000)
        await until(lambda: len(second.heard) == 1)
        flood.write(masked(rfc6455.TEXT, b"still read"))
        await until(lambda: first.heard[-1] == b"still read")
    assert after[0] < 30_000


async def test_a_fault_of_ours_closes_that_connection_with_3004() -> None:
    def fails(_visitor: Visitor, _frame: bytes) -> None:
        raise RuntimeError("a fault")

    async with place() as here:
        here.hall.answer = fails
        client = await here.upgraded()
        client.write(masked(rfc6455.TEXT, b"x"))
        assert (await client.closed())[0] == 3004


async def test_native_pings_where_they_are_asked_for_and_3012_without_an_answer() -> None:
    async with place(ping_interval=60, pong_timeout=40) as here:
        client = await here.upgraded("/connection/websocket?cf_ws_frame_ping_pong=true")
        visitor = await here.hall.visitor()
        assert visitor.visit.native_pings
        assert await client.frame() == (PING, b"")
        client.write(masked(rfc6455.PONG))
        assert await client.frame() == (PING, b"")
        assert await client.closed() == (3012, "no pong")
        assert visitor.left.is_set()
        assert here.broken == [3012]


@pytest.mark.parametrize("by_query", [True, False])
async def test_a_unidirectional_client_is_heard_once(by_query: bool) -> None:
    async with place() as here:
        client = await here.upgraded("/connection/uni_websocket" + ("?cf_connect=%7B%22name%22%3A%22a%22%7D" if by_query else ""))
        if not by_query:
            client.write(masked(rfc6455.TEXT, b'{"name":"a"}'))
        client.write(masked(rfc6455.TEXT, b'{"name":"b"}') + masked(rfc6455.PING))
        visitor = await here.hall.visitor()
        assert await client.frame() == (PONG, b"")
        assert visitor.heard == [b'{"name":"a"}']
        assert (visitor.codec.name, visitor.visit.transport) == ("uni_websocket", "uni_websocket")


@pytest.mark.parametrize(
    ("offer", "taken"),
    [
        ("permessage-deflate; client_max_window_bits", True),
        ("x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover; client_max_window_bits=12", True),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=10", False),
        ("permessage-deflate; unheard_of", False),
        ("", False),
    ],
)
async def test_compression_is_agreed_upon_where_it_is_on_and_offered(offer: str, taken: bool) -> None:
    async with place(compression=True) as here:
        client = await here.raw()
        answer = await client.upgrade("/connection/websocket", {"Sec-WebSocket-Extensions": offer})
        visitor = await here.hall.visitor()
        visitor.say(b"small")
        assert await client.frame() == (TEXT, b"small")
        visitor.say(b"large " * 500)
        first, payload = await client.frame()
        if taken:
            assert "permessage-deflate; server_no_context_takeover; client_no_context_takeover" in answer
            assert first == TEXT | 0x40
            payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
        else:
            assert "Sec-WebSocket-Extensions" not in answer
        assert payload == b"large " * 500


async def test_a_published_client_speaks_compressed() -> None:
    for on in (True, False):
        async with place(compression=on) as here, aiohttp.ClientSession() as session:
            ws = await session.ws_connect(f"{here.http}/echo", compress=15)
            assert bool(ws.compress) is on
            await ws.send_str("hello " * 1000)
            assert (await ws.receive(timeout=5)).data == "hello " * 1000
            await ws.close()


async def test_a_client_that_vanishes_without_a_word_is_gone_at_once() -> None:
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        client.writer.transport.abort()
        await visitor.left.wait()
        visitor.say(b"to nobody")
        visitor.link.shut(3001, "shutdown")
        await until(lambda: here.server.connections == 0)


async def test_stopping_cuts_off_who_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_gateway.adapters.http.FINISH_SECONDS", 0.05)
    async with place() as here:
        client = await here.upgraded()
        visitor = await here.hall.visitor()
        await here.server.stop_accepting()
        visitor.link.shut(3001, "shutdown")
        await here.server.stop()
        assert await client.closed() == (3001, "shutdown")
        await until(lambda: here.server.connections == 0)


async def test_who_comes_and_goes_between_two_rounds_of_pings_is_not_held_until_the_next() -> None:
    class Gone:
        ended, awaiting_pong = True, False

        def ping(self) -> None: ...

        def no_pong(self) -> None: ...

    pings = NativePings(60_000, 1_000)
    for _ in range(1_000):
        pings.add(Gone())

    assert len(pings._all) <= FEW
