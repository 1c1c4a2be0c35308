"""Who watches which channel on this gateway, and from which offset on."""

from __future__ import annotations

from typing import Generic, TypeVar

C = TypeVar("C")


class Room(Generic[C]):
    """The local subscribers of one channel: each with the offset that comes next for it (0 in channels without history)."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[C, int] = {}

    def add(self, client: C, next_offset: int) -> bool:
        """Add a subscriber. Returns whether it is the first."""
        first = not self.members
        self.members[client] = next_offset
        return first

    def remove(self, client: C) -> bool:
        """Remove a subscriber, if it is there. Returns whether it was the last."""
        return self.members.pop(client, None) is not None and not self.members

    def due(self, offset: int) -> tuple[list[C], list[C]]:
        """Who gets the publication with this offset, and who has missed one before it (they must be told).

        A subscriber that recovered beyond this offset has it already and is in neither list.
        """
        if offset == 0:
            return list(self.members), []
        ready: list[C] = []
        missed: list[C] = []
        for client, expected in self.members.items():
            if expected == offset:
                ready.append(client)
            elif expected < offset:
                missed.append(client)
        for client in ready:
            self.members[client] = offset + 1
        return ready, missed
