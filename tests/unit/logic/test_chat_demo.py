"""Demo users: off unless switched on, then let in by name, into a lobby."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from apps.chat import app
from apps.chat.demo import SWITCH
from causeway_testing import AppTester, CallError

NOBODY, NO_METHOD = 108, 104


@pytest.fixture
def demo_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The chat app as a process has it in which the switch is on."""
    kept = {name: module for name, module in sys.modules.items() if name == "apps.chat" or name.startswith("apps.chat.")}
    for name in kept:
        del sys.modules[name]
    monkeypatch.setenv(SWITCH, "1")
    yield importlib.import_module("apps.chat").app
    for name in [name for name in sys.modules if name == "apps.chat" or name.startswith("apps.chat.")]:
        del sys.modules[name]
    sys.modules.update(kept)
    vars(sys.modules["apps"])["chat"] = kept["apps.chat"]


@pytest.fixture
async def tester(demo_app: Any) -> AsyncIterator[AppTester]:
    async with AppTester(demo_app) as made:
        yield made


async def refusal(tester: AppTester, data: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        await tester.connect(data)
    return caught.value


async def test_without_the_switch_nobody_is_let_in_by_name() -> None:
    """Safe by default: the app has no connect hook at all."""
    async with AppTester(app) as tester:
        assert (await refusal(tester, {"demo_user": "ann"})).code == NOBODY


@pytest.mark.parametrize("name", ["ann", 'O\'Neil "Bob"', "Zoë", "عمر", "🦊", "<b>", "x" * 40])
async def test_a_demo_user_is_let_in_by_name_and_talks_in_the_lobby(tester: AppTester, name: str) -> None:
    user = await tester.connect({"demo_user": name})
    other = await tester.connect({"demo_user": "somebody else"})
    watched = await other.subscribe("chat:lobby")
    await user.call("send", {"room": "lobby", "text": "hello"})

    assert user.name == name
    assert [message["user"] for message in watched.messages] == [name]


async def test_who_comes_again_is_a_member_once(tester: AppTester) -> None:
    await tester.connect({"demo_user": "ann"})
    user = await tester.connect({"demo_user": "ann"})
    assert (await user.call("room", {"room": "lobby"}))["members"] == ["causeway", "ann"]


@pytest.mark.parametrize("data", [None, "ann", {}, ["demo_user"]])
async def test_who_names_no_demo_user_is_a_client_without_a_token(tester: AppTester, data: Any) -> None:
    assert (await refusal(tester, data)).code == 101


@pytest.mark.parametrize("data", [{"demo_user": ""}, {"demo_user": " ann"}, {"demo_user": 7}, {"demo_user": "x" * 41}])
async def test_without_a_good_name_nobody_is_let_in(tester: AppTester, data: Any) -> None:
    assert (await refusal(tester, data)).code == 403


async def test_the_lobbys_owner_is_nobody_and_a_banned_user_stays_out(tester: AppTester) -> None:
    assert (await refusal(tester, {"demo_user": "causeway"})).message == "this name is taken"
    await tester.connect({"demo_user": "bob"})
    await tester.user("causeway").call("ban", {"room": "lobby", "user": "bob"})
    assert (await refusal(tester, {"demo_user": "bob"})).code == 403


async def test_rooms_that_a_crowd_opens_are_everybodys_and_without_a_crowd_there_is_the_lobby_alone(tester: AppTester) -> None:
    early = await tester.connect({"demo_user": "ann"})
    await early.call("room", {"room": "lobby"})
    with pytest.raises(CallError):
        await early.call("room", {"room": "harbour"})
    bot, other = tester.user("Ada-bot"), tester.user("Emre-bot")
    for each in (bot, other, bot):
        assert await each.call("open_house", {"name": "Harbour"}) == {"room": "harbour"}
    await tester.connect({"demo_user": "bob"})
    assert (await bot.call("room", {"room": "harbour"}))["members"] == ["causeway", "Ada-bot", "Emre-bot", "bob"]
    assert (await early.call("room", {"room": "lobby"}))["members"] == ["causeway", "ann", "bob"]


async def test_who_looks_in_from_the_door_is_nobodys_namesake_and_no_member_of_the_lobby(tester: AppTester) -> None:
    onlooker = await tester.connect({"onlooker": True})
    assert onlooker.name == "onlooker"
    assert (await refusal(tester, {"demo_user": "onlooker"})).code == 403
    ann = await tester.connect({"demo_user": "ann"})
    assert (await ann.call("room", {"room": "lobby"}))["members"] == ["causeway", "ann"]
    with pytest.raises(CallError, match="join the room first"):
        await onlooker.call("send", {"room": "lobby", "text": "hello"})


async def test_the_playgrounds_numbers_come_once_and_in_order_however_often_they_are_sent(tester: AppTester) -> None:
    """A number that is sent again, because no answer came, is answered and not published a second time."""
    ann, bob = await tester.connect({"demo_user": "ann"}), await tester.connect({"demo_user": "bob"})
    watched = await ann.subscribe("playground:run00001")
    for number in (1, 2, 2, 1, 3, 3):
        assert await ann.call("count", {"run": "run00001", "number": number}) == {"number": number}
    with pytest.raises(CallError, match="somebody else"):
        await bob.call("count", {"run": "run00001", "number": 4})

    assert watched.messages == [{"number": 1}, {"number": 2}, {"number": 3}]


async def test_without_the_switch_nobody_counts() -> None:
    async with AppTester(app) as tester:
        with pytest.raises(CallError) as caught:
            await tester.user("ann").call("count", {"run": "run00001", "number": 1})
    assert caught.value.code == NO_METHOD
