"""P5 and the protocol's own answers, over the real stack: each bad input gets its code, and a bystander notices nothing."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from centrifuge import PublicationContext, SubscriptionEventHandler

from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

CONFIG = """
[[channel.namespaces]]
name = "open"
history_size = 100
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
allow_history_for_subscriber = true

[[channel.namespaces]]
name = "shut"
"""


class Bystander(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.seen.append(ctx.pub.data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("bad-input")
    async with running_stack(directory, config=CONFIG) as running:
        bystander = Bystander()
        client = running.client("bystander")
        await client.connect()
        subscription = client.new_subscription("open:bystander", bystander)
        await subscription.subscribe()
        await subscription.ready(10)
        connection = (await client.rpc("chat.create_room", {"name": "b"})).data
        yield running
        async with aiohttp.ClientSession() as session:
            await session.post(
                f"http://127.0.0.1:{running.port}/api/publish",
                json={"channel": "open:bystander", "data": "still here"},
                headers={"X-API-Key": running.credentials["api_key"]},
            )
        await until(lambda: bystander.seen == ["still here"])
        assert client.state.name == "CONNECTED"
        assert connection
        await client.disconnect()


class Wire:
    """A raw connection: frames out, replies and close codes in."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, *commands: object) -> None:
        await self._socket.send_str("\n".join(json.dumps(command) for command in commands))

    async def raw(self, text: str) -> None:
        await self._socket.send_str(text)

    async def replies(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = await self._socket.receive(timeout=10)
            assert message.type is aiohttp.WSMsgType.TEXT, f"closed with {self._socket.close_code} after {found}"
            found += [json.loads(line) for line in message.data.split("\n") if line != "{}"]
        return found

    async def reply(self, command: object) -> dict[str, Any]:
        await self.send(command)
        return (await self.replies(1))[0]

    async def closed(self) -> int | None:
        while (await self._socket.receive(timeout=15)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self._socket.close_code


@asynccontextmanager
async def wire(stack: Stack, user: str | None = "ann") -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as session, session.ws_connect(stack.url) as socket:
        connection = Wire(socket)
        if user is not None:
            reply = await connection.reply({"id": 1, "connect": {"token": stack.token(user)}})
            assert reply["connect"]["client"]
        yield connection


@pytest.mark.parametrize(
    "frame", ["", "not json", "{", "[]", '{"id":1}\n\n{"id":2}', '{"id":"x"}', '{"id":1,"connect":5}', '{"id":2,"rpc":{}}']
)
async def test_a_bad_frame_before_connect_closes_3501(stack: Stack, frame: str) -> None:
    async with wire(stack, None) as connection:
        await connection.raw(frame)

        assert await connection.closed() == 3501


@pytest.mark.parametrize(
    "command",
    [
        {"id": 2, "connect": {}},
        {"id": 2, "subscribe": {}},
        {"id": 2, "publish": {"data": 1}},
        {"id": 2, "history": {}},
        {"id": 2, "unsubscribe": {}},
        {"id": 2},
        {},
    ],
)
async def test_a_violation_after_connect_closes_3501(stack: Stack, command: object) -> None:
    async with wire(stack) as connection:
        await connection.send(command)

        assert await connection.closed() == 3501


@pytest.mark.parametrize(
    ("command", "code", "temporary"),
    [
        ({"rpc": {"method": "chat.nothing"}}, 104, False),
        ({"rpc": {"method": "nothing.at_all"}}, 104, False),
        ({"rpc": {"method": "no_dot"}}, 108, False),
        ({"rpc": {"method": "chat.*"}}, 104, False),
        ({"rpc": {"method": "chat.send", "data": {"room": 5, "text": "x"}}}, 107, False),
        ({"rpc": {"method": "chat.send", "data": {"room": "nowhere", "text": "x"}}}, 404, False),
        ({"rpc": {"method": "chat.send", "data": {"room": "nowhere", "text": "x" * 4001}}}, 107, False),
        ({"subscribe": {"channel": "nowhere:1"}}, 102, False),
        ({"subscribe": {"channel": "open:" + "x" * 255}}, 107, False),
        ({"subscribe": {"channel": "shut:1"}}, 103, False),
        ({"subscribe": {"channel": "chat:nowhere"}}, 404, False),
        ({"subscribe": {"channel": "open:1", "token": "x"}}, 103, False),
        ({"publish": {"channel": "open:1", "data": 1}}, 103, False),
        ({"publish": {"channel": "nowhere:1", "data": 1}}, 102, False),
        ({"publish": {"channel": "chat:1", "data": 1}}, 103, False),
        ({"history": {"channel": "shut:1", "limit": 1}}, 108, False),
        ({"presence": {"channel": "open:1"}}, 108, False),
    ],
)
async def test_a_refused_command_has_its_code_and_the_connection_lives(
    stack: Stack, command: dict[str, Any], code: int, temporary: bool
) -> None:
    async with wire(stack) as connection:
        reply = await connection.reply({"id": 7, **command})

        assert reply["id"] == 7
        assert (reply["error"]["code"], reply["error"].get("temporary", False)) == (code, temporary), reply
        assert reply["error"]["message"]
        assert "error" not in await connection.reply({"id": 8, "subscribe": {"channel": "open:alive"}})


async def test_a_second_subscribe_is_105_and_the_first_one_stays(stack: Stack) -> None:
    async with wire(stack) as connection:
        await connection.send({"id": 2, "subscribe": {"channel": "open:2"}}, {"id": 3, "subscribe": {"channel": "open:2"}})
        replies = {reply["id"]: reply for reply in await connection.replies(2)}

        assert "subscribe" in replies[2]
        assert replies[3]["error"]["code"] == 105


async def test_a_wrong_epoch_in_history_is_112(stack: Stack) -> None:
    async with wire(stack) as connection:
        await stack_publish(stack, "open:3", 1)
        await connection.reply({"id": 2, "subscribe": {"channel": "open:3"}})

        reply = await connection.reply(
            {"id": 3, "history": {"channel": "open:3", "limit": 1, "since": {"offset": 0, "epoch": "other"}}}
        )

        assert reply["error"]["code"] == 112


async def test_a_recovery_from_another_epoch_is_told_recovered_false(stack: Stack) -> None:
    """P4."""
    async with wire(stack) as connection:
        await stack_publish(stack, "open:4", 1)

        reply = await connection.reply(
            {"id": 2, "subscribe": {"channel": "open:4", "recover": True, "offset": 1, "epoch": "other"}}
        )

        assert reply["subscribe"]["was_recovering"] is True
        assert not reply["subscribe"].get("recovered", False)


async def test_tokens_wrong_expired_and_missing_have_their_own_answers(stack: Stack) -> None:
    for token, outcome in (("a.b.c", 3500), (stack.token("ann")[:-4] + "AAAA", 3500), ("", 3501)):
        async with wire(stack, None) as connection:
            await connection.send({"id": 1, "connect": {"token": token}})
            assert await connection.closed() == outcome
    async with wire(stack, None) as connection:
        reply = await connection.reply({"id": 1, "connect": {"token": stack.token("ann", exp=int(time.time()) - 60)}})
        assert reply["error"]["code"] == 109


async def test_a_frame_over_64_kib_closes_1009(stack: Stack) -> None:
    async with wire(stack) as connection:
        await connection.send({"id": 2, "rpc": {"method": "chat.send", "data": "x" * 70_000}})

        assert await connection.closed() == 1009


async def stack_publish(stack: Stack, channel: str, data: object, **more: object) -> tuple[int, dict[str, Any]]:
    return await api(stack, "publish", {"channel": channel, "data": data, **more})


async def api(stack: Stack, method: str, body: object, key: str | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"X-API-Key": stack.credentials["api_key"] if key is None else key}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{stack.port}/api/{method}", data=data, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else {"text": text}


async def test_the_server_api_answers_each_fault_with_its_own_status_or_error(stack: Stack) -> None:
    assert (await api(stack, "publish", {"channel": "open:5", "data": 1}, key="wrong"))[0] == 401
    assert (await api(stack, "publish", {"channel": "open:5", "data": 1}, key=""))[0] == 401
    assert (await api(stack, "publish", b"{"))[0] == 400
    assert (await api(stack, "nothing", {}))[0] == 404
    for body, code in (
        ({"channel": "nowhere:1", "data": 1}, 102),
        ({"channel": "open:5"}, 107),
        ({"channel": "", "data": 1}, 107),
        ({"channel": "open:" + "x" * 300, "data": 1}, 107),
        ({"channel": "open:5", "data": 1, "idempotency_key": "k" * 500}, 107),
        ({"channel": "open:5", "data": 1, "skip_history": True, "version": 1}, 107),
    ):
        status, answer = await api(stack, "publish", body)
        assert (status, answer["error"]["code"]) == (200, code), answer
        assert answer["error"]["message"]
        assert answer["error"]["temporary"] is False


async def test_a_repeated_idempotency_key_gets_the_first_answer(stack: Stack) -> None:
    first = await stack_publish(stack, "open:6", {"n": 1}, idempotency_key="once")
    second = await stack_publish(stack, "open:6", {"n": 2}, idempotency_key="once")

    assert first == second
    _, history = await api(stack, "history", {"channel": "open:6", "limit": 10})
    assert [publication["data"] for publication in history["result"]["publications"]] == [{"n": 1}]


async def test_a_payload_arrives_byte_for_byte_but_for_raw_newlines(stack: Stack) -> None:
    async with wire(stack) as connection:
        await connection.reply({"id": 2, "subscribe": {"channel": "open:7"}})
        await api(stack, "publish", b'{"channel": "open:7", "data": {\n "big": 9007199254740993,\n "e": "\xc3\xa9" }}')
        message = await connection._socket.receive(timeout=10)

        assert '{ "big": 9007199254740993, "e": "é" }' in message.data


async def test_the_front_page_says_what_runs_and_how_to_connect(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{stack.port}/") as answer:
        page = await answer.text()

    assert answer.status == 200
    assert "/connection/websocket" in page
    assert "causeway token --user USER" in page
