"""Whether the database answers so fast that it is asked on the event loop, in place of in a thread.

To wake a thread and to be woken by it took a third of a lone append, and beside other work two threads of one process wait for each
other longer than for the disk (ADR 0024). Where the disk is slow the thread is worth that: the loop goes on meanwhile.
"""

from __future__ import annotations

from typing import Final

QUICK_SECONDS: Final = 0.001
"""What the event loop may be held up for by one batch's sync, or by one read."""
_SHARE: Final = 1 / 8
"""Of the newest measurement: one that was slow by chance is outweighed by eight that follow it in the thread."""


class Pace:
    """How long it took lately. Until that is known it is slow."""

    def __init__(self) -> None:
        self._seconds = QUICK_SECONDS

    @property
    def quick(self) -> bool:
        """Whether the event loop may do it."""
        return self._seconds < QUICK_SECONDS

    def took(self, seconds: float) -> None:
        """One more was measured, wherever it was done."""
        self._seconds += (seconds - self._seconds) * _SHARE
