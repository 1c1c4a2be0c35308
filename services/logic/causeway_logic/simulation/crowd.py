"""The crowd: how many come, how often anybody does anything, for how long, and what came of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from causeway_common.telemetry import get_logger

if TYPE_CHECKING:
    from causeway_logic.simulation.visitor import Visitor

log = get_logger("simulation")
Visit = Callable[["Crowd", "Visitor"], Awaitable[None]]


class Crowd:
    """What all visitors share.

    Args:
        rate: turns in a second, of all visitors together.
        seconds: how long the crowd stays; 0: until it is told to go home.
        seed: of `random`.

    Attributes:
        random: for whatever a visit draws.
        counts: what was counted.
        shared: whatever visitors tell each other, such as the lots that are open.
    """

    def __init__(self, *, rate: float, seconds: float = 0.0, seed: int = 0) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation must be repeatable
        self.counts: Counter[str] = Counter()
        self.shared: dict[str, list[str]] = {}
        self._interval, self._seconds = 1 / rate, seconds
        self._next = 0.0
        self._home = asyncio.Event()

    async def turn(self) -> bool:
        """Wait for the caller's next turn; False: go home. Turns are spread evenly, and those that were missed are not made up for."""
        loop = asyncio.get_running_loop()
        self._next = max(self._next, loop.time()) + self._interval
        return not await self._left(self._next - loop.time())

    async def pause(self, seconds: float) -> bool:
        """Wait without taking a turn; False: go home."""
        return not await self._left(seconds)

    def count(self, what: str) -> None:
        """Count one more of these; the report has it."""
        self.counts[what] += 1

    def go_home(self) -> None:
        """End every visit at its next turn."""
        self._home.set()

    async def run(self, visitors: list[Visitor], visit: Visit) -> None:
        """Everybody comes, visits and leaves. A visit that fails is told in the log, and the others go on.

        Raises:
            ExceptionGroup: every visit failed.
        """
        timer = asyncio.get_running_loop().call_later(self._seconds, self.go_home) if self._seconds else None
        try:
            failed = [error for error in await asyncio.gather(*(self._one(visitor, visit) for visitor in visitors)) if error]
        finally:
            if timer:
                timer.cancel()
        if visitors and len(failed) == len(visitors):
            raise ExceptionGroup("every visit failed", failed[:3])

    async def _one(self, visitor: Visitor, visit: Visit) -> Exception | None:
        try:
            await visitor.come()
            await visit(self, visitor)
        except Exception as error:
            self.count("failed visits")
            log.exception("a visit failed", user=visitor.name)
            return error
        else:
            return None
        finally:
            await visitor.leave()

    async def _left(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._home.wait()
        except TimeoutError:
            return False
        return True
