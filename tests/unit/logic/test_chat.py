"""The chat app's rules, over a fake storage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.chat import app
from apps.chat.rules import MEMBERS_MAX
from causeway_common.contracts.errors import CausewayError
from unit.logic.fakes import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(app)
    await made.dispatcher.start()
    yield made
    await made.dispatcher.stop()


async def room_of(bench: Bench, *members: str) -> str:
    owner, *others = members
    room: str = (await bench.call("create_room", {"name": "Kitchen"}, user=owner))["room"]
    for user in others:
        await bench.call("join", {"room": room}, user=user)
    return room


async def code_of(bench: Bench, method: str, data: Any, user: str) -> int:
    """The error code of a call, 0 for a success."""
    try:
        await bench.call(method, data, user=user)
    except CausewayError as error:
        return error.code
    return 0


async def test_a_message_is_published_and_told_outside_as_it_was_sent(bench: Bench) -> None:
    room = await room_of(bench, "ann")
    answer = await bench.call("send", {"room": room, "text": "hé\nllo"}, user="ann")

    assert answer == {"id": "1"}
    message = {"id": "1", "user": "ann", "text": "hé\nllo", "at": "2025-01-01T00:00:00.000Z"}
    assert json.loads(bench.storage.logs[f"chat:{room}"][0].data) == {"type": "message"} | message
    (job,) = bench.storage.jobs
    assert (job.connector, job.op) == ("webhook", "event")
    assert job.payload == {"type": "chat.message.created", "timestamp": message["at"], "data": {"room": room} | message}
    assert await bench.call("history", {"room": room}) == {"messages": [message]}


async def test_joining_again_is_no_error_and_no_commit(bench: Bench) -> None:
    room = await room_of(bench, "ann", "bob")
    commits = len(bench.storage.seen)
    assert await bench.call("join", {"room": room}, user="bob") == {"room": room}

    assert len(bench.storage.seen) == commits
    state = bench.storage.entities[("room", room)].state
    assert state is not None
    assert (state["name"], state["members"], state["messages"]) == ("Kitchen", ["ann", "bob"], 0)


async def test_a_full_room_takes_no_further_members(bench: Bench) -> None:
    bench.storage.put("room", "full", {"name": "Full", "members": [str(n) for n in range(MEMBERS_MAX)]})

    assert await code_of(bench, "join", {"room": "full"}, "ann") == 409
    assert await code_of(bench, "join", {"room": "full"}, "7") == 0


async def test_only_members_send_read_and_watch(bench: Bench) -> None:
    room = await room_of(bench, "ann", "bob")
    codes = [
        [await code_of(bench, "send", {"room": room, "text": "x"}, user), await code_of(bench, "history", {"room": room}, user)]
        for user in ("bob", "eve", "")
    ]
    await bench.subscribe(f"chat:{room}", user="bob")
    denied = []
    for channel, user in [
        (f"chat:{room}", "eve"),
        (f"chat:{room}", ""),
        ("chat:none", "ann"),
        ("chat:", "ann"),
        ("chat:" + "x" * 99, "ann"),
    ]:
        with pytest.raises(CausewayError) as caught:
            await bench.subscribe(channel, user=user)
        denied.append(caught.value.code)

    assert codes == [[0, 0], [403, 403], [403, 403]]
    assert denied == [403, 403, 404, 102, 404]


async def test_the_answer_to_a_subscription_tells_the_rooms_name_and_size(bench: Bench) -> None:
    room = await room_of(bench, "ann", "bob")
    reply = await bench.subscribe(f"chat:{room}", user="bob")

    assert json.loads(reply.data or b"") == {"name": "Kitchen", "members": 2}


async def test_who_types_is_told_as_the_user_that_it_is_and_to_members_alone(bench: Bench) -> None:
    """Another name in the data changes nothing: the hook's answer is what is published."""
    room = await room_of(bench, "ann", "bob")
    await bench.subscribe(f"chat_typing:{room}", user="ann")
    reply = await bench.publish(f"chat_typing:{room}", b'{"typing": true, "user": "ann"}', user="bob")
    codes = []
    for data, user in [(b'{"typing": true}', "eve"), (b'{"typing": 1}', "ann"), (b"{}", "ann")]:
        with pytest.raises(CausewayError) as caught:
            await bench.publish(f"chat_typing:{room}", data, user=user)
        codes.append(caught.value.code)
    with pytest.raises(CausewayError) as stranger:
        await bench.subscribe(f"chat_typing:{room}", user="eve")

    assert json.loads(reply.data or b"") == {"type": "typing", "user": "bob", "typing": True}
    assert codes == [403, 107, 107]
    assert stranger.value.code == 403


