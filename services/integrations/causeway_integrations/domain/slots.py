"""A bounded number of attempts at once for each destination, so that a slow one never holds the others.

Who finds no slot does not wait here: its record waits, for about as long as those before it will take. How long that is stands in one
number for each destination, the time at which the last of them should find a slot, however many they are and wherever they come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DELAY_MIN_MS: Final = 200
DELAY_MAX_MS: Final = 60_000
WEIGHT: Final = 0.3
"""Of the newest attempt in the mean of how long one takes."""
SLOW_MS: Final = 5_000
SLOW_SHARE: Final = 8
"""A destination whose attempts last so long gets this part of its slots: several of them that hang leave room for the others."""
DESTINATIONS_MAX: Final = 10_000
"""So many are remembered beside those in use."""


@dataclass(slots=True)
class _Destination:
    running: int = 0
    mean_ms: float = DELAY_MIN_MS
    tail_ms: float = 0


class Slots:
    """Slots by destination.

    Args:
        most: attempts at once for one destination.
        slow: whether one whose attempts last long gets fewer.
    """

    def __init__(self, most: int, *, slow: bool = True) -> None:
        self._most, self._slow = most, slow
        self._destinations: dict[str, _Destination] = {}

    def take(self, destination: str) -> bool:
        """Take a slot; False where none is free."""
        found = self._of(destination)
        if found.running >= (max(self._most // SLOW_SHARE, 1) if self._slow and found.mean_ms >= SLOW_MS else self._most):
            return False
        found.running += 1
        return True

    def give_back(self, destination: str) -> None:
        """Give a slot back that was not used."""
        self._destinations[destination].running -= 1

    def free(self, destination: str, took_ms: float) -> None:
        """Give it back after so long."""
        found = self._destinations[destination]
        found.running -= 1
        found.mean_ms += WEIGHT * (took_ms - found.mean_ms)

    def delay_ms(self, destination: str, now_ms: int) -> int:
        """How long one more that found no slot should wait before it asks again."""
        found = self._of(destination)
        found.tail_ms = max(found.tail_ms, now_ms) + found.mean_ms / self._most
        found.tail_ms = min(found.tail_ms, now_ms + DELAY_MAX_MS)
        return int(max(found.tail_ms - now_ms, DELAY_MIN_MS))

    def _of(self, destination: str) -> _Destination:
        found = self._destinations.get(destination)
        if found is None:
            if len(self._destinations) >= DESTINATIONS_MAX:
                self._destinations = {name: each for name, each in self._destinations.items() if each.running}
            found = self._destinations[destination] = _Destination()
        return found
