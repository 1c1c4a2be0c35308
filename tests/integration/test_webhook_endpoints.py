"""`causeway webhooks` on a real stack: endpoints added while it runs, a real receiver that verifies by `standardwebhooks`, kills in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from support.command import command
from support.peers import Peer
from support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
TYPE = "chat.tested"
FAST = '[integrations.webhook]\nretry_schedule = ["0s", "200ms", "200ms", "1s", "1s", "1s", "1s"]\n'


@dataclass
class Taken:
    """One webhook as it came."""

    path: str
    headers: dict[str, str]
    body: str

    def number(self) -> int:
        """Of the event."""
        return int(json.loads(self.body)["data"]["number"])


@dataclass
class Receiver(Peer):
    """Takes webhooks under any path and keeps them; `status` is its answer."""

    taken: list[Taken] = field(default_factory=list)
    status: int = 204

    def __post_init__(self) -> None:
        super().__init__()

    def routes(self) -> list[web.RouteDef]:
        """As the class says."""
        return [web.post("/{path}", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        self.taken.append(Taken(request.path, {name.lower(): value for name, value in request.headers.items()}, body))
        return web.Response(status=self.status)

    async def has(self, count: int) -> list[Taken]:
        """Wait until so many different ones came; what a killed process held comes when its lease is over."""
        async with asyncio.timeout(60):
            while len({each.headers["webhook-id"] for each in self.taken}) < count:
                await asyncio.sleep(0.02)
        return self.taken


def signed_by(taken: Taken, secret: str) -> bool:
    try:
        Webhook(secret).verify(taken.body, taken.headers)
    except WebhookVerificationError:
        return False
    return True


async def said(stack: Stack, *arguments: str, code: int = 0) -> Any:
    async with command(stack, "webhooks", *arguments) as done:
        assert await done.ended() == code, done.out + done.err
        assert done.out.count("\n") <= 1
        return json.loads(done.out) if done.out else done.err


async def added(stack: Stack, url: str) -> tuple[str, str]:
    found = await said(stack, "add", "--app", "chat", "--event", TYPE, "--url", url)
    assert set(found) == {"id", "secret"}
    assert found["secret"].startswith("whsec_")
    return found["id"], found["secret"]


async def events(stack: Stack, *numbers: int) -> None:
    """The app `chat` tells events, each with a number."""
    users = json.loads((stack.data_dir / "nats.conf").read_text())["authorization"]["users"]
    password = next(user["password"] for user in users if user["user"] == "logic-chat")
    bus = Bus(BusSettings(stack.state()["nats_url"], "logic-chat", password, "test"))
    await bus.start()
    try:
        for number in numbers:
            payload: dict[str, Any] = {"type": TYPE, "timestamp": "2026-01-01T00:00:00.000Z", "data": {"number": number}}
            record = m.NewRecord(id=f"event-{number}", app="chat", connector="webhook", op="event", payload=payload)
            await bus.request(verbs.ENQUEUE, m.EnqueueRequest(records=[record]), Deadline.after(4), caller="chat")
    finally:
        await bus.stop()


async def killed(stack: Stack) -> None:
    """Integrations die, and are there again."""
    pid = stack.pid("integrations")
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while stack.pid("integrations") in (0, pid):
            await asyncio.sleep(0.02)
    await stack.ready()


async def test_an_endpoint_is_added_tested_rotated_and_removed_while_everything_runs(tmp_path: Path) -> None:
    """An event told after `add` has answered is delivered, signed; both secrets sign during a rotation; a removed endpoint gets nothing."""
    receiver = Receiver()
    async with receiver, running_stack(tmp_path, config=FAST) as stack:
        assert await said(stack, "list") == []
        name, first = await added(stack, f"{receiver.url}/a")
        await events(stack, 1)
        (taken,) = await receiver.has(1)
        assert signed_by(taken, first)
        assert json.loads(taken.body) == {"type": TYPE, "timestamp": "2026-01-01T00:00:00.000Z", "data": {"number": 1}}

        tested = await said(stack, "test", name)
        assert (tested["outcome"], tested["status"]) == ("done", 204)
        taken = (await receiver.has(2))[-1]
        assert taken.headers["webhook-id"] == tested["webhook_id"]
        assert json.loads(taken.body)["type"] == "webhook.test"
        assert signed_by(taken, first)
        receiver.status = 503
        assert (await said(stack, "test", name, code=1))["status"] == 503
        receiver.status = 204

        second = (await said(stack, "rotate", name))["secret"]
        await killed(stack)
        await events(stack, 2)
        taken = (await receiver.has(4))[-1]
        assert [signed_by(taken, secret) for secret in (first, second)] == [True, True]
        third = (await said(stack, "rotate", name, "--overlap", "0s"))["secret"]
        await events(stack, 3)
        taken = (await receiver.has(5))[-1]
        assert [signed_by(taken, secret) for secret in (first, second, third)] == [True, False, True]

        (listed,) = await said(stack, "list")
        assert (listed["id"], listed["app"], listed["event"], listed["disabled"]) == (name, "chat", TYPE, "")
        async with asyncio.timeout(20):
            while len((shown := await said(stack, "show", name))["attempts"]) < 2:
                continue
        assert {(each["outcome"], each["status"]) for each in shown["attempts"]} == {("done", 204)}
        assert not any(secret in json.dumps([listed, shown]) + stack.log() for secret in (first, second, third))

        assert "there already" in await said(stack, "add", "--app", "chat", "--event", TYPE, "--url", f"{receiver.url}/a", code=1)
        assert await said(stack, "remove", name) == {"id": name}
        _, again = await added(stack, f"{receiver.url}/b")
        await events(stack, 4)
        taken = (await receiver.has(6))[-1]
        assert taken.path == "/b"
        assert signed_by(taken, again)
        for operation in ("show", "test", "rotate", "enable", "remove"):
            assert "no such endpoint" in await said(stack, operation, name, code=1)
        async with command(stack, "audit", "--json") as done:
            await done.ended()
            assert '"webhooks.add"' in done.out
            assert '"webhooks.rotate"' in done.out
            assert first not in done.out


async def test_what_came_while_an_endpoint_was_not_there_is_replayed_through_a_kill(tmp_path: Path) -> None:
    """A replay delivers each of the app's events of the time range once more, under ids that tell it, whatever dies in between."""
    receiver = Receiver()
    async with receiver, running_stack(tmp_path, config=FAST) as stack:
        await events(stack, *range(10))
        name, secret = await added(stack, f"{receiver.url}/a")
        async with asyncio.timeout(20):
            while await undone(stack):
                continue
        pid = stack.pid("integrations")
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while stack.pid("integrations") in (0, pid):
                await asyncio.sleep(0.02)
        await stack.ready()
        replay = (await said(stack, "replay", name, "--since", "10m"))["replay"]
        await killed(stack)
        await receiver.has(10)
        assert {each.number() for each in receiver.taken} == set(range(10))
        assert all(each.headers["webhook-id"].startswith(f"{replay}_") for each in receiver.taken)
        assert all(signed_by(each, secret) for each in receiver.taken)
        later = (await said(stack, "replay", name, "--since", "0s"))["replay"]
        assert later != replay


