"""Native WebSocket pings, for the few connections that have them: two timers of the loop for all of them together."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

FEW: Final = 64


class Pinged(Protocol):
    """A connection that can be pinged."""

    awaiting_pong: bool

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        ...

    def ping(self) -> None:
        """Send a ping."""
        ...

    def no_pong(self) -> None:
        """Its answer did not come."""
        ...


class NativePings:
    """Pings connections and ends those that do not answer.

    Args:
        interval: milliseconds between pings; 0: none are sent.
        timeout: milliseconds for an answer; 0: none is waited for.
    """

    def __init__(self, interval: int, timeout: int) -> None:
        self._interval, self._timeout = interval / 1000, timeout / 1000
        self._loop = asyncio.get_running_loop()
        self._all: list[Pinged] = []
        self._bound = FEW

    def add(self, wire: Pinged) -> None:
        """Ping this one too, until it is over."""
        if not self._interval:
            return
        if not self._all:
            self._loop.call_later(self._interval, self._round)
        self._all.append(wire)
        if len(self._all) > self._bound:  # who comes and goes faster than the rounds must not be held until the next one
            self._forget()

    def _round(self) -> None:
        self._forget()
        for wire in self._all:
            wire.ping()
        if self._all:
            self._loop.call_later(self._interval, self._round)
            if self._timeout:
                self._loop.call_later(self._timeout, self._look)

    def _forget(self) -> None:
        """Let go of those that are over."""
        self._all = [wire for wire in self._all if not wire.ended]
        self._bound = max(FEW, 2 * len(self._all))

    def _look(self) -> None:
        for wire in self._all:
            if wire.awaiting_pong and not wire.ended:
                wire.no_pong()
