"""Deadlines on the event loop's own clock. Between processes only the time left travels, since clocks differ."""

from __future__ import annotations

import asyncio

import msgspec


class Deadline(msgspec.Struct, frozen=True):
    """A moment of the running loop's monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """That many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds)

    def remaining(self) -> float:
        """Seconds left; zero or less once it has passed."""
        return self.at - asyncio.get_running_loop().time()

    def remaining_ms(self) -> int:
        """Milliseconds left, as they travel; zero once it has passed."""
        return max(int(self.remaining() * 1000), 0)
