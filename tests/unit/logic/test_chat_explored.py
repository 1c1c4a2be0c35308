"""A room in every order of things: sent, edited, deleted and banned at the same time, whatever is lost, repeated or killed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.chat import app
from apps.chat.models import Indexed, Room, Seat
from causeway_testing import AppTester, CallError, User, explore

SCHEDULES = 200
LONG_FORM = 10_000
"""So many schedules are shared by all seeds of the long form."""


class Evening:
    """One room and what its users were answered, for one schedule: ann owns it, max moderates, bob and cem are members and watch."""

    def __init__(self, tester: AppTester) -> None:
        self.tester = tester
        self.ann, self.max, self.bob, self.cem = (tester.user(name) for name in ("ann", "max", "bob", "cem"))
        self.room = ""
        self.sent: dict[str, str] = {}
        self.done: list[tuple[str, str]] = []
        self.too_late: list[str] = []
        self.banned = False

    async def prepare(self) -> None:
        """The room, with a message of bob's, everybody in it."""
        self.room = (await self.ann.call("create_room", {"name": "Kitchen"}))["room"]
        for user in (self.max, self.bob, self.cem):
            await user.call("join", {"room": self.room})
        await self.ann.call("appoint", {"room": self.room, "user": "max", "role": "moderator"})
        self.watching = [await user.subscribe(f"chat:{self.room}") for user in (self.bob, self.cem)]
        await self.send(self.bob, "tea first")

    async def ask(self, who: User, method: str, **given: Any) -> Any:
        """A call; what it was answered, None where that is unknown or it was refused."""
        answer = await who.attempt(method, {"room": self.room, **given})
        if isinstance(answer, CallError):
            assert answer.temporary or answer.code in (403, 404, 410), answer
            return None
        self.done.append((method, str(given.get("text", given.get("id", given.get("user"))))))
        return answer

    async def send(self, user: User, text: str) -> None:
        """A message; one that is begun behind the answer of a ban is too late."""
        if self.banned and user is self.bob:
            self.too_late.append(text)
        answer = await self.ask(user, "send", text=text)
        if answer is not None:
            self.sent[text] = answer["id"]

    async def edit(self, user: User, text: str) -> None:
        """Another text for the first message."""
        if self.banned and user is self.bob:
            self.too_late.append(text)
        await self.ask(user, "edit", id="1", text=text)

    async def ban(self, by: User) -> None:
        """Ban bob."""
        self.banned = await self.ask(by, "ban", user="bob") is not None or self.banned

    async def judge(self) -> None:
        """What must hold once all is at rest."""
        await self.tester.run_jobs()
        log = [each.data for each in self.tester.published(f"chat:{self.room}")]
        room = self.tester.entity(Room, self.room)
        sent = [told for told in log if told["type"] == "message"]
        assert [told["id"] for told in sent] == [str(number + 1) for number in range(room.messages)]
        assert len({told["text"] for told in sent}) == len(sent), "nothing is sent twice"
        assert self.sent.items() <= {told["text"]: told["id"] for told in sent}.items(), "nothing acknowledged is lost"
        assert not {told.get("text") for told in log} & set(self.too_late), "a ban is a ban from its answer on"
        now = folded(log)
        edits = [told["text"] for told in log if told["type"] == "edited"]
        for method, what in self.done:
            assert method != "edit" or edits.count(what) == 1
            assert method != "delete" or now[what]["deleted"]
        self.judge_people(room, log)
        assert (await self.ann.call("history", {"room": self.room}))["messages"] == list(now.values()), (
            "what is read is what was told"
        )
        stored = self.tester.entities(Indexed).values()
        assert sorted(int(each.message.id) for each in stored) == list(range(1, room.messages + 1)), "all is indexed"
        found = (await self.ann.call("search", {"room": self.room, "text": "tea"}))["messages"]
        assert found == [each for each in reversed(now.values()) if not each.get("deleted")]
        assert [task.note for task in self.tester.tasks if task.state == "dead"] == []

    def judge_people(self, room: Room, log: list[Any]) -> None:
        """Who is banned is out, everybody else heard all, and whoever is in has a seat."""
        bob, cem = self.watching
        assert "bob" in room.banned or not self.banned
        assert ("bob" in room.banned) == ("bob" not in room.members) == (not bob.active)
        assert bob.messages == log[: len(bob.messages)]
        assert cem.messages == log
        assert {seat.user for seat in self.tester.entities(Seat).values()} == set(room.members)


def folded(log: list[Any]) -> dict[str, Any]:
    """The messages as a reader of the log has them; a deleted one is edited no more, and deleted once."""
    now: dict[str, Any] = {}
    for told in log:
        match told["type"]:
            case "message":
                now[told["id"]] = {name: value for name, value in told.items() if name != "type"}
            case "edited":
                assert not now[told["id"]].get("deleted")
                now[told["id"]] |= {"text": told["text"], "edited_at": told["at"]}
            case _:
                assert not now[told["id"]].get("deleted")
                now[told["id"]] |= {"text": "", "deleted": True}
    return now


async def a_quarrel(evening: Evening) -> None:
    """Bob writes and edits while one deletes and another one bans him, and writes again."""

    async def bob() -> None:
        await evening.edit(evening.bob, "tea second")
        await evening.send(evening.bob, "tea third")

    async def max_() -> None:
        await evening.ban(evening.max)
        await asyncio.gather(evening.send(evening.bob, "tea fourth"), evening.edit(evening.bob, "tea fifth"))

    await asyncio.gather(
        bob(),
        evening.send(evening.cem, "tea sixth"),
        evening.edit(evening.bob, "tea seventh"),
        evening.ask(evening.ann, "delete", id="1"),
        max_(),
    )


async def amends(evening: Evening) -> None:
    """Deleted twice at once, by its author and a moderator, while its author edits it and others write."""
    await asyncio.gather(
        evening.edit(evening.bob, "tea second"),
        evening.ask(evening.bob, "delete", id="1"),
        evening.ask(evening.max, "delete", id="1"),
        evening.edit(evening.bob, "tea third"),
        evening.send(evening.ann, "tea fourth"),
        evening.send(evening.bob, "tea fifth"),
    )


SCENARIOS = [a_quarrel, amends]


def searched(scenario: Any, *, schedules: int = SCHEDULES, seed: int = 0) -> None:
    """Look for a schedule of this scenario in which a promise of the room is broken."""
    evenings: dict[int, Evening] = {}

    async def setup(tester: AppTester) -> None:
        evenings.clear()
        evening = evenings[id(tester)] = Evening(tester)
        await evening.prepare()

    async def played(tester: AppTester) -> None:
        await scenario(evenings[id(tester)])

    async def judged(tester: AppTester) -> None:
        await evenings[id(tester)].judge()

    assert explore(app, played, judged, schedules=schedules, seed=seed, setup=setup).schedules == schedules


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_a_room_tells_stores_and_finds_is_the_same_in_every_order_of_things(scenario: Any) -> None:
    """Acknowledged is there once, deleted is deleted, banned is banned; log, history, search and live subscribers agree."""
    searched(scenario)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_room_is_the_same_in_ten_thousand_orders_of_things(scenario: Any, soak_seed: int, request: pytest.FixtureRequest) -> None:
    """The long form: 10,000 schedules, shared by all seeds."""
    share = -(-LONG_FORM // request.config.getoption("--soak-runs"))
    searched(scenario, schedules=share, seed=share * soak_seed)
