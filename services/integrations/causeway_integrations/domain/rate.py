"""A rate that several processes share: each takes tokens ahead for a short while from what is kept for all. Pure: no clock.

What is taken and not used by the end of its while is lost, so the rate is at times missed by little and never exceeded, but for the second's
worth that may be saved up: in any t seconds at most rate * (t + 1) + 1 requests, and what the processes' clocks differ by on top.
"""

from __future__ import annotations

from typing import Final

import msgspec

AHEAD_MS: Final = 250
"""Tokens are taken for so long at once."""


class KeptRate(msgspec.Struct, frozen=True):
    """What is kept for all: the tokens there were at a time of day."""

    left: float
    at_ms: int


class Lease(msgspec.Struct, frozen=True):
    """What one process has: so many tokens until then; or none, and `until_ms` is when to ask again."""

    tokens: int
    until_ms: int


def taken(kept: KeptRate | None, rate: float, now_ms: int) -> tuple[KeptRate, Lease]:
    """Take tokens for a while.

    Args:
        kept: what is kept; None: nothing yet.
        rate: tokens a second.
        now_ms: the time of day. One that lies before `kept`'s is of a clock that is behind: it finds nothing new.

    Returns:
        What is to be kept, and what was taken.
    """
    most = max(rate, 1.0)
    before = kept or KeptRate(most, now_ms)
    at_ms = max(before.at_ms, now_ms)
    left = min(before.left + (at_ms - before.at_ms) * rate / 1000, most)
    tokens = max(int(rate * AHEAD_MS / 1000), 1)
    if left < tokens:  # waiting for all of them asks less often than taking them one by one
        return KeptRate(left, at_ms), Lease(0, now_ms + max(int((tokens - left) / rate * 1000), 1))
    return KeptRate(left - tokens, at_ms), Lease(tokens, now_ms + AHEAD_MS)
