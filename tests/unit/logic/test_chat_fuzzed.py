"""Every handler with inputs that fit its schema and inputs that do not, by users of every role: no 100, and no rule is passed by.

The rules are told a second time here, from the rooms as they are stored, and every answer is held against them: what the table lets
through is done, and what it does not is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.chat import app
from apps.chat.models import Person, Role, Room
from causeway_common.contracts.errors import ErrorName
from causeway_testing import AppTester, CallError, User
from support.inputs import JSON, fitting, wild

MANIFEST: Final = app.manifest()
METHODS: Final = {method.name: json.loads(method.input) if method.input else {} for method in MANIFEST.methods}
STANDINGS: Final = {
    "ann": "owner",
    "max": "moderator",
    "bob": "member",
    "cem": "member",
    "mia": "muted",
    "dan": "banned",
    "eve": "stranger",
    "": "anonymous",
}
SECRET: Final = "aubergine"
"""A word that only the members of the private room may read; its name."""
MAIL: Final = "ann@private.example"
STEPS: Final = 10
READING: Final = frozenset({"room", "snapshot", "history", "search", "thread", "read"})
INSIDE: Final = READING | {"send", "edit", "delete", "invite", "appoint", "mute", "ban", "unban"}
"""What only members do; others get 403, whatever else is wrong with it."""
TOUCHED: Final = {
    "join": {"members", "invited"},
    "leave": {"members", "invited", "roles", "mentioned", "pace"},
    "invite": {"invited"},
    "appoint": {"roles"},
    "mute": {"muted"},
    "ban": {"banned", "members", "invited", "roles", "mentioned", "pace"},
    "unban": {"banned"},
    "send": {"messages", "mentioned", "pace", "indexing"},
    "read": {"mentioned"},
}
"""What a method may change of a room."""
TOLD: Final = {"send": "message", "edit": "edited", "delete": "deleted"}
"""What a method says on the room's channel."""


@dataclass(frozen=True, slots=True)
class Stored:
    """All that the calls of users change at once."""

    rooms: Mapping[str, Room]
    people: Mapping[str, Person]
    logs: Mapping[str, list[Any]]

    def message(self, room: str, id: str) -> Any:
        """One message by its room's log, deleted where it was; None where none was sent."""
        found = None
        for told in self.logs.get(room, ()):
            if told["id"] == id:
                found = told if told["type"] == "message" else {**(found or {}), "deleted": told["type"] == "deleted"}
        return found


class Houseful:
    """A public room and a private one, each with something said; in the public one there is somebody of every standing."""

    def __init__(self) -> None:
        self.tester = AppTester(app, manifest=MANIFEST)
        self.tester.start()
        self.users = {name: self.tester.user(name) for name in STANDINGS}
        self.now_ms = 0

    async def furnish(self) -> tuple[str, ...]:
        """The ids of the rooms, the same in every house."""
        ann, max_, bob, cem, mia, dan, _, _ = self.users.values()
        public, private = [
            (await ann.call("create_room", {"name": name, "private": name == SECRET}))["room"] for name in ("Kitchen", SECRET)
        ]
        for guest in (max_, bob, cem, mia, dan):
            await guest.call("join", {"room": public})
        for talker in (ann, max_, bob, mia, dan):
            await talker.call("send", {"room": public, "text": f"green tea of {talker.name}"})
        await bob.call("send", {"room": public, "text": "black tea", "reply_to": "1"})
        await bob.call("delete", {"room": public, "id": "3"})
        await ann.call("appoint", {"room": public, "user": "max", "role": "moderator"})
        await ann.call("mute", {"room": public, "user": "mia", "seconds": 3600})
        await ann.call("ban", {"room": public, "user": "dan"})
        await ann.call("invite", {"room": private, "user": "max"})
        await ann.call("invite", {"room": private, "user": "eve"})
        await max_.call("join", {"room": private})
        await ann.call("send", {"room": private, "text": SECRET})
        await ann.call("profile", {"email": MAIL})
        await self.tester.advance(seconds=30)
        self.now_ms = int(self.tester.now().timestamp() * 1000)
        return public, private

    def stored(self) -> Stored:
        """What is stored by now."""
        rooms = self.tester.entities(Room)
        logs = {room: [each.data for each in self.tester.published(f"chat:{room}")] for room in rooms}
        return Stored(rooms, self.tester.entities(Person), logs)


