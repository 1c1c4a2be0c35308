"""The virtual time of day, and ids that are the same in each run."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime
from typing import Final

from causeway_testing.loop import VirtualLoop

BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""When a test begins, unless it says otherwise."""
EPOCH_LETTERS: Final = 8


class Clock:
    """The loop's seconds as a time of day."""

    def __init__(self, loop: VirtualLoop, beginning: datetime) -> None:
        self._loop, self._from_ms = loop, round(beginning.timestamp() * 1000)

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._from_ms + int(self._loop.time() * 1000 + 0.001)

    def seconds(self, at_ms: int) -> float:
        """The loop's seconds of a time of day; what has passed is now."""
        return max((at_ms - self._from_ms) / 1000, self._loop.time())


class Ids:
    """Ids, letters and jitter by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids {seed}")  # noqa: S311 - to be foreseen is its purpose

    def new_id(self) -> str:
        """32 hex digits."""
        return f"{self._random.getrandbits(128):032x}"

    def letters(self) -> str:
        """Those of a new epoch."""
        return "".join(self._random.choices(string.ascii_lowercase, k=EPOCH_LETTERS))

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()
