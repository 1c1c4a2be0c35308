"""The retry schedule: tenacity's wait and stop objects, asked for values. The waiting is the record's."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential_jitter

GROWTH: Final = 4


class TenacitySchedule:
    """`ports.Schedule`: each delay four times the one before, with jitter.

    Args:
        max_attempts: tries in all.
        initial_ms: after the first failure; the jitter adds up to as much.
        max_ms: no delay is longer.
    """

    def __init__(self, *, max_attempts: int, initial_ms: int, max_ms: int) -> None:
        seconds = initial_ms / 1000
        self._policy = Retrying(
            stop=stop_after_attempt(max_attempts),
            wait=wait_exponential_jitter(multiplier=seconds, max=max_ms / 1000, exp_base=GROWTH, jitter=seconds),
        )

    def delay_ms(self, attempt: int) -> int | None:
        """As the port says."""
        state = RetryCallState(self._policy, fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        if self._policy.stop(state):
            return None
        return int(self._policy.wait(state) * 1000)
