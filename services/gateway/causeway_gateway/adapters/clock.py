"""The gateway's timers: one event-loop timer drives the wheel. And the background tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.runtime import now_ms
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.wheel import Entry, Wheel

log = get_logger("gateway.clock")
TICK_MS: Final = 25


class WheelTimers:
    """Timers with a resolution of `TICK_MS`. Made inside a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wheel = Wheel(TICK_MS, self.now())
        self._handle: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to tick."""
        self._handle = self._loop.call_later(TICK_MS / 1000, self._turn)

    async def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()

    def now(self) -> int:
        """Monotonic milliseconds of the event loop's clock."""
        return int(self._loop.time() * 1000)

    def wall(self) -> int:
        """Milliseconds since the Unix epoch."""
        return now_ms()

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        """Call back at `when` or a little later."""
        return self._wheel.at(when, callback)

    def _turn(self) -> None:
        self._handle = self._loop.call_later(TICK_MS / 1000, self._turn)
        for callback in self._wheel.advance(self.now()):
            try:
                callback()
            except Exception:
                log.exception("a timer failed")  # the others must still get their turn


class TaskGroup:
    """Background tasks, held until they end; what they raise is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Awaitable[None]) -> None:
        """Run `work`."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)