@cache
def known(rooms: tuple[str, ...]) -> dict[str, list[Any]]:
    """Values that mean something in a furnished house."""
    ids: list[Any] = [str(number) for number in range(1, 8)]
    return {
        "room": [rooms[0], rooms[0], *rooms],
        "user": [name for name in STANDINGS if name],
        "id": ids,
        "reply_to": ids,
        "before": ids,
        "text": ["green tea", SECRET, "@bob @max @ann tea"],
        "seconds": [0, 60],
        "email": ["eve@example.com"],
    }


@cache
def inputs(method: str, rooms: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Inputs of a method that know which rooms there are: twice as many that fit its schema as others."""
    good = fitting(METHODS[method], known(rooms))
    return st.one_of(good, good, wild(METHODS[method], known(rooms)))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_input_of_any_user_is_an_internal_error_or_passes_a_rule_by(method: str, data: st.DataObject) -> None:
    """Each call is done where the table allows it and refused where not, and changes nothing but what it is for."""
    house = Houseful()
    try:
        rooms = house.tester.run(house.furnish())
        for _ in range(STEPS):
            who = house.users[data.draw(st.sampled_from(list(STANDINGS)), label="user")]
            given_ = data.draw(inputs(method, rooms), label="input")
            before = house.stored()
            answer = house.tester.run(who.attempt(method, given_))
            judge(Call(method, who, given_, before, house.now_ms), answer, house.stored())
    finally:
        house.tester.close()


@dataclass(frozen=True, slots=True)
class Call:
    """One call, and what was stored before it."""

    method: str
    user: User
    given: Any
    before: Stored
    now_ms: int

    @property
    def room(self) -> Room | None:
        """The room that it names, where there is one."""
        return self.before.rooms.get(self.given.get("room", "")) if isinstance(self.given, dict) else None


def judge(call: Call, answer: Any, after: Stored) -> None:
    """Hold one call against the rules, as they are told here."""
    if isinstance(answer, CallError):
        assert answer.name in (ErrorName.REJECTED, ErrorName.BAD_REQUEST), answer
        assert after == call.before, "a refused call has no effect"
        if answer.name is ErrorName.REJECTED:
            assert not allowed(call), f"refused against the rules: {answer}"
            outsider = call.method in INSIDE and call.room is not None and call.user.name not in call.room.members
            assert not outsider or answer.code == 403, "an outsider learns nothing of what is inside"
        return
    assert allowed(call), f"{call.user.name or 'an anonymous user'} was let through"
    private = [room for room in call.before.rooms.values() if room.name == SECRET]
    insiders = {name for room in private for name in room.members}
    if call.method == "rooms" and call.user.name in {name for room in private for name in room.invited}:
        insiders.add(call.user.name)  # an invitation says into which room
    assert call.user.name in insiders or SECRET not in told_of_private(call, answer)
    assert call.user.name == "ann" or MAIL not in json.dumps(answer) or MAIL in json.dumps(call.given)
    changes(call, answer, after)


def told_of_private(call: Call, answer: Any) -> str:
    """The answer, unless the word may stand in it because somebody said it in public."""
    public = json.dumps([log for room, log in call.before.logs.items() if not call.before.rooms[room].private])
    return "" if SECRET in public or SECRET in json.dumps(call.given) else json.dumps(answer)


def allowed(call: Call) -> bool:
    """Whether the table lets a user do this. Its rows are told from its columns: who the user is, then what is asked."""
    if not call.user.name:
        return False
    if call.method in ("create_room", "rooms", "profile"):
        return True
    return call.room is not None and (_outside(call, call.room) if call.method in ("join", "leave") else _inside(call, call.room))


def _outside(call: Call, room: Room) -> bool:
    """What one does who need not be a member."""
    me = call.user.name
    invited = not room.private or me in room.invited
    return call.method == "leave" or me in room.members or (me not in room.banned and invited)


def _inside(call: Call, room: Room) -> bool:
    """What one does as a member."""
    me = call.user.name
    if me not in room.members:
        return False
    leads = room.roles.get(me) in (Role.OWNER, Role.MODERATOR)
    message = call.before.message(call.given["room"], call.given.get("id") or call.given.get("reply_to") or "")
    match call.method:
        case "room" | "snapshot" | "history":
            return True
        case "search":
            return re.search(r"\w\w", call.given["text"]) is not None
        case "read":
            return int(call.given["id"]) <= room.messages
        case "thread":
            return message is not None
        case "send":
            return _heard(call, room) and (not call.given.get("reply_to") or message is not None)
        case "edit":
            return _heard(call, room) and message is not None and message["user"] == me and not message.get("deleted")
        case "delete":
            return message is not None and (leads or message["user"] == me)
        case _:
            return _moderating(call, room)


def _heard(call: Call, room: Room) -> bool:
    return room.muted.get(call.user.name, 0) <= call.now_ms


def _moderating(call: Call, room: Room) -> bool:
    """What a member does to others."""
    me, other = call.user.name, call.given["user"]
    owns = room.roles.get(me) == Role.OWNER
    leads = owns or room.roles.get(me) == Role.MODERATOR
    match call.method:
        case "invite":
            return (leads or not room.private) and other not in room.banned
        case "appoint":
            return owns and other != me and other in room.members
        case "mute" | "ban" | "unban":
            below = other != me and (owns or other not in room.roles)
            return leads and below and (call.method != "mute" or other in room.members)
        case _:
            raise AssertionError(f"no rule is told of {call.method}")


def changes(call: Call, answer: Any, after: Stored) -> None:
    """What has changed is what the method is for."""
    me = call.user.name
    people = {name for name in after.people if after.people[name] != call.before.people.get(name)}
    assert people <= ({me} if call.method == "profile" else set())
    changed = {room for room in after.rooms if after.rooms[room] != call.before.rooms.get(room)}
    if call.method == "create_room":
        (made,) = changed
        assert made == answer["room"]
        assert after.rooms[made] == Room(
            name=call.given["name"], members=[me], private=after.rooms[made].private, roles={me: Role.OWNER}
        )
        return
    assert changed <= ({call.given["room"]} if call.room else set())
    for room in changed:
        old, new = call.before.rooms[room].model_dump(), after.rooms[room].model_dump()
        assert {field for field in old if old[field] != new[field]} <= TOUCHED.get(call.method, set())
        whom = {me} if call.method in ("join", "leave", "send", "read") else {call.given["user"]}
        for field in ("members", "banned", "invited"):
            assert set(old[field]) ^ set(new[field]) <= whom
        for field in ("roles", "muted"):
            assert {user for user, _ in old[field].items() ^ new[field].items()} <= whom
    told = {room: log[len(call.before.logs[room]) :] for room, log in after.logs.items()}
    assert all(not new or (room == call.given["room"] and len(new) == 1) for room, new in told.items())
    for (new,) in filter(None, told.values()):
        assert new["type"] == TOLD[call.method]
        assert call.method != "send" or (new["user"], new["text"], new["id"]) == (me, call.given["text"], answer["id"])
    if call.method == "ban":
        assert call.given["user"] not in after.rooms[call.given["room"]].members


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_channel_lets_in_or_takes_anything_from_who_is_no_member(data: st.DataObject) -> None:
    """Any user at any channel of the app, with any data: watched and typed by members alone, never an internal error."""
    house = Houseful()
    try:
        rooms = house.tester.run(house.furnish())
        for _ in range(STEPS):
            who = house.users[data.draw(st.sampled_from(list(STANDINGS)), label="user")]
            namespace = data.draw(st.sampled_from(["chat", "chat_typing", "chat_read"]), label="namespace")
            room = data.draw(st.sampled_from([*rooms, *rooms]) | st.text(max_size=80), label="room")
            inside = bool(who.name) and room in rooms and who.name in house.stored().rooms[room].members
            typing = data.draw(st.just({"typing": True}) | JSON, label="data")
            before = house.stored()
            watched = house.tester.run(code_of(who.subscribe(f"{namespace}:{room}", typing)))
            published = house.tester.run(code_of(who.publish(f"{namespace}:{room}", typing)))
            assert 100 not in (watched, published)
            assert watched in ((0, 105) if inside else (102, 103, 107, 403, 404))
            assert published != 0 or (inside and namespace == "chat_typing")
            assert before == house.stored()
    finally:
        house.tester.close()


async def code_of(work: Any) -> int:
    """The code of a refusal, 0 for none."""
    try:
        await work
    except CallError as error:
        return error.code
    return 0
