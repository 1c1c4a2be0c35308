"""A timer wheel: all of a process's coarse timers in one structure that one event-loop timer drives."""

from __future__ import annotations

from collections.abc import Callable


class Entry:
    """One timer; `cancel` makes it (and what it holds on to) nothing."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never fire."""
        self.callback = None


class Wheel:
    """Timers in buckets of `tick_ms`; one fires in the first tick at or after its time, never before.

    Args:
        tick_ms: the resolution, milliseconds.
        now: the clock's reading at the start, milliseconds.
    """

    def __init__(self, tick_ms: int, now: int) -> None:
        self._tick = tick_ms
        self._done = now // tick_ms
        self._buckets: dict[int, list[Entry]] = {}

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        """Call back at `when` (milliseconds); a time that has passed means the next tick."""
        entry = Entry(callback)
        bucket = max(-(-when // self._tick), self._done + 1)
        self._buckets.setdefault(bucket, []).append(entry)
        return entry

    def advance(self, now: int) -> list[Callable[[], None]]:
        """Move to `now`; returns what is due, earliest bucket first, each once."""
        current = now // self._tick
        if current <= self._done:
            return []
        span = range(self._done + 1, current + 1)
        self._done = current
        due = span if len(span) <= len(self._buckets) else sorted(tick for tick in self._buckets if tick <= current)
        return [entry.callback for tick in due for entry in self._buckets.pop(tick, ()) if entry.callback is not None]
