"""Parts of a process, started in order and stopped in reverse, each with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from causeway_common.telemetry import get_logger

log = get_logger("lifecycle")


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    stop_seconds: float


class Lifecycle:
    """An ordered list of parts."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._started: list[_Part] = []

    def add(
        self, name: str, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]], *, stop_seconds: float = 5.0
    ) -> None:
        """Add a part behind those already there.

        Args:
            name: for the log.
            start: awaited at start; what it raises ends the process.
            stop: awaited at stop, also when `start` was cancelled half way.
            stop_seconds: after this long the stop goes on without it.
        """
        self._parts.append(_Part(name, start, stop, stop_seconds))

    async def start(self) -> None:
        """Start every part in order. What a part raises is raised; `stop` then stops those that were begun."""
        for part in self._parts:
            self._started.append(part)
            await part.start()

    async def stop(self) -> None:
        """Stop what was started, in reverse. Never raises for a part: it is logged and the rest goes on."""
        while self._started:
            part = self._started.pop()
            try:
                async with asyncio.timeout(part.stop_seconds):
                    await part.stop()
            except TimeoutError:
                log.warning("a part did not stop in time, going on without it", part=part.name, seconds=part.stop_seconds)
            except Exception:
                log.exception("a part failed while stopping, going on", part=part.name)
