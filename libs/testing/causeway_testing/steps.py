"""Steps: the places at which another may come between, or the process may die. Each effect of the app has one before and one after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from causeway_testing.faults import Chance
from causeway_testing.turns import LIFE, Life

ACTIVITY: ContextVar[str] = ContextVar("ACTIVITY", default="")
"""What the running code belongs to, for the eyes: `ann: auctions.bid`."""

STEPS_KEPT: Final = 10_000


class Steps:
    """All that wait to go on. Without a chance nothing waits: the app runs in the order it is asked.

    Args:
        chance: decides; None: nothing does.

    Attributes:
        kill: kills a process.
        told: what happened, in order.
    """

    def __init__(self, chance: Chance | None) -> None:
        self.chance = chance
        self.kill: Callable[[Life], None] = _nobody
        self._waiting: list[tuple[str, Life | None, asyncio.Future[None], str]] = []
        self.told: list[str] = []

    async def take(self, what: str) -> None:
        """Wait for the turn of this step; returns at once where nothing is left to chance."""
        life = LIFE.get()
        if life is not None and life.buried:
            raise asyncio.CancelledError
        if self.chance is None:
            return
        going: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ACTIVITY.get(), life, going, what))
        await going

    def tell(self, what: str) -> None:
        """Note what happened."""
        if len(self.told) < STEPS_KEPT:
            self.told.append(what)

    def release(self) -> bool:
        """Let one go on; False where none waits."""
        self._waiting = [each for each in self._waiting if not each[2].done() and (each[1] is None or each[1].alive)]
        if not self._waiting or self.chance is None:
            return False
        activity, life, going, what = self._waiting.pop(self.chance.pick([each[0] for each in self._waiting]))
        if life is not None and self.chance.kills():
            self.tell(f"{life.name} dies; {activity} was about to: {what}")
            self.kill(life)
            return True
        self.tell(f"{activity}: {what}")
        going.set_result(None)
        return True


def _nobody(_life: Life) -> None:
    """Nothing can be killed."""
