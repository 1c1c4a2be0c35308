"""Two versions of an app at once, as they really run: replaced under load without a failed call, and a canary that gets its share."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from apps.chat import app
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs as v
from causeway_common.contracts.versions import standing
from support.command import Command, command
from support.instances import Instance, password_of
from support.people import Person, Street, street
from support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
MODULE = """
import os
from apps.chat import app
from causeway_logic import Context

app.version = os.environ["CHAT_VERSION"]

@app.rpc
async def version(ctx: Context) -> str:
    return app.version
"""
CROWD = 24


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """With the reference chat, which has no method `version`."""
    async with running_stack(tmp_path_factory.mktemp("versions"), gateways=2) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def instances(stack: Stack, tmp_path: Path) -> AsyncIterator[Any]:
    """Starts instances of the chat at a version; those that still run are ended behind the test."""
    (tmp_path / "chat_at.py").write_text(MODULE)
    async with AsyncExitStack() as running:

        async def start(version: str) -> Instance:
            instance = Instance(stack, tmp_path, "chat_at:app", app="chat", env={"CHAT_VERSION": version})
            running.push_async_callback(instance.stop)
            return await instance.start()

        yield start


async def causeway(stack: Stack, *arguments: str) -> Command:
    """A command of the command line, done."""
    async with command(stack, *arguments) as done:
        assert await done.ended() == 0, done.err
        return done


async def answered_by(person: Person) -> str:
    reply = await person.ask(rpc={"method": "chat.version", "data": None})
    return str(reply.get("rpc", {}).get("data", reply))


async def all_answered_by(people: list[Person], version: str) -> None:
    """Wait until everybody is answered by this version: gateways hear of it a moment after it is ready."""
    async with asyncio.timeout(20):
        while set(await asyncio.gather(*map(answered_by, people))) != {version}:
            await asyncio.sleep(0.05)


class Load:
    """People who call without a pause, each its own room, until they are told to stop."""

    def __init__(self) -> None:
        self.failed: list[Any] = []
        self.versions: Counter[str] = Counter()
        self.sent: dict[str, int] = {}
        self.going = True

    async def run(self, person: Person) -> None:
        room = (await person.ask(rpc={"method": "chat.create_room", "data": {"name": "r"}}))["rpc"]["data"]["room"]
        self.sent[room] = 0
        while self.going:
            sent = await person.ask(rpc={"method": "chat.send", "data": {"room": room, "text": "x"}})
            if "rpc" in sent:
                self.sent[room] += 1
            told = await person.ask(rpc={"method": "chat.version", "data": None})
            self.failed += [reply for reply in (sent, told) if "rpc" not in reply]
            if "rpc" in told:
                self.versions[told["rpc"]["data"]] += 1
            await asyncio.sleep(0.01)


async def people_of(place: Street, count: int) -> list[Person]:
    return [await place.person(f"user-{number}", f"gateway-{1 + number % 2}") for number in range(count)]


async def test_a_version_is_replaced_under_load_without_a_failed_call(stack: Stack, instances: Any) -> None:
    """P9: instance by instance, as an orchestrator does it; nothing that was acknowledged is lost."""
    async with street(stack) as place:
        people = await people_of(place, CROWD)
        old = [await instances("1.4.0"), await instances("1.4.0")]
        await all_answered_by(people, "1.4.0")
        load = Load()
        calling = [asyncio.ensure_future(load.run(person)) for person in people]
        new = [await instances("1.5.0")]
        assert await old[0].stop() == 0
        new.append(await instances("1.5.0"))
        assert await old[1].stop() == 0
        calls = load.versions["1.5.0"]
        await asyncio.sleep(1)
        load.going = False
        await asyncio.gather(*calling)

        assert load.failed == []
        assert load.versions["1.4.0"] > CROWD
        assert load.versions["1.5.0"] > calls
        await all_answered_by(people, "1.5.0")
        for room, count in load.sent.items():
            person = people[list(load.sent).index(room)]
            page = await person.ask(rpc={"method": "chat.history", "data": {"room": room, "limit": 1}})
            if "rpc" in page:
                assert page["rpc"]["data"]["messages"][-1]["id"] == str(count)

        assert await new[0].stop(signal.SIGKILL) != 0
        await all_answered_by(people, "1.5.0")
        await asyncio.gather(*(person.leave() for person in people))


async def test_a_canary_gets_its_share_each_user_always_the_same_and_nobody_else(stack: Stack, instances: Any) -> None:
    """Who is in the share follows from the hash alone, on both gateways; it grows by those who join it, and ends with its route."""
    async with street(stack) as place:
        people = await people_of(place, 40)
        await instances("2.0.0")
        await all_answered_by(people, "2.0.0")
        await causeway(stack, "route", "chat.version", "--version", "2.1.0", "--share", "30%")
        await all_answered_by(people, "2.0.0")  # nobody serves it yet
        canary = await instances("2.1.0")

        async def shared(permille: int) -> None:
            expected = ["2.1.0" if standing("chat", person.user)[0] < permille else "2.0.0" for person in people]
            assert 0 < expected.count("2.1.0") < len(people)
            async with asyncio.timeout(20):
                while await asyncio.gather(*map(answered_by, people)) != expected:
                    await asyncio.sleep(0.05)
            for _ in range(3):
                assert await asyncio.gather(*map(answered_by, people)) == expected

        await shared(300)
        shown = json.loads((await causeway(stack, "route", "--json")).out)
        assert shown == {"app": "chat", "method": "version", "version": "2.1.0", "share_permille": 300, "instances": 1}
        await causeway(stack, "route", "chat.version", "--version", "2.1.0", "--share", "60%")
        await shared(600)

        assert await canary.stop(signal.SIGKILL) != 0
        for _ in range(3):
            assert set(await asyncio.gather(*map(answered_by, people))) == {"2.0.0"}
        await instances("2.1.0")
        await shared(600)
        await causeway(stack, "route", "chat.version", "--remove")
        await all_answered_by(people, "2.1.0")
        audited = (await causeway(stack, "audit", "--limit", "50")).out
        assert "route.set" in audited
        assert "route.remove" in audited
        await asyncio.gather(*(person.leave() for person in people))


async def test_a_method_exists_while_any_living_version_has_it_and_who_was_killed_is_seen_to_be_silent(
    stack: Stack, instances: Any
) -> None:
    """And what the ruling version breaks of it is told by `causeway apps` and `causeway check`."""
    async with street(stack) as place:
        (person,) = await people_of(place, 1)
        killed = await instances("0.9.0")
        await killed.stop(signal.SIGKILL)
        instance = await instances("0.0.9")  # lower than the chat that the stack runs, and alone with its method
        await all_answered_by([person], "0.0.9")
        async with asyncio.timeout(60):
            while (apps := json.loads((await causeway(stack, "apps", "chat", "--json")).out))["ruling"] != app.version:
                await asyncio.sleep(0.5)
        assert [each["version"] for each in apps["versions"] if each["instances"]] == [app.version, "0.0.9"]
        broken = f"{app.version} breaks 0.0.9: the method version is gone"
        assert broken in apps["breaks"]
        check = await causeway(stack, "check")
        assert f"warning: chat: {broken}" in check.err

        assert await instance.stop() == 0
        async with asyncio.timeout(20):
            while (await person.ask(rpc={"method": "chat.version", "data": None})).get("error", {}).get("code") != 104:
                await asyncio.sleep(0.05)
        await person.leave()


async def test_a_gateway_of_a_release_that_knows_no_versions_is_answered(stack: Stack, instances: Any) -> None:
    """Mixed releases: it asks the app's plain subject, and any instance answers."""
    await instances("3.0.0")
    bus = Bus(BusSettings(stack.state()["nats_url"], "gateway-1", password_of(stack, "gateway-1"), "old"))
    await bus.start()
    try:
        request = m.RpcRequest(user="ann", client="c", data=b'{"name": "r"}')
        reply = await bus.request(v.RPC, request, Deadline.after(4), app="chat", method="create_room")
        assert b"room" in reply.data
    finally:
        await bus.stop()
