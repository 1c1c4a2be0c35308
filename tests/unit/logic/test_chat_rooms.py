"""Chat as its users have it: roles, edits, threads, search, read markers, mentions, moderation at once. Real semantics, no broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.chat import app
from apps.chat.models import Person, Room, Seat
from apps.chat.options import Options
from apps.chat.rooms import INVITATIONS_MAX
from apps.chat.search import words
from causeway_testing import AppTester, CallError, Faults, User


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        yield made


async def room_of(tester: AppTester, owner: str, *others: str, **options: Any) -> str:
    room: str = (await tester.user(owner).call("create_room", {"name": "Kitchen", **options}))["room"]
    for name in others:
        await tester.user(name).call("join", {"room": room})
    return room


async def code_of(user: User, method: str, data: Any) -> int:
    """The error code of a call, 0 for a success."""
    answer = await user.attempt(method, data)
    return answer.code if isinstance(answer, CallError) else 0


async def say(user: User, room: str, text: str, **more: Any) -> str:
    sent: str = (await user.call("send", {"room": room, "text": text, **more}))["id"]
    return sent


async def insist(user: User, method: str, data: Any) -> Any:
    """Call until the answer is none of the temporary errors."""
    while isinstance(answer := await user.attempt(method, data), CallError) and answer.temporary:
        continue
    return answer


async def texts(user: User, method: str, **query: Any) -> list[str]:
    return [message["text"] for message in (await user.call(method, query))["messages"]]


async def test_an_edit_is_told_and_is_what_everybody_reads_from_then_on(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await bob.subscribe(f"chat:{room}")
    sent = await say(ann, room, "tae")
    await say(bob, room, "what?")
    await ann.call("edit", {"room": room, "id": sent, "text": "tea"})
    await ann.call("edit", {"room": room, "id": sent, "text": "tea"})

    at = watched.messages[2]["at"]
    assert watched.messages[2:] == [{"type": "edited", "id": sent, "text": "tea", "at": at}]
    (first, second) = (await bob.call("history", {"room": room}))["messages"]
    assert (first["text"], first["edited_at"], second) == ("tea", at, {k: v for k, v in watched.messages[1].items() if k != "type"})


async def test_only_its_author_edits_and_a_deleted_message_is_edited_no_more(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    sent = await say(bob, room, "tea")

    assert await code_of(ann, "edit", {"room": room, "id": sent, "text": "x"}) == 403
    assert await code_of(bob, "edit", {"room": room, "id": "7", "text": "x"}) == 404
    assert await code_of(bob, "delete", {"room": room, "id": sent}) == 0
    assert await code_of(bob, "edit", {"room": room, "id": sent, "text": "x"}) == 410
    assert await texts(bob, "history", room=room) == [""]


async def test_a_moderator_deletes_what_others_said_and_members_do_not(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob", "cid")
    ann, bob, cid = (tester.user(name) for name in ("ann", "bob", "cid"))
    sent = await say(ann, room, "tea")

    assert await code_of(bob, "delete", {"room": room, "id": sent}) == 403
    assert await code_of(cid, "appoint", {"room": room, "user": "bob", "role": "moderator"}) == 403
    await ann.call("appoint", {"room": room, "user": "bob", "role": "moderator"})
    watched = await cid.subscribe(f"chat:{room}")
    await bob.call("delete", {"room": room, "id": sent})
    await bob.call("delete", {"room": room, "id": sent})

    assert [(told["type"], told["id"], told["by"]) for told in watched.messages] == [("deleted", sent, "bob")]


async def test_a_thread_is_its_first_message_and_all_answers_to_any_of_it(tester: AppTester) -> None:
    room = await room_of(tester, "ann")
    ann = tester.user("ann")
    first = await say(ann, room, "tea?")
    second = await say(ann, room, "yes", reply_to=first)
    await say(ann, room, "rain")
    await say(ann, room, "green", reply_to=second)
    await tester.advance(seconds=2)

    assert await texts(ann, "thread", room=room, id=second) == ["tea?", "yes", "green"]
    assert await code_of(ann, "send", {"room": room, "text": "x", "reply_to": "99"}) == 404


async def test_a_search_finds_messages_by_all_its_words_as_they_are_by_now(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann = tester.user("ann")
    for text in ("Green tea, please", "black TEA", "green apples"):
        await say(ann, room, text)
    edited = await say(ann, room, "green tee")
    await tester.advance(seconds=2)
    before = await texts(ann, "search", room=room, text="tea GREEN")
    await ann.call("edit", {"room": room, "id": edited, "text": "green tea"})
    await ann.call("delete", {"room": room, "id": "1"})

    assert before == ["Green tea, please"]
    assert await texts(ann, "search", room=room, text="tea green") == ["green tea"]
    assert await texts(ann, "search", room=room, text="tee") == []
    assert await code_of(ann, "search", {"room": room, "text": "?"}) == 400
    assert await code_of(tester.user("eve"), "search", {"room": room, "text": "tea"}) == 403


async def test_read_markers_go_forward_only_and_count_what_is_unread(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await ann.subscribe(f"chat_read:{room}")
    for text in ("one", "two", "three"):
        await say(ann, room, text)
    await bob.call("read", {"room": room, "id": "2"})
    again = await bob.call("read", {"room": room, "id": "1"})

    assert again == {"room": room, "id": "2"}
    assert watched.messages[0] == {"type": "read", "user": "bob", "id": "2"}
    assert await bob.call("rooms") == {"rooms": [{"room": room, "name": "Kitchen", "messages": 3, "unread": 1}], "invitations": []}
    assert await code_of(bob, "read", {"room": room, "id": "4"}) == 404


async def test_a_mention_becomes_one_mail_when_it_is_not_read_for_ten_minutes(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob", "cid")
    ann, bob = tester.user("ann"), tester.user("bob")
    for name in ("bob", "cid"):
        await tester.user(name).call("profile", {"email": f"{name}@example.org"})
    await say(ann, room, "@bob, @cid and @eve: tea?")
    await say(ann, room, "@bob?")
    await tester.user("cid").call("read", {"room": room, "id": "1"})
    await tester.advance(minutes=9)
    early = [job for job in tester.jobs if job.operation == "email.send"]
    await tester.advance(minutes=2)
    mails = [job.payload for job in tester.jobs if job.operation == "email.send"]

    assert (early, [mail["to"] for mail in mails]) == ([], [["bob@example.org"]])
    assert "ann" in mails[0]["subject"]
    assert tester.entity(Room, room).mentioned == {}
    await bob.call("read", {"room": room, "id": "2"})


async def test_who_sits_in_the_room_or_wants_no_mail_gets_none(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob", "cid")
    await tester.user("bob").call("profile", {"email": "bob@example.org"})
    await tester.user("bob").subscribe(f"chat:{room}")
    await say(tester.user("ann"), room, "@bob @cid")
    await tester.advance(minutes=11)

    assert [job for job in tester.jobs if job.operation == "email.send"] == []
    assert tester.find(Person, "cid") is None


async def test_a_ban_takes_effect_at_once_on_live_connections(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    watched = await bob.subscribe(f"chat:{room}")
    await ann.call("ban", {"room": room, "user": "bob"})
    await say(ann, room, "now")

    assert (watched.active, watched.messages) == (False, [])
    assert await code_of(bob, "join", {"room": room}) == 403
    with pytest.raises(CallError) as denied:
        await bob.subscribe(f"chat:{room}")
    await tester.advance(seconds=10)
    assert denied.value.code == 403
    assert tester.find(Seat, f"{room}.bob") is None
    await ann.call("unban", {"room": room, "user": "bob"})
    assert await code_of(bob, "join", {"room": room}) == 0


async def test_the_muted_read_on_and_send_nothing_until_it_ends(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    sent = await say(bob, room, "one")
    await ann.call("mute", {"room": room, "user": "bob", "seconds": 60})

    assert await code_of(bob, "send", {"room": room, "text": "x"}) == 403
    assert await code_of(bob, "edit", {"room": room, "id": sent, "text": "x"}) == 403
    assert await code_of(bob, "history", {"room": room}) == 0
    assert await code_of(bob, "mute", {"room": room, "user": "ann", "seconds": 1}) == 403
    assert list((await ann.call("room", {"room": room}))["muted"]) == ["bob"]
    await tester.advance(seconds=61)
    assert await code_of(bob, "send", {"room": room, "text": "x"}) == 0


async def test_into_a_private_room_one_comes_by_a_moderators_invitation(tester: AppTester) -> None:
    room = await room_of(tester, "ann", private=True)
    ann, bob, cid = (tester.user(name) for name in ("ann", "bob", "cid"))
    before = await code_of(bob, "join", {"room": room})
    await ann.call("invite", {"room": room, "user": "bob"})
    joined = await code_of(bob, "join", {"room": room})
    invited = await code_of(bob, "invite", {"room": room, "user": "cid"})

    assert (before, joined, invited, await code_of(cid, "join", {"room": room})) == (403, 0, 403, 403)


async def test_who_leaves_hears_nothing_more_and_has_the_room_no_more(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    bob = tester.user("bob")
    watched = await bob.subscribe(f"chat:{room}")
    await bob.call("leave", {"room": room})
    await bob.call("leave", {"room": room})
    await say(tester.user("ann"), room, "gone?")

    assert (watched.messages, await bob.call("rooms")) == ([], {"rooms": [], "invitations": []})


async def test_beyond_the_pace_a_message_is_refused_until_the_next_second() -> None:
    async with AppTester(app, services={Options: Options(pace=5)}) as tester:
        room = await room_of(tester, "ann")
        ann = tester.user("ann")
        codes = [await code_of(ann, "send", {"room": room, "text": "x"}) for _ in range(6)]
        await tester.advance(seconds=1)

        assert codes == [0] * 5 + [429]
        assert await code_of(ann, "send", {"room": room, "text": "x"}) == 0


@pytest.mark.parametrize(
    "attachment",
    [{"url": "ftp://example.org/a"}, {"url": "javascript:alert(1)"}, {"size": -1}, {"type": "x"}, {"name": ""}, {"size": 1.5}],
)
async def test_an_attachment_is_a_reference_and_a_wrong_one_is_107(tester: AppTester, attachment: dict[str, Any]) -> None:
    room = await room_of(tester, "ann")
    good = {"name": "tea.png", "url": "https://example.org/tea.png", "type": "image/png", "size": 7}
    await say(tester.user("ann"), room, "see", attachments=[good])

    assert (await tester.user("ann").call("history", {"room": room}))["messages"][0]["attachments"] == [good]
    assert await code_of(tester.user("ann"), "send", {"room": room, "text": "x", "attachments": [good | attachment]}) == 107


def test_the_away_time_is_a_setting_and_a_wrong_one_is_refused() -> None:
    assert Options.read({}).away == timedelta(minutes=10)
    assert Options.read({"CHAT_AWAY_SECONDS": "1.5"}).away == timedelta(seconds=1.5)
    for wrong in ("", "0", "-1", "soon"):
        with pytest.raises(ValueError, match=r"greater than 0|valid number"):
            Options.read({"CHAT_AWAY_SECONDS": wrong})


async def test_taking_out_who_has_no_seat_is_no_dead_task(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    for user in ("bob", "eve"):
        await tester.user("ann").call("ban", {"room": room, "user": user})
    await tester.advance(minutes=1)

    assert [task.note for task in tester.tasks if task.state != "done"] == []


async def test_an_outsider_learns_nothing_of_what_was_sent_by_answering_it(tester: AppTester) -> None:
    room = await room_of(tester, "ann")
    await say(tester.user("ann"), room, "tea")
    eve = tester.user("eve")

    assert {await code_of(eve, "send", {"room": room, "text": "x", "reply_to": id_}) for id_ in ("1", "99")} == {403}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(1, 12))
def test_whatever_is_lost_or_killed_the_log_numbers_what_was_sent_and_all_of_it_is_found(seed: int, number: int) -> None:
    """Acknowledged messages are in the log once, ids 1..n without holes, and the search finds every one of them in the end."""

    async def scenario(tester: AppTester) -> None:
        ann, bob = tester.user("ann"), tester.user("bob")
        room = (await insist(ann, "create_room", {"name": "Kitchen"}))["room"]
        await insist(bob, "join", {"room": room})
        texts = [f"tea number{n}" for n in range(number)]
        answers = await asyncio.gather(
            *((ann, bob)[n % 2].attempt("send", {"room": room, "text": text}) for n, text in enumerate(texts))
        )
        await tester.advance(minutes=30)
        kept = (await insist(ann, "history", {"room": room}))["messages"]
        found = (await insist(ann, "search", {"room": room, "text": "tea"}))["messages"]

        assert [message["id"] for message in kept] == [str(n + 1) for n in range(len(kept))]
        assert {answer["id"] for answer in answers if not isinstance(answer, CallError)} <= {message["id"] for message in kept}
        assert len({message["text"] for message in kept}) == len(kept)
        assert [message["id"] for message in found] == [message["id"] for message in reversed(kept)]

    with AppTester(app, seed=seed, faults=Faults(lose=0.05, repeat=0.1, delay=0.1, reorder=1.0, kill=0.03)) as tester:
        tester.run(scenario(tester))


@given(st.text(max_size=300))
def test_words_are_folded_few_and_different(text: str) -> None:
    found = words(text)

    assert len(found) <= 24
    assert len(set(found)) == len(found)
    assert all(word == word.casefold() for word in found if word.isascii())


async def test_a_message_sent_again_with_its_key_is_the_first_one_and_is_known_by_it(tester: AppTester) -> None:
    """Who got no answer asks again; another text under the same key is refused, and a key is of its user alone."""
    room = await room_of(tester, "ann", "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    answers = [await say(ann, room, "hello", key="k1") for _ in range(3)]
    other = await code_of(ann, "send", {"room": room, "text": "good-bye", "key": "k1"})

    assert (answers, other, await say(bob, room, "hello", key="k1")) == (["1"] * 3, 107, "2")
    log = [(told.data["id"], told.data["user"], told.data["key"]) for told in tester.published(f"chat:{room}")]
    assert log == [("1", "ann", "k1"), ("2", "bob", "k1")]
    assert [each["key"] for each in (await bob.call("history", {"room": room}))["messages"]] == ["k1", "k1"]
    assert "key" not in (await bob.call("history", {"room": await room_with_a_word(bob)}))["messages"][0]


async def room_with_a_word(user: User) -> str:
    room: str = (await user.call("create_room", {"name": "Plain"}))["room"]
    await say(user, room, "no key")
    return room


async def test_a_snapshot_is_the_newest_messages_and_where_to_go_on(tester: AppTester) -> None:
    room = await room_of(tester, "ann")
    ann = tester.user("ann")
    for number in range(5):
        await say(ann, room, f"m{number}")
    await ann.call("edit", {"room": room, "id": "5", "text": "new"})
    found = await ann.call("snapshot", {"room": room, "limit": 2})

    assert ([each["text"] for each in found["messages"]], found["offset"]) == (["m3", "new"], 6)
    assert await code_of(tester.user("eve"), "snapshot", {"room": room}) == 403


async def test_who_is_invited_finds_the_room_among_its_rooms_until_it_has_joined(tester: AppTester) -> None:
    room = await room_of(tester, "ann", private=True)
    ann, bob = tester.user("ann"), tester.user("bob")
    await ann.call("invite", {"room": room, "user": "bob"})
    await ann.call("invite", {"room": room, "user": "bob"})
    await tester.run_jobs()
    invited = await bob.call("rooms")
    await bob.call("join", {"room": room})
    await tester.run_jobs()

    assert invited == {"rooms": [], "invitations": [{"room": room, "name": "Kitchen"}]}
    assert [(each["room"], each["unread"]) for each in (await bob.call("rooms"))["rooms"]] == [(room, 0)]
    assert (await bob.call("rooms"))["invitations"] == []


async def test_however_many_invite_somebody_its_rooms_are_all_there(tester: AppTester) -> None:
    mine = await room_of(tester, "bob")
    ann, bob = tester.user("ann"), tester.user("bob")
    for _ in range(INVITATIONS_MAX + 5):
        await ann.call("invite", {"room": await room_of(tester, "ann"), "user": "bob"})
    await tester.run_jobs()
    found = await bob.call("rooms")

    assert [each["room"] for each in found["rooms"]] == [mine]
    assert len(found["invitations"]) == INVITATIONS_MAX


async def test_who_leaves_and_is_invited_again_finds_the_invitation(tester: AppTester) -> None:
    room = await room_of(tester, "ann", "bob")
    bob = tester.user("bob")
    await tester.run_jobs()
    await bob.call("leave", {"room": room})
    await tester.user("ann").call("invite", {"room": room, "user": "bob"})
    await tester.advance(seconds=30)

    assert await bob.call("rooms") == {"rooms": [], "invitations": [{"room": room, "name": "Kitchen"}]}
