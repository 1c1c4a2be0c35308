"""Times that handlers have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import unavailable
from causeway_common.telemetry import Counters

R = TypeVar("R")
_late: Final = Counters("logic").counter("timeouts", "handlers cancelled at their own method's timeout", label="method")


def sooner(deadline: Deadline, seconds: float) -> Deadline:
    """The deadline, or so many seconds from now where that comes first."""
    return min(deadline, Deadline.after(seconds), key=lambda each: each.at)


async def in_time(answer: Awaitable[R], deadline: Deadline, method: str) -> R:
    """The answer, where it comes before the deadline.

    Raises:
        CausewayError: 100 unavailable: the handler was cancelled, the outcome is unknown.
    """
    limit = asyncio.timeout_at(deadline.at)
    try:
        async with limit:
            return await answer
    except TimeoutError as error:
        if not limit.expired():
            raise
        _late.add(1, method)
        raise unavailable("the method's time has passed, the outcome is unknown") from error
