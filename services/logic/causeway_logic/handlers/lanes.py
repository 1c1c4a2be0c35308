"""How many runs of one task go on at once in this process, and what happens to those beyond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from causeway_common.bus import Postponed
from causeway_common.telemetry import Counters

FULL_SECONDS: Final = 0.5
"""A delivery that finds its lane full comes again after half to one and a half times this, here or elsewhere."""
_full: Final = Counters("logic").counter("task_lanes_full", "deliveries given back, because as many as may wait of their task did")


class Lane:
    """The runs of one task.

    Args:
        limit: so many at once; as many more wait, so that the next one is at hand.
        jitter: a number in [0, 1), new at each call.
    """

    def __init__(self, limit: int, jitter: Callable[[], float]) -> None:
        self._limit, self._jitter = limit, jitter
        self._free = asyncio.Semaphore(limit)
        self._under_way = 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            Postponed: too many wait already.
        """
        if self._under_way >= self._limit * 2:
            _full.add()
            raise Postponed(FULL_SECONDS * (0.5 + self._jitter()))
        self._under_way += 1
        try:
            async with self._free:
                yield
        finally:
            self._under_way -= 1
