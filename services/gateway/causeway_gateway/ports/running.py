"""Time, and work beside the caller's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from causeway_gateway.domain.wheel import Entry


class Timers(Protocol):
    """Coarse timers; the process's monotonic and wall clocks."""

    def now(self) -> int:
        """Monotonic milliseconds, those of the event loop."""
        ...

    def wall(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        """Call back at `when` (monotonic ms) or a little later."""
        ...


class Tasks(Protocol):
    """Background work that ends with the process."""

    def spawn(self, work: Awaitable[None]) -> None:
        """Run `work`; what it raises is logged."""
        ...
