"""Work that nobody waits for: a bounded set of tasks, and steps that run again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context

from causeway_common.contracts.errors import CausewayError
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


class Periodic:
    """A step, again and again.

    Args:
        name: for the log.
        step: one run; returns the seconds until the next. A CausewayError or a bug of it is logged and it runs again.
        after_failure_s: seconds until it runs again after a failure.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[float]], *, after_failure_s: float) -> None:
        self._name, self._step, self._after_failure_s = name, step, after_failure_s
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the first step soon."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Run no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Run the next step now."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait = await self._once()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _once(self) -> float:
        try:
            return await self._step()
        except CausewayError as error:
            log.warning("a sweep will be tried again", sweep=self._name, reason=error.message)
        except Exception:
            log.exception("a sweep failed and will be tried again", sweep=self._name)
        return self._after_failure_s
