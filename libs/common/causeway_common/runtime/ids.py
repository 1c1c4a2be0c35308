"""The process's clock and its source of random ids: the only places that read the time of day or make an id."""

from __future__ import annotations

import secrets
import time


def now_ms() -> int:
    """The time of day, milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that only goes forward, also while the process is stopped."""
    return time.monotonic_ns() // 1_000_000


def new_id() -> str:
    """128 random bits as 32 hex digits."""
    return secrets.token_hex(16)
