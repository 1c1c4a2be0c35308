"""Order among the commands of one connection: within a lane one at a time, in the order they came; lanes do not wait for each other."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """What runs and what waits, by lane."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}

    def enter(self, lane: str, item: T) -> bool:
        """Whether `item` may run now; otherwise it waits until `leave` hands it out."""
        queue = self._waiting.get(lane)
        if queue is None:
            self._waiting[lane] = deque()
            return True
        queue.append(item)
        return False

    def leave(self, lane: str) -> T | None:
        """The running item of a lane is done; returns the next one, which runs from now, or None."""
        queue = self._waiting[lane]
        if queue:
            return queue.popleft()
        del self._waiting[lane]
        return None
