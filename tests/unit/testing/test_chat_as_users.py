"""Some of the chat app's own tests as AppTester has them: users, what they are answered, what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.chat import app
from causeway_testing import AppTester, CallError, User


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        yield made


async def room_of(owner: User, *members: User) -> str:
    room: str = (await owner.call("create_room", {"name": "Kitchen"}))["room"]
    for member in members:
        await member.call("join", {"room": room})
    return room


async def code_of(work: Any) -> int:
    """The error code of a call or a subscription, 0 for a success."""
    try:
        await work
    except CallError as error:
        return error.code
    return 0


async def test_a_message_reaches_the_members_and_is_told_outside_as_it_was_sent(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    room = await room_of(ann, bob)
    watched = await bob.subscribe(f"chat:{room}")
    await ann.call("send", {"room": room, "text": "hé\nllo"})

    told = await watched.next()
    assert (told["type"], told["id"], told["user"], told["text"]) == ("message", "1", "ann", "hé\nllo")
    assert told["at"] == "2025-01-01T00:00:00.000Z"
    (outside,) = [job.payload for job in tester.jobs if job.operation == "webhook.event"]
    assert outside["type"] == "chat.message.created"
    assert (outside["data"]["room"], outside["data"]["text"]) == (room, "hé\nllo")
    (read,) = (await bob.call("history", {"room": room}))["messages"]
    assert read["text"] == "hé\nllo"


async def test_who_comes_back_has_missed_nothing(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    room = await room_of(ann, bob)
    watched = await bob.subscribe(f"chat:{room}")
    bob.disconnect()
    for text in ("one", "two", "three"):
        await ann.call("send", {"room": room, "text": text})

    assert await watched.recover()
    assert [message["text"] for message in watched.messages] == ["one", "two", "three"]


async def test_only_members_send_read_and_watch(tester: AppTester) -> None:
    ann, eve, nobody = tester.user("ann"), tester.user("eve"), tester.user("")
    room = await room_of(ann)
    codes = [
        [
            await code_of(user.call("send", {"room": room, "text": "x"})),
            await code_of(user.call("history", {"room": room})),
            await code_of(user.subscribe(f"chat:{room}")),
        ]
        for user in (ann, eve, nobody)
    ]

    assert codes == [[0, 0, 0], [403, 403, 403], [403, 403, 403]]
    assert await code_of(ann.publish(f"chat:{room}", {"type": "message", "text": "by hand"})) == 103


async def test_who_types_is_told_as_the_user_that_it_is(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    room = await room_of(ann, bob)
    watched = await ann.subscribe(f"chat_typing:{room}")
    await bob.publish(f"chat_typing:{room}", {"typing": True, "user": "ann"})

    assert await watched.next() == {"type": "typing", "user": "bob", "typing": True}


async def test_members_see_who_comes_and_goes(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    room = await room_of(ann, bob)
    watched = await ann.subscribe(f"chat:{room}")
    await bob.subscribe(f"chat:{room}")
    bob.disconnect()

    assert [(each.user, each.joined) for each in watched.memberships] == [("ann", True), ("bob", True), ("bob", False)]
    assert [each.user for each in (await ann.presence(f"chat:{room}")).values()] == ["ann"]
