"""The calling half of the app SDK on the whole stack: real clients, gateways, storage, and an app that is killed."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support import desk
from support.people import Person, street
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("sdk")
    shutil.copy(Path(desk.__file__), folder / "desk.py")
    async with running_stack(folder, gateways=2, arguments=("--app", "desk:app")) as running:
        yield running


async def call(person: Person, method: str, data: Any = None) -> Any:
    """The result, or the error's code, message and whether it is temporary."""
    reply = await person.ask(rpc={"method": f"desk.{method}", "data": data})
    if "error" in reply:
        error = reply["error"]
        return error["code"], error["message"], error.get("temporary", False)
    return reply["rpc"]["data"]


async def test_handlers_get_services_typed_channels_and_named_threads(stack: Stack) -> None:
    async with street(stack) as place:
        ann, bob = await place.person("ann", "gateway-1"), await place.person("bob", "gateway-2")
        for person in (ann, bob):
            await person.subscribe("desk:1")
            await person.subscribe("desk_typing:1")
        refused = await ann.ask(subscribe={"channel": "desk:11"})
        strange = await ann.ask(subscribe={"channel": "desk:first"})

        assert (refused["error"]["code"], refused["error"]["message"]) == (404, "no such desk")
        assert strange["error"]["code"] == 102
        assert await call(ann, "print_thread") == "desk.print_thread"
        assert await call(ann, "who") == [["ann", "bob"], 2]
        first, repeat = await call(ann, "say", {"text": "hello"}), await call(bob, "say", {"text": "hello"})
        assert (first[:2], repeat[:2]) == ([1, False], [1, True])
        assert repeat[2] == first[2] + 1
        await ann.ask(publish={"channel": "desk:1", "data": {"text": "loud"}})
        await until(lambda: all(person.data["desk:1"] == [{"text": "hello"}, {"text": "LOUD"}] for person in (ann, bob)))
        await until(lambda: all(person.data["desk_typing:1"] == [{"said": "hello"}] * 2 for person in (ann, bob)))
        wrong = await ann.ask(publish={"channel": "desk:1", "data": {"text": 7}})
        assert wrong["error"]["code"] == 107
        assert "text: Input should be a valid string" in wrong["error"]["message"]


async def test_a_publish_hook_gives_tags_that_subscribers_filter_by(stack: Stack) -> None:
    async with street(stack) as place:
        cat, dan = await place.person("cat", "gateway-1"), await place.person("dan", "gateway-2")
        await dan.ask(subscribe={"channel": "desk_typing:2", "tf": {"key": "user", "cmp": "eq", "val": "cat"}})
        for person in (dan, cat):
            await person.ask(publish={"channel": "desk_typing:2", "data": {"typing": "liar"}})
        await until(lambda: bool(dan.data["desk_typing:2"]))

        assert dan.data["desk_typing:2"] == [{"typing": "cat"}]


async def test_users_are_moved_and_thrown_out_on_whichever_gateway_they_are(stack: Stack) -> None:
    async with street(stack) as place:
        eve, fay = await place.person("eve", "gateway-1"), await place.person("fay", "gateway-2")
        await eve.subscribe("desk:2")
        assert await call(fay, "move", "eve") == [1, 1]
        assert "eve" in (await call(fay, "who"))[0]
        assert await call(fay, "throw_out", "eve") == 1
        await until(lambda: bool(eve.code))
        assert eve.code == 3503


async def test_faults_overload_and_time_have_their_errors(stack: Stack) -> None:
    async with street(stack) as place:
        ann = await place.person("ann")
        code, message, temporary = await call(ann, "crash")
        trace = re.fullmatch(r"internal server error \(trace ([0-9a-f]{32})\)", message)
        assert (code, temporary) == (100, True)
        assert trace is not None
        await until(lambda: trace[1] in stack.log() and "hunter2" in stack.log())
        assert (await call(ann, "say", {"text": 7}))[0] == 107

        first, second = await asyncio.gather(call(ann, "slow", 0.5), call(ann, "slow", 0.5))
        assert first == "done"
        assert (second[0], second[2]) == (111, True)
        code, message, temporary = await call(ann, "slow", 20)
        assert (code, temporary) == (100, True)
        assert "time has passed" in message

        assert await call(ann, "block", 0.5) is None
        await until(lambda: "desk.block" in stack.log() and "time.sleep(req)" in stack.log())


async def test_what_goes_outside_is_durable_or_told(stack: Stack) -> None:
    async with street(stack) as place:
        ann = await place.person("ann")
        assert await call(ann, "post", "x") is None
        code, message, _ = await call(ann, "pay")
        assert code in {103, 104}
        assert "nowhere" in message


async def test_a_call_with_a_key_gives_its_first_result_through_a_kill_of_the_app(stack: Stack) -> None:
    """The app dies after the commit, before the result is kept: the next call with the key takes over and nothing is done twice."""
    async with street(stack) as place:
        gus = await place.person("gus", "gateway-1")
        assert await call(gus, "withdraw", {"amount": 10, "request_id": "a"}) == 90
        assert await call(gus, "withdraw", {"amount": 10, "request_id": "a"}) == 90
        assert (await call(gus, "withdraw", {"amount": 20, "request_id": "a"}))[0] == 107

        killed = asyncio.ensure_future(call(gus, "withdraw", {"amount": 60, "request_id": "b", "wait": 3}))
        while await call(gus, "withdraw", {"amount": 0}) != 30:
            await asyncio.sleep(0.01)
        stack.kill("logic-desk")
        again = await in_the_end(gus, {"amount": 60, "request_id": "b", "wait": 3})

        assert again == 30
        assert (await killed)[0] == 100
        assert await call(gus, "withdraw", {"amount": 60, "request_id": "b", "wait": 3}) == 30
        assert await call(gus, "withdraw", {"amount": 0}) == 30


async def in_the_end(person: Person, data: Any) -> Any:
    """The answer that is no temporary error: the claim of the killed run ends with its deadline."""
    async with asyncio.timeout(40):
        while True:
            answer = await call(person, "withdraw", data)
            if not (isinstance(answer, tuple) and answer[2]):
                return answer
            await asyncio.sleep(0.1)
