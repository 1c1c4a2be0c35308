"""Retry schedules as settings."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

from causeway_common.runtime import Duration

TRIES_MAX: Final = 100


def check_schedule(delays: list[int]) -> list[int]:
    """The delays, where they are a schedule. Raises ValueError."""
    if not 1 <= len(delays) <= TRIES_MAX or delays[0] != 0:
        raise ValueError(f'has 1 to {TRIES_MAX} delays, the first of them "0s"')
    return delays


RetrySchedule = Annotated[list[Duration], AfterValidator(check_schedule)]
"""The delay before each try, in milliseconds."""
