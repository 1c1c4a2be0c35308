"""The operator's console over the real stack with two gateways: what it is told of every process, and that what it does holds everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cent import PublishRequest
from centrifuge import CentrifugeError

from support.command import command
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]
CONFIG = """\
[console]
key = "a key of the tests' console"
trace_url = "http://traces.example/trace/{trace_id}"

[[console.keys]]
name = "reader"
key = "a key that changes nothing"
read_only = true

[client]
lifecycle_events = true
lifecycle_debounce = "0s"

[[channel.namespaces]]
name = "demo"
history_size = 100
history_ttl = "1h"
allow_subscribe_for_client = true
"""
KEY = "a key of the tests' console"
SERVICES = ["gateway", "gateway", "integrations", "logic-auctions", "logic-chat", "storage"]


class Console:
    """What the page calls."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def ask(self, operation: str, key: str = KEY, **body: Any) -> tuple[int, Any]:
        """Status and document."""
        async with self.http.post(f"/ops/{operation}", json=body, headers={"X-API-Key": key}) as response:
            return response.status, await response.json() if response.content_type == "application/json" else None

    async def run(self, operation: str, **body: Any) -> Any:
        """The result of what works."""
        status, answer = await self.ask(operation, **body)
        assert (status, list(answer)) == (200, ["result"]), answer
        return answer["result"]

    @asynccontextmanager
    async def follow(self, operation: str, **body: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The lines of what goes on, those left out that only say that it is alive."""
        async with self.http.post(f"/ops/{operation}", json=body, headers={"X-API-Key": KEY}) as response:
            assert response.content_type == "application/x-ndjson"
            yield (line async for line in _lines(response) if line["type"] != "alive")


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        yield json.loads(line)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("console"), gateways=2, config=CONFIG) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def console(stack: Stack) -> AsyncIterator[Console]:
    async with aiohttp.ClientSession(stack.console) as http:
        yield Console(http)


async def admitted(stack: Stack, user: str) -> bool:
    """Whether a connection of this user stands, by a token that was made just now."""
    async with aiohttp.ClientSession() as session, session.ws_connect(stack.url) as ws:
        await ws.send_json({"id": 1, "connect": {"token": stack.token(user)}})
        message = await ws.receive(timeout=10)
        return message.type is aiohttp.WSMsgType.TEXT and "connect" in message.json()


async def test_only_the_consoles_own_keys_open_it_and_no_page_of_another_site(stack: Stack, console: Console) -> None:
    assert (await console.ask("nodes.list", "wrong"))[0] == 401
    assert (await console.ask("nodes.list", stack.credentials["api_key"]))[0] == 401
    async with console.http.post("/ops/nodes.list", json={}, headers={"X-API-Key": KEY, "Origin": "https://evil.example"}) as other:
        assert other.status == 403
    async with console.http.get("/console", headers={"Accept": "text/html"}) as page:
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
    async with aiohttp.ClientSession(f"http://127.0.0.1:{stack.port}") as public, public.get("/console") as nothing:
        assert nothing.status == 404, "the public port has nothing of the console"
    info = await console.run("console.info")
    assert (info["caller"], info["trace_url"]) == ("console", "http://traces.example/trace/{trace_id}")
    _, refused = await console.ask("users.ban", "a key that changes nothing", user="ann")
    assert refused["error"]["code"] == 103


async def test_every_process_of_every_service_tells_its_figures_over_the_bus(stack: Stack, console: Console) -> None:
    async with asyncio.timeout(30):
        while True:
            nodes = (await console.run("nodes.list"))["nodes"]
            if sorted(each["service"] for each in nodes) == SERVICES and all("requests_per_s" in each["figures"] for each in nodes):
                break
            await asyncio.sleep(0.2)
        while not (await console.run("nodes.series", figures=["loop_delay_ms"]))["series"]:
            await asyncio.sleep(0.2)
    assert all(each["state"] == "up" and each["figures"]["rss_bytes"] > 0 for each in nodes)
    async with command(stack, "nodes", "--json") as shown:
        assert await shown.ended() == 0, shown.err
        assert {json.loads(line)["node"] for line in shown.out.splitlines()} >= {each["node"] for each in nodes}


async def test_what_is_published_streams_into_a_tail_as_it_comes_from_the_page_and_the_command_line(
    stack: Stack, console: Console
) -> None:
    async with (
        console.follow("channels.tail", channel="demo:tail") as lines,
        command(stack, "tail", "demo:tail", "--operator") as cli,
    ):
        assert (await anext(lines))["type"] == "begin"
        await until(lambda: "# subscribed" in cli.err)
        async with stack.api() as api:
            await api.publish(PublishRequest(channel="demo:tail", data={"n": 1}, tags={"t": "x"}))
        line = await anext(lines)
        await until(lambda: '{"n":1}' in cli.out)
    assert (line["type"], line["offset"], line["data"], line["tags"]) == ("publication", 1, {"n": 1}, {"t": "x"})
    page = await console.run("channels.history", channel="demo:tail")
    assert [each["offset"] for each in page["publications"]] == [1]


async def test_a_ban_closes_and_keeps_out_on_every_gateway_until_it_is_lifted_and_all_of_it_is_audited(
    stack: Stack, console: Console
) -> None:
    """The kernel shares the connections out between the two gateways: of sixteen tries each gets some."""
    client = stack.client("mallory")
    await client.connect()
    await client.ready(10)
    assert (await console.run("users.show", user="mallory"))["total"] == 1
    await console.run("users.ban", user="mallory", reason="spam")
    assert (await console.run("users.show", user="mallory"))["total"] == 0
    assert not any(await asyncio.gather(*(admitted(stack, "mallory") for _ in range(16))))
    assert await admitted(stack, "ann")
    async with command(stack, "bans", "--json") as shown:
        assert await shown.ended() == 0, shown.err
        (ban,) = map(json.loads, shown.out.splitlines())
    assert (ban["user"], ban["by"], ban["reason"]) == ("mallory", "console", "spam")
    async with command(stack, "unban", "mallory") as lifting:
        assert await lifting.ended() == 0, lifting.err
    async with asyncio.timeout(10):
        while not all(await asyncio.gather(*(admitted(stack, "mallory") for _ in range(8)))):
            await asyncio.sleep(0.05)
    await client.disconnect()
    async with command(stack, "audit", "--json") as shown:
        assert await shown.ended() == 0, shown.err
        records = [json.loads(line) for line in shown.out.splitlines()]
    told = [
        (each["caller"], each["name"], each["target"], each["outcome"]) for each in records if each["name"].startswith("users.")
    ]
    assert told[:2] == [("key", "users.unban", "user=mallory", "ok"), ("console", "users.ban", "user=mallory", "ok")]


async def test_calls_of_methods_are_counted_with_faults_and_refusals_apart(stack: Stack, console: Console) -> None:
    client = stack.client("ann")
    await client.connect()
    await client.ready(10)
    await client.rpc("chat.create_room", {"name": "r"})
    with pytest.raises(CentrifugeError):
        await client.rpc("chat.create_room", {"name": 7})
    await client.disconnect()
    async with asyncio.timeout(30):
        while True:
            methods = (await console.run("apps.methods", app="chat"))["methods"]
            made = next(each for each in methods if each["method"] == "create_room")
            if made["calls"] == 2:
                break
            await asyncio.sleep(0.2)
    assert (made["errors"], made["rejected"]) == (0, 1)
    assert [each["calls"] for each in made["versions"]] == [2]


async def test_timers_that_wait_and_events_are_told(stack: Stack, console: Console) -> None:
    timers = (await console.run("timers.list", app="auctions"))["timers"]
    assert any(each["kind"] == "every" and each["at_ms"] > 0 for each in timers)
    async with console.follow("events.tail") as lines:
        assert await anext(lines) == {"type": "begin"}
        assert await admitted(stack, "eve")
        async with asyncio.timeout(20):
            event = await anext(lines)
            while event.get("user") != "eve":
                event = await anext(lines)
    assert event["event"] in {"connected", "disconnected"}
