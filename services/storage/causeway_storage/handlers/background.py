"""Work that nobody waits for: a bounded set of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context

from causeway_common.telemetry import get_logger

log = get_logger("storage")


class Tasks:
    """At most `limit` tasks at once, in no span of whoever started them; what they raise is logged."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def full(self) -> bool:
        """Whether another task would be one too many, or this is stopping."""
        return self._stopping or len(self._running) >= self._limit

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Start it; look at `full` before."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Take no more, wait for what runs; cancelled, it cancels that too."""
        self._stopping = True
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a background task failed", exc_info=error)
