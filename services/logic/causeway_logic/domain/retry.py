"""When a failed task runs again: a schedule as data. The waiting is the record's, in storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from causeway_common.runtime.durations import parse_duration

DELAYS: Final = ("1s", "5s", "30s", "5m", "30m", "2h")
"""The waits after the first, second, … failed try, where nothing else is said; after the seventh the task is dead."""
JITTER: Final = 0.2
"""Each wait is longer by a random share of itself, at most this, so that what failed together does not come back together."""

TOTAL_MAX_MS: Final = 7 * 86_400_000


class Retry:
    """How often and when a failed task runs again.

    Args:
        delays: the waits between tries, as durations; one try more than waits, then the task is dead. None at all: dead at once.
            Left out: 1 s, 5 s, 30 s, 5 min, 30 min, 2 h.
        jitter: each wait is longer by a random share of itself, at most this (0.2 where left out).

    Raises:
        ValueError: a wait is no duration, the jitter is not within 0 and 1, or the waits together are longer than seven days: so long
            is remembered what a task has committed.
    """

    __slots__ = ("delays_ms", "jitter")

    def __init__(self, delays: Iterable[str] = DELAYS, *, jitter: float = JITTER) -> None:
        self.delays_ms = tuple(parse_duration(delay) for delay in delays)
        self.jitter = jitter
        if not 0 <= jitter <= 1:
            raise ValueError(f"a retry's jitter is 0 to 1, got {jitter}")
        if self.total_ms > TOTAL_MAX_MS:
            raise ValueError("the waits of a retry are at most seven days together")

    @property
    def tries(self) -> int:
        """How many tries there are in all."""
        return len(self.delays_ms) + 1

    @property
    def total_ms(self) -> int:
        """The waits together, at most."""
        return int(sum(self.delays_ms) * (1 + self.jitter))

    def delay_ms(self, attempt: int, chance: float) -> int | None:
        """The wait after a failed try.

        Args:
            attempt: its number, from 1.
            chance: a number in [0, 1).

        Returns:
            Milliseconds; None: it was the last one.
        """
        if attempt > len(self.delays_ms):
            return None
        delay = self.delays_ms[max(attempt, 1) - 1]
        return delay + int(delay * self.jitter * chance)
