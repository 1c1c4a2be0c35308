"""Chance by a seed: in which order steps go on, and what goes wrong on the way."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

Fate = Literal["arrives", "lost", "answer lost", "twice", "late"]
KILLS_MAX: Final = 3
DELAY_MAX_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Faults:
    """How often things go wrong, each a rate from 0 to 1.

    Attributes:
        lose: a message or its answer is lost; whoever sent it does what the real system does: sends it again or tells its caller.
        repeat: a message arrives twice.
        delay: a message is late, by up to two virtual seconds.
        reorder: another step than the oldest goes on first.
        kill: the process dies instead of taking its next step; another one starts, and what was durable goes on in it.
    """

    lose: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    kill: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a rate is none."""
        for name in self.__slots__:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a rate from 0 to 1, got {getattr(self, name)!r}")


class Chance:
    """All decisions of one schedule, in the order in which they are asked for: the same seed makes the same ones.

    Args:
        seed: of the schedule.
        faults: how often things go wrong.
        focus: how often the schedule stays with one activity rather than choosing anew, so that also the rare orders come
            up in which one waits through all that another does.

    Attributes:
        calm: nothing goes wrong and the oldest goes first, as long as it is set.
    """

    def __init__(self, seed: int, faults: Faults, *, focus: float = 0.0) -> None:
        self.random: Final = random.Random(seed)  # noqa: S311 - to be foreseen is its purpose
        self.faults, self._focus = faults, focus
        self._priorities: dict[str, float] = {}
        self._kills = 0
        self.calm = False

    @classmethod
    def explored(cls, seed: int, most: Faults) -> Chance:
        """The chance of one schedule of `explore`: half of them without faults, the others with rates up to `most`, few of them high."""
        chosen = random.Random(f"explored {seed}")  # noqa: S311 - as above

        def rate(limit: float) -> float:
            return limit * 0.5 ** chosen.randint(0, 5) if chosen.random() < 0.5 else 0.0

        focus = chosen.choice([0.0, 0.9, 0.98])
        faults = Faults(reorder=most.reorder)
        if chosen.random() < 0.5:
            faults = Faults(rate(most.lose), rate(most.repeat), rate(most.delay), most.reorder, rate(most.kill))
        return cls(seed, faults, focus=focus)

    def pick(self, waiting: list[str]) -> int:
        """Which of these activities goes on, the oldest first in the list."""
        if len(waiting) == 1 or self.calm or self.random.random() >= self.faults.reorder:
            return 0
        if self._focus and self.random.random() < self._focus:
            return max(range(len(waiting)), key=lambda index: self._priority(waiting[index]))
        if self._focus:
            self._priorities[waiting[self.random.randrange(len(waiting))]] = self.random.random()
        return self.random.randrange(len(waiting))

    def kills(self) -> bool:
        """Whether the process dies here."""
        if self.calm or self._kills >= KILLS_MAX or not self._happens(self.faults.kill):
            return False
        self._kills += 1
        return True

    def fate(self) -> Fate:
        """What becomes of a message."""
        if self.calm:
            return "arrives"
        faults = self.faults
        if self._happens(faults.lose):
            return "lost" if self.random.random() < 0.5 else "answer lost"
        if self._happens(faults.repeat):
            return "twice"
        return "late" if self._happens(faults.delay) else "arrives"

    def delay(self) -> float:
        """How late, in seconds."""
        return self.random.random() * DELAY_MAX_SECONDS

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate

    def _priority(self, activity: str) -> float:
        found = self._priorities.get(activity)
        if found is None:
            found = self._priorities[activity] = self.random.random()
        return found
