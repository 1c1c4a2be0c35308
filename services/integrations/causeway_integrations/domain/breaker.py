"""A circuit breaker: after some failures in a row a destination is left alone for a while, then one request tries. Pure: no clock.

What one process finds out, all of them know: a change comes out as a `BreakerState` to share, and those of others go in by `heard`.
"""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.messages import BreakerState

PAUSES_MAX: Final = 6
"""So often the pause doubles."""


class Breaker:
    """The breaker of one destination.

    Args:
        failures: in a row, until it opens.
        pause_ms: how long it stays open the first time; each further time in a row twice as long.
    """

    def __init__(self, *, failures: int, pause_ms: int) -> None:
        self._failures, self._pause_ms = failures, pause_ms
        self._failed = 0
        self._probing_until_ms = 0
        self._shared = BreakerState(state="closed", at_ms=0)

    @property
    def state(self) -> BreakerState:
        """As it is shared."""
        return self._shared

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return self._shared.state != "closed"

    def wait_ms(self, now_ms: int) -> int:
        """0: go ahead. Else: ask again after so long. Of those that ask once the pause is over, one goes ahead."""
        if self._shared.state == "closed":
            return 0
        if self._shared.state == "disabled":
            return self._pause_ms << PAUSES_MAX
        free_at = max(self._shared.until_ms, self._probing_until_ms)
        if now_ms < free_at:
            return free_at - now_ms
        self._probing_until_ms = now_ms + self._pause_ms
        return 0

    def succeeded(self, now_ms: int) -> BreakerState | None:
        """A request went well; what to share, if that changed anything."""
        self._failed = 0
        if self._shared.state != "open":
            return None
        self._shared = BreakerState(state="closed", at_ms=now_ms)
        return self._shared

    def failed(self, now_ms: int, reason: str) -> BreakerState | None:
        """A request failed for the destination's own fault; what to share, if that changed anything."""
        self._failed += 1
        probe = self._shared.state == "open" and now_ms >= self._shared.until_ms
        if self._shared.state == "disabled" or (not probe and (self.is_open or self._failed < self._failures)):
            return None
        opened = self._shared.opened + 1
        pause = self._pause_ms << min(opened - 1, PAUSES_MAX)
        self._shared = BreakerState(state="open", at_ms=now_ms, until_ms=now_ms + pause, opened=opened, reason=reason[:200])
        self._failed = 0
        return self._shared

    def disabled(self, now_ms: int, reason: str) -> BreakerState:
        """The destination wants nothing any more; to be shared."""
        self._shared = BreakerState(state="disabled", at_ms=now_ms, reason=reason[:200])
        return self._shared

    def heard(self, state: BreakerState | None) -> None:
        """What a process shared; None: the entry was removed. What is older than what is known here changes nothing."""
        if state is not None and state.at_ms < self._shared.at_ms:
            return
        self._shared = state or BreakerState(state="closed", at_ms=0)
        self._failed = 0
