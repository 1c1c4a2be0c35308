"""The console's own listener: its page, its keys, and who may not call it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from causeway_common.contracts.messages import ClientInfo, FeedMembership
from causeway_gateway.adapters.acceptor import bind
from causeway_gateway.adapters.attempts import ADDRESSES_MAX, FAILURES_MAX, WINDOW_MS, Attempts
from causeway_gateway.adapters.console import INDEX, ConsoleServer
from causeway_gateway.adapters.limits import Refused
from causeway_gateway.adapters.pages import Pages
from causeway_gateway.adapters.settings import TransportSettings
from causeway_gateway.domain.keyring import OPERATIONS, WRITES, ApiCaller, KeyRing
from support.waiting import until
from unit.gateway.fakes import API_KEY, FakeLog, Gateway

KEY = "the console's own key"
READER = "a key that only reads"
SCRIPT = "/console/assets/console-B4x_9-Qa.js"


class Console:
    """The listener of a gateway whose upstream is fake."""

    def __init__(self, gateway: Gateway, server: ConsoleServer, http: aiohttp.ClientSession) -> None:
        self.gateway, self.server, self.http = gateway, server, http

    async def ask(self, operation: str, body: Any = None, key: str = KEY, **headers: str) -> tuple[int, Any]:
        """Status and document of an operation."""
        async with self.http.post(f"/ops/{operation}", json=body or {}, headers={"X-API-Key": key, **headers}) as response:
            return response.status, await response.json() if response.content_type == "application/json" else None

    async def run(self, operation: str, **body: Any) -> Any:
        """The result of an operation that works."""
        status, answer = await self.ask(operation, body)
        assert status == 200
        assert "error" not in answer, answer
        return answer["result"]

    @asynccontextmanager
    async def follow(self, operation: str, **body: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The lines of what goes on."""
        async with self.http.post(f"/ops/{operation}", json=body, headers={"X-API-Key": KEY}) as response:
            assert response.status == 200
            assert response.content_type == "application/x-ndjson"
            yield (json.loads(line) async for line in response.content)


@asynccontextmanager
async def console(folder: Path | None = None, *, clock: Any = lambda: 0) -> AsyncIterator[Console]:
    """A console, with this page."""
    async with Gateway() as gateway:
        allowed = OPERATIONS - WRITES
        server = ConsoleServer(
            bind("127.0.0.1", 0, reuse_port=False),
            gateway.api,
            KeyRing([(KEY, ApiCaller("ops")), (READER, ApiCaller("reader", allowed))]),
            TransportSettings(),
            clock=clock,
            pages=Pages(folder, index=INDEX) if folder else None,
        )
        await server.open()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
            yield Console(gateway, server, http)
            await gateway.mailboxes.end()
        await server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A built page."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "console.html").write_text("<title>the console</title>")
    (tmp_path / "assets" / "console-B4x_9-Qa.js").write_text("run()")
    return tmp_path


async def test_the_page_is_served_below_its_path_with_a_strict_policy_and_hashed_names_for_ever(folder: Path) -> None:
    async with console(folder) as it:
        for path in ("/console", "/console/", "/console/jobs/d1"):
            async with it.http.get(path, headers={"Accept": "text/html"}) as page:
                assert (page.status, await page.text()) == (200, "<title>the console</title>")
                assert page.headers["Cache-Control"] == "no-cache"
                policy = page.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
        async with it.http.get(SCRIPT) as script:
            assert "immutable" in script.headers["Cache-Control"]
        async with it.http.get("/console/assets/other.js", headers={"Accept": "text/html"}) as missing:
            assert missing.status == 404
        async with it.http.get("/", allow_redirects=False) as root:
            assert (root.status, root.headers["Location"]) == (302, "/console")


async def test_without_a_page_there_are_its_calls_alone_and_no_way_to_the_clients_or_the_server_api() -> None:
    async with console() as it:
        async with it.http.get("/console") as page:
            assert page.status == 404
        for path in ("/api/publish", "/connection/websocket", "/emulation"):
            async with it.http.post(path, json={}, headers={"X-API-Key": KEY}) as elsewhere:
                assert elsewhere.status in {404, 405}
        assert (await it.run("console.info"))["caller"] == "ops"
        assert (await it.ask("publish", {"channel": "open:a", "data": 1}))[0] == 404


async def test_a_wrong_key_and_the_server_apis_own_are_401_and_a_key_in_the_address_is_none() -> None:
    async with console() as it:
        assert (await it.ask("console.info", key="wrong"))[0] == 401
        assert (await it.ask("console.info", key=API_KEY))[0] == 401
        async with it.http.post(f"/ops/console.info?api_key={KEY}", json={}) as response:
            assert response.status == 401
        assert (await it.ask("channels.tail", {"channel": "open:a"}, key="wrong"))[0] == 401


async def test_another_sites_page_may_not_call_it_even_with_a_key() -> None:
    async with console() as it:
        own = f"http://127.0.0.1:{it.server.port}"
        assert (await it.ask("console.info", Origin=own))[0] == 200
        assert (await it.ask("console.info", Origin="https://evil.example"))[0] == 403
        assert (await it.ask("channels.tail", {"channel": "open:a"}, Origin="https://evil.example"))[0] == 403


