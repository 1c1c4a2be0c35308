"""The retry schedules: tenacity's wait and stop objects, asked for values. The waiting is the record's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_chain, wait_fixed, wait_none, wait_random
from tenacity.wait import wait_base

JITTER: Final = 0.1
"""Of a delay, at most, is added at random: what failed together does not come back together."""


class TenacitySchedule:
    """`ports.Schedule`.

    Args:
        delays_ms: before each try; that of the first is the queue's own and counts as 0.
    """

    def __init__(self, delays_ms: Sequence[int]) -> None:
        waits: list[wait_base] = [wait_fixed(ms / 1000) + wait_random(0, ms / 1000 * JITTER) for ms in delays_ms[1:]]
        self._policy = Retrying(stop=stop_after_attempt(len(delays_ms)), wait=wait_chain(*waits) if waits else wait_none())

    def delay_ms(self, attempt: int) -> int | None:
        """As the port says."""
        state = RetryCallState(self._policy, fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        if self._policy.stop(state):
            return None
        return int(self._policy.wait(state) * 1000)
