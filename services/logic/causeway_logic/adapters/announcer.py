"""Keeps the app's manifest announced in `cw_apps`, so that gateways and storage know its methods and namespaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.runtime import Periodic
from causeway_common.telemetry import get_logger

RETRY_SECONDS: Final = 0.25
log = get_logger("logic")


class Announcer:
    """Announces at start, every `interval_s`, and at once when asked (after a reconnect).

    Args:
        announce: one announcement; raises CausewayError.
        interval_s: between announcements that succeed.
        retry_s: after one that found the bus or the bucket away.
        leave: said at the end; raises CausewayError.
    """

    def __init__(
        self,
        announce: Callable[[], Awaitable[None]],
        *,
        interval_s: float,
        retry_s: float = RETRY_SECONDS,
        leave: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._announce, self._interval, self._retry, self._leave = announce, interval_s, retry_s, leave
        self._steps = Periodic("announcement", self._once, after_failure_s=retry_s)
        self.announced = False
        """Whether the last answer was a yes: gateways know the app as it is."""

    async def start(self) -> None:
        """Begin; does not wait for the first success."""
        await self._steps.start()

    async def stop(self) -> None:
        """End, and say so, that gateways ask others before this instance answers no more. The manifest stays: it says what exists."""
        await self._steps.stop()
        if self._leave is None:
            return
        try:
            await self._leave()
        except CausewayError as error:
            log.debug("this instance could not say that it leaves, it will be seen to be silent", reason=error.message)

    def again(self) -> None:
        """Announce now."""
        self._steps.wake()

    async def _once(self) -> float:
        """One announcement; how long to wait after it, in seconds."""
        try:
            await self._announce()
        except CausewayError as error:
            if error.name is ErrorName.BAD_REQUEST:
                self.announced = False
                log.error("the app cannot be announced, clients cannot reach it", reason=error.message)  # noqa: TRY400 - one line
                return self._interval
            log.debug("the app cannot be announced yet", reason=error.message)
            return self._retry
        if not self.announced:
            log.info("the app is announced")
        self.announced = True
        return self._interval