async def test_who_tries_keys_has_to_wait_for_a_minute_with_a_right_one_too() -> None:
    now = [0]
    async with console(clock=lambda: now[0]) as it:
        for _ in range(FAILURES_MAX):
            assert (await it.ask("console.info", key="wrong"))[0] == 401
        async with it.http.post("/ops/console.info", json={}, headers={"X-API-Key": KEY}) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (429, "61")
        now[0] = WINDOW_MS + 1
        assert (await it.ask("console.info"))[0] == 200


def test_wrong_keys_are_counted_by_address_and_of_a_bounded_number_of_them() -> None:
    attempts = Attempts(lambda: 0)
    for _ in range(FAILURES_MAX):
        attempts.failed("2001:db8::1")
    with pytest.raises(Refused):
        attempts.check("2001:db8::2")  # of the same /64
    attempts.check("192.0.2.1")
    for number in range(ADDRESSES_MAX):
        attempts.failed(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    attempts.check("2001:db8::1")  # forgotten for newer ones, not kept without end


async def test_the_page_is_told_who_it_is_and_what_its_key_may_do() -> None:
    async with console() as it:
        info = await it.run("console.info")
        _, reader = await it.ask("console.info", key=READER)
        _, refused = await it.ask("users.ban", {"user": "ann"}, key=READER)

        assert (info["caller"], info["node"], info["storage"], info["step_ms"]) == ("ops", "n1", "sqlite", 2000)
        assert set(info["operations"]) == OPERATIONS
        assert set(reader["result"]["operations"]) == OPERATIONS - WRITES
        assert refused["error"]["code"] == 103
        assert [(record.caller, record.outcome) for record in it.gateway.bus.audited] == [("reader", "permission_denied")]


async def test_a_body_that_is_none_is_400_and_an_unknown_call_404() -> None:
    async with console() as it:
        async with it.http.post("/ops/nodes.list", data=b"{", headers={"X-API-Key": KEY}) as broken:
            assert broken.status == 400
        async with it.http.post("/ops/channels.tail", data=b"[]", headers={"X-API-Key": KEY}) as broken:
            assert broken.status == 400
        assert (await it.ask("nodes.never"))[0] == 404


async def test_a_tail_shows_what_is_published_from_now_on_after_the_history_asked_for() -> None:
    async with console() as it:
        bus = it.gateway.bus
        bus.put("news:a", b'{"n":1}')
        bus.put("news:a", b'{"n":2}')
        async with it.follow("channels.tail", channel="news:a", history=1) as lines:
            assert await anext(lines) == {"type": "begin", "epoch": "e1", "offset": 2}
            second = await anext(lines)
            bus.put("news:a", b'{"n":3}', ClientInfo(user="ann", client="c1"), {"t": "x"})
            third = await anext(lines)

    assert (second["type"], second["offset"], second["data"]) == ("publication", 2, {"n": 2})
    assert third == {
        "type": "publication",
        "offset": 3,
        "data": {"n": 3},
        "b64data": "",
        "user": "ann",
        "client": "c1",
        "tags": {"t": "x"},
        "time_ms": 0,
        "bytes": 7,
    }


async def test_a_tail_reads_from_the_log_what_the_feed_lost() -> None:
    async with console() as it, it.follow("channels.tail", channel="news:a") as lines:
        assert (await anext(lines))["type"] == "begin"
        it.gateway.bus.lose = lambda message: message.offset < 3
        for number in (1, 2, 3):
            it.gateway.bus.put("news:a", b"%d" % number)

        assert [(await anext(lines))["offset"] for _ in range(3)] == [1, 2, 3]


async def test_a_tail_tells_that_the_log_is_another_one() -> None:
    async with console() as it:
        bus = it.gateway.bus
        bus.put("news:a", b"1")
        async with it.follow("channels.tail", channel="news:a") as lines:
            assert (await anext(lines))["offset"] == 1
            bus.logs["news:a"] = FakeLog(epoch="e2")
            bus.put("news:a", b"2")

            assert await anext(lines) == {"type": "begin", "epoch": "e2", "offset": 1}


async def test_a_tail_of_a_channel_without_history_shows_publications_and_who_joins() -> None:
    async with console() as it:
        async with it.follow("channels.tail", channel="open:a") as lines:
            assert await anext(lines) == {"type": "begin", "epoch": "", "offset": 0}
            it.gateway.bus.tell(FeedMembership(channel="open:a", joined=True, info=ClientInfo(user="ann", client="c1")))
            assert await anext(lines) == {"type": "join", "user": "ann", "client": "c1"}
            await it.gateway.bus.publish("open:a", b'"hi"', None, {"t": "x"})
            told = await anext(lines)

        assert (told["offset"], told["data"], told["tags"], told["bytes"]) == (0, "hi", {"t": "x"}, 4)
        await until(lambda: not it.gateway.bus.listeners["open:a"])


async def test_a_tail_of_no_channel_is_an_error_and_one_ends_when_the_gateway_leaves() -> None:
    async with console() as it:
        status, answer = await it.ask("channels.tail", {"channel": "unknown:a"})
        assert (status, answer["error"]["code"]) == (200, 102)
        async with it.follow("channels.tail", channel="open:a") as lines:
            await anext(lines)
            await it.gateway.mailboxes.end()
            assert (await anext(lines))["type"] == "end"
            with pytest.raises(StopAsyncIteration):
                await anext(lines)
