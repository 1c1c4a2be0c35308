"""A crowd in chat rooms: people join, read, type and write; never in the lobby, which is for people of flesh and blood."""

from __future__ import annotations

from typing import Any, Final

from causeway_logic.simulation import Crowd, Refused, Unanswered, Visitor

ROOMS: Final = ("Harbour", "Kitchen", "Night shift", "Workshop")
NO_METHOD: Final = 104
JOINS: Final = 2
"""So many rooms everybody joins."""
LINES: Final = (
    "Good morning!",
    "Has anybody seen the minutes of yesterday?",
    "On my way.",
    "That works, thanks.",
    "Let us meet at three.",
    "I have put it on the board.",
    "Why is it green now?",
    "It was the cache. It is always the cache.",
    "Who has the key to the boat house?",
    "Tide is out until six.",
    "I made soup, there is plenty.",
    "The second lamp is fixed, the first one is not.",
    "Could somebody look at line twelve with me?",
    "Bid on the telescope, it is a good one.",
    "Done. That was easier than we thought.",
    "See you at the bridge.",
    "Has the post been?",
    "I read it twice and still laughed.",
    "No, the other left.",
    "Snow on the pass tonight, they say.",
)


async def visit(crowd: Crowd, me: Visitor) -> None:
    """One user, until the crowd goes home."""
    mine: list[str] = []
    while await crowd.turn():
        try:
            await _act(crowd, me, mine)
        except Unanswered:
            crowd.count("calls without an answer")
        except Refused as refusal:
            crowd.count(f"refused {refusal.code}")


async def _act(crowd: Crowd, me: Visitor, mine: list[str]) -> None:
    """One turn: make the rooms that are missing, join some, else write a line."""
    rooms = crowd.shared.setdefault("rooms", [])
    if len(rooms) < len(ROOMS):
        room = await _open(me, ROOMS[len(rooms)])
        if room not in rooms:  # two opened it at the same time
            rooms.append(room)
            crowd.count("rooms")
    elif len(mine) < JOINS:
        await _join(crowd, me, crowd.random.choice([room for room in rooms if room not in mine]), mine)
    else:
        await me.call("chat.send", {"room": crowd.random.choice(mine), "text": _line(crowd)})
        crowd.count("messages sent")


def _line(crowd: Crowd) -> str:
    """What nobody has said for a while."""
    said = crowd.shared.setdefault("said", [])
    line = crowd.random.choice([line for line in LINES if line not in said])
    said.append(line)
    del said[: -len(LINES) * 3 // 4]
    return line


async def _open(me: Visitor, name: str) -> str:
    """A room of this name: the one that demo users come into, where there are such users; else a new one."""
    try:
        return str((await me.call("chat.open_house", {"name": name}))["room"])
    except Refused as refusal:
        if refusal.code != NO_METHOD:
            raise
    return str((await me.call("chat.create_room", {"name": name}))["room"])


async def _join(crowd: Crowd, me: Visitor, room: str, mine: list[str]) -> None:
    def told(message: Any) -> None:
        crowd.count(f"{message['type']}s received")

    await me.call("chat.join", {"room": room})
    await me.watch(f"chat:{room}", told)
    mine.append(room)
    crowd.count("joins")