async def undone(stack: Stack) -> list[Any]:
    found: list[Any] = []
    for state in ("pending", "retrying"):
        async with command(stack, "jobs", "list", "--state", state, "--json") as done:
            assert await done.ended() == 0, done.err
            found += json.loads(done.out)
    return found


async def test_an_endpoint_that_is_gone_or_fails_for_too_long_is_disabled_told_and_enabled_again(tmp_path: Path) -> None:
    """410 disables at once, nothing but failures after a while; both are events of CW_EVENTS; `enable` sends again."""
    receiver = Receiver()
    receiver.status = 410
    async with receiver, running_stack(tmp_path, config=FAST + 'disable_after = "1s"\n') as stack:
        name, _ = await added(stack, f"{receiver.url}/a")
        await events(stack, 1)
        assert "410" in await disabled(stack, name)
        async with command(stack, "events", "--type", "endpoint_disabled", "--since", "10m", "--json") as told:
            async with asyncio.timeout(20):
                while told.out.count("\n") < 1:
                    await asyncio.sleep(0.02)
            event = json.loads(told.out.splitlines()[0])
            assert (event["type"], event["app"], event["endpoint"]) == ("endpoint_disabled", "chat", name)
            await events(stack, 2)
            await said(stack, "enable", name)

            receiver.status = 500
            before = len(receiver.taken)
            await events(stack, 3)
            assert "nothing but failures" in await disabled(stack, name)
            assert {each.number() for each in receiver.taken[before:]} == {3}
            async with asyncio.timeout(20):
                while told.out.count("\n") < 2:
                    await asyncio.sleep(0.02)
        receiver.status = 204
        await said(stack, "enable", name)
        await killed(stack)
        await events(stack, 4)
        async with asyncio.timeout(20):
            while 4 not in {each.number() for each in receiver.taken}:
                await asyncio.sleep(0.02)


async def disabled(stack: Stack, name: str) -> str:
    async with asyncio.timeout(30):
        while not (reason := (await said(stack, "show", name))["disabled"]):
            continue
    return str(reason)


async def test_a_private_address_is_refused_where_it_is_added(tmp_path: Path) -> None:
    """Loopback is for `causeway dev`; no other address that is not public is taken, by whatever name."""
    async with running_stack(tmp_path) as stack:
        for url in ("http://10.0.0.1/a", "http://169.254.169.254/latest", "http://[::ffff:192.168.0.1]/a", "ftp://example.com"):
            why = await said(stack, "add", "--app", "chat", "--event", TYPE, "--url", url, code=1)
            assert ("not public" in why) is url.startswith("http"), why
        assert await said(stack, "list") == []
