"""A step that runs again and again, and at once when it is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry import get_logger

log = get_logger("runtime")


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
            log.warning("a step will be tried again", step=self._name, reason=error.message)
        except Exception:
            log.exception("a step failed and will be tried again", step=self._name)
        return self._after_failure_s
