"""A bounded number of attempts at once for each destination, so that a slow one never holds the others.

Who finds no slot does not wait here: its record waits, for about as long as those before it will take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DELAY_MIN_MS: Final = 200
DELAY_MAX_MS: Final = 60_000
WEIGHT: Final = 0.3
"""Of the newest attempt in the mean of how long one takes."""


@dataclass(slots=True)
class _Destination:
    running: int = 0
    waiting: int = 0
    mean_ms: float = DELAY_MIN_MS


class Slots:
    """Slots by destination; one that nobody uses is forgotten.

    Args:
        most: attempts at once for one destination.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._destinations: dict[str, _Destination] = {}

    def take(self, destination: str) -> bool:
        """Take a slot; False where none is free."""
        found = self._destinations.setdefault(destination, _Destination())
        if found.running >= self._most:
            return False
        found.running += 1
        found.waiting = max(found.waiting - 1, 0)
        return True

    def free(self, destination: str, took_ms: float) -> None:
        """Give it back after so long."""
        found = self._destinations[destination]
        found.running -= 1
        found.mean_ms += WEIGHT * (took_ms - found.mean_ms)
        if not found.running and not found.waiting:
            del self._destinations[destination]

    def delay_ms(self, destination: str) -> int:
        """How long one more that found no slot should wait before it asks again."""
        found = self._destinations.setdefault(destination, _Destination())
        found.waiting += 1
        rounds = found.waiting / self._most
        return int(min(max(found.mean_ms * rounds, DELAY_MIN_MS), DELAY_MAX_MS))

    @property
    def waiting(self) -> int:
        """How many found no slot and have not come back."""
        return sum(each.waiting for each in self._destinations.values())
