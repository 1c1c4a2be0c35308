"""The breakers' states in the bucket `cw_breakers`: told to the other processes, and heard from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from causeway_common.bus import Bus, Deadline, LiveBucket
from causeway_common.bus.jetstream import put
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import BreakerState
from causeway_common.contracts.subjects import BREAKERS_STREAM, KV_BREAKERS, encode_token
from causeway_common.telemetry import get_logger

log = get_logger("integrations")
SHARE_SECONDS: Final = 2.0
SHARED_AT_ONCE: Final = 64

Heard = Callable[[str, BreakerState | None], None]


class SharedBreakers:
    """`ports.Breakers`. What cannot be told is logged: the others find out by themselves.

    Args:
        bus: the connection.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._bucket = LiveBucket(bus, BREAKERS_STREAM, KV_BREAKERS, self._changed)
        self._heard: dict[str, Heard] = {}
        self._names: dict[str, tuple[str, str]] = {}
        self._sharing: set[asyncio.Task[None]] = set()

    def hear(self, connector: str, destinations: Mapping[str, object], heard: Heard) -> None:
        """Call `heard` with each change of one of these destinations."""
        self._heard[connector] = heard
        for name in destinations:
            self._names[KV_BREAKERS.at(connector=connector, destination=encode_token(name))] = (connector, name)

    async def start(self) -> None:
        """Begin to follow."""
        await self._bucket.start()

    async def stop(self) -> None:
        """Follow no more; what is being told is waited for."""
        await self._bucket.stop()
        if self._sharing:
            await asyncio.wait(self._sharing, timeout=SHARE_SECONDS)

    def share(self, connector: str, destination: str, state: BreakerState) -> None:
        """As the port says."""
        if len(self._sharing) >= SHARED_AT_ONCE:
            log.warning("a breaker's state is not shared, too many are on their way", connector=connector, destination=destination)
            return
        subject = KV_BREAKERS.at(connector=connector, destination=encode_token(destination))
        task = asyncio.get_running_loop().create_task(self._put(subject, state))
        self._sharing.add(task)
        task.add_done_callback(self._sharing.discard)

    async def _put(self, subject: str, state: BreakerState) -> None:
        try:
            await put(self._bus, subject, encode(state), Deadline.after(SHARE_SECONDS))
        except CausewayError as error:
            log.warning("a breaker's state could not be shared", subject=subject, reason=error.message)

    def _changed(self, subject: str, body: bytes) -> None:
        if subject not in self._names:
            return
        connector, destination = self._names[subject]
        try:
            state = decode(body, BreakerState) if body else None
        except CausewayError as error:
            log.warning("a breaker's state cannot be read", subject=subject, reason=error.message)
            return
        self._heard[connector](destination, state)