def test_rooms_show_who_is_there_and_typing_is_kept_nowhere() -> None:
    rooms, typing, reading = app.manifest().namespaces

    assert (rooms.presence, rooms.join_leave, rooms.allow_presence_for_subscriber, rooms.publish_hook) == (True, True, True, False)
    assert (typing.has_history, typing.publish_hook, typing.subscribe_hook, typing.slow_reader) == (False, True, True, "conflate")
    assert (reading.has_history, reading.publish_hook, reading.conflate_tag) == (False, False, "user")


async def test_anonymous_users_neither_create_nor_join(bench: Bench) -> None:
    room = await room_of(bench, "ann")

    assert await code_of(bench, "create_room", {"name": "x"}, "") == 403
    assert await code_of(bench, "join", {"room": room}, "") == 403


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("send", {"text": ""}),
        ("send", {"text": "x" * 4001}),
        ("send", {"text": 7}),
        ("send", {}),
        ("history", {"limit": 0}),
        ("history", {"limit": 201}),
        ("history", {"limit": "5"}),
        ("history", {"before": 3}),
        ("history", {"before": "0"}),
        ("history", {"before": "1; drop"}),
        ("create_room", {"name": ""}),
        ("join", {"room": ""}),
    ],
)
async def test_wrong_input_is_107(bench: Bench, method: str, data: Any) -> None:
    room = await room_of(bench, "ann")

    assert await code_of(bench, method, {"room": room} | data, "ann") == 107


async def test_a_text_of_4000_characters_is_good_whatever_their_bytes(bench: Bench) -> None:
    room = await room_of(bench, "ann")

    assert await code_of(bench, "send", {"room": room, "text": "🦆" * 4000}, "ann") == 0


@pytest.mark.parametrize(("method", "data"), [("join", {}), ("send", {"text": "x"}), ("history", {})])
async def test_a_room_that_is_not_there_is_404(bench: Bench, method: str, data: Any) -> None:
    assert await code_of(bench, method, {"room": "none"} | data, "ann") == 404


async def test_what_else_was_published_to_the_channel_is_no_message(bench: Bench) -> None:
    room = await room_of(bench, "ann")
    await bench.call("send", {"room": room, "text": "one"})
    log = bench.storage.logs[f"chat:{room}"]
    for data in (b'"notice"', b'{"type":"message","id":"x"}', b'{"type":"typing"}'):
        log.append(type(log[0])(offset=len(log) + 1, data=data, time_ms=0))
    await bench.call("send", {"room": room, "text": "two"})

    assert [m["text"] for m in (await bench.call("history", {"room": room}))["messages"]] == ["one", "two"]


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=40),
    limit=st.integers(1, 15),
    data=st.data(),
)
def test_paging_back_reads_every_message_once_in_order(texts: list[str], limit: int, data: Any) -> None:
    """Whoever pages from the newest message with `before` sees what was sent, each once, ids counting up."""
    users = data.draw(st.lists(st.sampled_from(["ann", "bob"]), min_size=len(texts), max_size=len(texts)))

    async def scenario() -> None:
        bench = Bench(app)
        await bench.dispatcher.start()
        room = await room_of(bench, "ann", "bob")
        ids = []
        for user, text in zip(users, texts, strict=True):
            bench.time_ms += 1
            ids.append((await bench.call("send", {"room": room, "text": text}, user=user))["id"])
        read: list[dict[str, str]] = []
        query: dict[str, Any] = {"room": room, "limit": limit}
        while page := (await bench.call("history", query))["messages"]:
            assert len(page) <= limit
            read = page + read
            query["before"] = page[0]["id"]

        assert [(m["id"], m["user"], m["text"]) for m in read] == list(zip(ids, users, texts, strict=True))
        assert ids == [str(n) for n in range(1, len(texts) + 1)]
        assert [m["at"] for m in read] == sorted(m["at"] for m in read)
        assert [job.payload["data"]["id"] for job in bench.storage.jobs] == ids

    asyncio.run(scenario())
