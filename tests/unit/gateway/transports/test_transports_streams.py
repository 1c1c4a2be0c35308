"""HTTP streaming, server-sent events and their uplink over loopback sockets."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from causeway_common.contracts.errors import unavailable
from causeway_gateway.adapters.settings import Endpoints
from support.waiting import until
from unit.gateway.transports.harness import Place, Raw, place

CONNECT = b'{"id":1,"connect":{}}'
STREAMING = [
    ("http_stream", "POST", "json_http_stream", b"hi\n", "application/json; charset=utf-8"),
    ("sse", "POST", "json_sse", b"data: hi\n\n", "text/event-stream; charset=utf-8"),
    ("sse", "GET", "json_sse", b"data: hi\n\n", "text/event-stream; charset=utf-8"),
    ("uni_http_stream", "POST", "uni_http_stream", b"hi\n", "application/json; charset=utf-8"),
    ("uni_sse", "GET", "uni_sse", b"data: hi\n\n", "text/event-stream; charset=utf-8"),
]


def url(here: Place, name: str, method: str) -> str:
    return f"{here.http}/connection/{name}" + ("?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D" if method == "GET" else "")


@pytest.mark.parametrize(("name", "method", "codec", "framed", "content_type"), STREAMING)
async def test_a_stream_brings_its_connect_request_and_is_written_as_it_comes(
    name: str, method: str, codec: str, framed: bytes, content_type: str
) -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        body = CONNECT if method == "POST" else None
        async with session.request(method, url(here, name, method), data=body, headers={"Content-Type": "text/plain"}) as response:
            visitor = await here.hall.visitor()
            assert visitor.heard == [CONNECT]
            assert (visitor.codec.name, visitor.visit.transport) == (codec, name)
            assert response.status == 200
            assert response.headers["Content-Type"] == content_type
            assert response.headers["X-Accel-Buffering"] == "no"
            assert "no-cache" in response.headers["Cache-Control"]
            if "sse" in name:
                assert await response.content.readexactly(1) == b"\n"
            for _ in range(2):
                visitor.say(b"hi")
                assert await response.content.readexactly(len(framed)) == framed
            visitor.say(b"x" * 100_000)
            visitor.link.shut(3001, "shutdown")
            assert (await response.content.read()).count(b"x") == 100_000
        await visitor.left.wait()
        await until(lambda: here.server.connections == 0)


@pytest.mark.parametrize("path", ["/connection/http_stream", "/emulation"])
async def test_a_page_is_shown_why_it_was_refused(path: str) -> None:
    async with place(origins=["https://us"]) as here, aiohttp.ClientSession(headers={"Origin": "https://us"}) as session:
        async with session.post(here.http + path, data=b"x" * 70_000) as response:
            assert response.status == 413
            assert response.headers["Access-Control-Allow-Origin"] == "https://us"
        async with session.post(here.http + path, data=b"x", headers={"Origin": "https://them"}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_long_token_fits_into_the_query() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(b"GET /connection/uni_sse?cf_connect=" + b"x" * 12_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.head()).startswith("HTTP/1.1 200 ")
        assert (await here.hall.visitor()).heard == [b"x" * 12_000]


@pytest.mark.parametrize("path", ["/connection/websocket", "/connection/http_stream"])
async def test_who_cannot_be_let_in_by_a_fault_of_ours_is_cut_off(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    async with place() as here:
        monkeypatch.setattr(here.hall, "open", fails)
        client = await here.raw()
        if path.endswith("websocket"):
            await client.upgrade(path)
        else:
            client.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        await client.rest()
        await until(lambda: here.server.connections == 0)


async def test_octets_are_protobuf_and_nothing_said_is_json() -> None:
    async with place() as here:
        first, second = await here.raw(), await here.raw()
        first.write(
            b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\nx"
        )
        assert "Content-Type: application/octet-stream" in await first.head()
        second.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        assert "Content-Type: application/json" in await second.head()
        await here.hall.visitor(2)
        assert [visitor.codec.name for visitor in here.hall.visitors] == ["protobuf_http_stream", "json_http_stream"]


async def test_a_client_that_goes_is_gone_at_once_and_aiohttp_holds_nothing_of_it() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        await client.head()
        visitor = await here.hall.visitor()
        server = here.server._runner.server
        assert server is not None
        await until(lambda: not server.connections)
        client.write(b"GET / HTTP/1.1\r\n\r\n")  # not looked at
        client.writer.transport.abort()
        await visitor.left.wait()


async def test_an_old_client_gets_a_body_without_chunks() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(b"POST /connection/uni_sse HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert "Transfer-Encoding" not in await client.head()
        visitor = await here.hall.visitor()
        visitor.say(b"hi")
        visitor.link.shut(3001, "shutdown")
        assert await client.rest() == b"\ndata: hi\n\n"


async def test_a_slow_reader_of_a_stream_is_dropped() -> None:
    async with place(queue_max=200_000) as here:
        client = await here.raw()
        client.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        await client.head()
        visitor = await here.hall.visitor()
        for _ in range(2000):
            visitor.say(b"x" * 16_000)
            await asyncio.sleep(0)
            if visitor.overflows:
                break
        assert visitor.overflows == 1
        await client.rest()
        await visitor.left.wait()


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /connection/http_stream", "", 405),
        ("DELETE /connection/sse", "", 405),
        ("GET /connection/sse", "", 400),
        ("GET /emulation", "", 405),
        ("POST /connection/http_stream", "Content-Length: 70000\r\n", 413),
        ("POST /emulation", "Content-Length: 70000\r\n", 413),
        ("POST /connection/sse", "Origin: https://evil.example\r\nContent-Length: 0\r\n", 403),
        ("POST /emulation", "Origin: https://evil.example\r\nContent-Length: 0\r\n", 403),
        ("OPTIONS /emulation", "Origin: https://evil.example\r\n", 403),
        ("POST /connection/http_stream", "Content-Length: 5\r\n", 408),
        ("GET /connection/websocket", "", 426),
        ("POST /connection/websocket", "Content-Length: 0\r\n", 426),
    ],
)
async def test_what_is_no_request_for_a_stream_is_told_so(request_line: str, headers: str, status: int) -> None:
    async with place(header_seconds=0.2) as here:
        client = await here.raw()
        client.write(f"{request_line} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        assert (await client.head()).startswith(f"HTTP/1.1 {status} ")
        assert here.hall.visitors == []
        assert here.server.connections == 0


async def test_a_chunked_body_over_the_limit_is_413() -> None:
    async with place() as here:
        client = await here.raw()
        client.write(
            b"POST /emulation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n" + bytes(70_000) + b"\r\n0\r\n\r\n"
        )
        assert (await client.head()).startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("/connection/websocket", "websocket.disabled"),
        ("/connection/uni_websocket", "uni_websocket.enabled"),
        ("/connection/http_stream", "http_stream.enabled"),
        ("/connection/sse", "sse.enabled"),
        ("/connection/uni_http_stream", "uni_http_stream.enabled"),
        ("/connection/uni_sse", "uni_sse.enabled"),
        ("/emulation", "http_stream.enabled"),
        ("/echo", "CAUSEWAY_GATEWAY_TEST_ECHO"),
    ],
)
async def test_what_is_switched_off_is_404_and_names_its_option(path: str, option: str) -> None:
    async with place(endpoints=Endpoints(websocket=False)) as here:
        client = await here.raw()
        assert (await client.upgrade(path)).startswith("HTTP/1.1 404 ")
        async with aiohttp.ClientSession() as session, session.post(here.http + path) as response:
            assert response.status == 404
            assert option in await response.text()


async def test_pages_of_allowed_origins_may_read_the_answers() -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Headers": "content-type"}
    async with place(origins=["https://*.example"]) as here, aiohttp.ClientSession() as session:
        for path in ("/connection/http_stream", "/connection/sse", "/emulation"):
            async with session.options(here.http + path, headers=headers) as response:
                assert response.status == 204
                assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
                assert response.headers["Access-Control-Allow-Headers"] == "content-type"
                assert response.headers["Access-Control-Allow-Credentials"] == "true"
                assert response.headers["Access-Control-Max-Age"] == "300"
                assert response.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
        async with session.post(f"{here.http}/connection/http_stream", data=b"{}", headers=headers) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


async def test_commands_are_carried_whatever_their_format() -> None:
    data = '{"id":2,"rpc":{}}\n{"id":3}'
    envelope = b"\x0a\x01n\x12\x01s\x1a\x04\x00\xff\x0a\x01"
    async with place() as here, aiohttp.ClientSession() as session:
        async with session.post(f"{here.http}/emulation", data=json.dumps({"node": "n", "session": "s", "data": data})) as response:
            assert response.status == 204
        async with session.post(
            f"{here.http}/emulation", data=envelope, headers={"Content-Type": "application/octet-stream"}
        ) as response:
            assert response.status == 204
        assert here.hall.carried == [("n", "s", data.encode()), ("n", "s", b"\x00\xff\x0a\x01")]


@pytest.mark.parametrize(
    ("body", "octets"),
    [
        (b"", False),
        (b"{", False),
        (b"[]", False),
        (b'{"node":1,"session":"s","data":"x"}', False),
        (b'{"node":"n","session":"s","data":{}}', False),
        (b"[" * 60_000, False),
        (b"\x0a\x05n", True),
        (b"\x08\x01", True),
        (b"\x80" * 20, True),
        (b"\x0a\x01\xff", True),
    ],
)
async def test_an_uplink_that_is_malformed_is_400(body: bytes, octets: bool) -> None:
    content_type = "application/octet-stream" if octets else "application/json"
    async with place() as here, aiohttp.ClientSession() as session:
        async with session.post(f"{here.http}/emulation", data=body, headers={"Content-Type": content_type}) as response:
            assert response.status == 400
        assert here.hall.carried == []


async def test_an_unknown_node_is_404_one_that_is_away_500() -> None:
    def carry(node: str) -> None:
        raise unavailable("away") if node == "away" else LookupError(node)

    async with place() as here, aiohttp.ClientSession() as session:
        here.hall.carry = carry
        for node, status in (("away", 500), ("nowhere", 404)):
            async with session.post(f"{here.http}/emulation", json={"node": node, "session": "s", "data": "x"}) as response:
                assert response.status == status


async def test_the_probe_answers_any_method() -> None:
    async with place() as here, aiohttp.ClientSession() as session:
        for method in ("GET", "POST", "PUT"):
            async with session.request(method, f"{here.http}/connection/init") as response:
                assert (response.status, await response.json()) == (200, {})


async def opened(here: Place) -> Raw:
    client = await here.raw()
    client.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    await client.head()
    return client


async def test_stopping_ends_streams_in_order() -> None:
    async with place() as here:
        client = await opened(here)
        visitor = await here.hall.visitor()
        await here.server.stop_accepting()
        visitor.say(b"bye")
        visitor.link.shut(3001, "shutdown")
        await here.server.stop()
        assert await client.rest() == b"4\r\nbye\n\r\n0\r\n\r\n"
