"""When clients may come in, and how they leave: opened once the apps are known, closed by a paced drain (DESIGN section 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from causeway_common.contracts.codes import CloseCode
from causeway_common.telemetry import get_logger
from causeway_gateway.handlers.registry import Registry

log = get_logger("gateway")
POLL_SECONDS: Final = 0.02
IN_FLIGHT_SECONDS: Final = 4.5


class Listener(Protocol):
    """The public listener."""

    async def start(self) -> int:
        """Take connections; returns the port."""
        ...

    async def stop_accepting(self) -> None:
        """Take no more connections."""
        ...

    async def stop(self) -> None:
        """Finish the requests under way, then end."""
        ...


class Doors:
    """Opens and closes the gateway.

    Args:
        listener: the public listener.
        registry: the connections.
        ready: whether the apps are known. A client that is answered "unknown channel" does not ask again, so nobody comes in before.
        drain_ms: over this time clients are closed.
    """

    def __init__(self, listener: Listener, registry: Registry, ready: Callable[[], bool], drain_ms: int) -> None:
        self._listener, self._registry, self._ready, self._drain_ms = listener, registry, ready, drain_ms

    @property
    def stop_seconds(self) -> float:
        """How long `close` may take."""
        return self._drain_ms / 1000 + 2 * IN_FLIGHT_SECONDS + 1

    async def open(self) -> None:
        """Wait until the apps are known, then take connections."""
        while not self._ready():  # noqa: ASYNC110 - the directory has no event for its first load
            await asyncio.sleep(POLL_SECONDS)
        log.info("clients may connect", port=await self._listener.start())

    async def close(self) -> None:
        """Take no more connections, close clients (3001) one by one, each after its commands under way, then finish."""
        await self._listener.stop_accepting()
        self._registry.drain(self._drain_ms)
        try:
            async with asyncio.timeout(self._drain_ms / 1000 + IN_FLIGHT_SECONDS):
                await self._registry.all_gone()
        except TimeoutError:
            log.warning("clients are closed with commands under way", clients=len(self._registry))
        self._registry.close_all(CloseCode.SHUTDOWN)
        await self._listener.stop()
