"""Epochs as the outside knows them: `letters-day.generation`, of a log that was never written `-day.generation`.

The letters are a log's own and are made with its first publication, whose day (counted from 1970) stands behind them; the generation is
the database's, and a restore raises it. So a position that was told before the first publication, on its own day, is one of the log that
began after it, and of none of another database's time. It is none of a log that began so long after it that one before may have come, been
quiet for `QUIET_DAYS` and gone. Epochs of versions that wrote no day (`letters.generation`, `.generation`) have only the rest.
"""

from __future__ import annotations

from typing import Final

DAY_MS: Final = 86_400_000
QUIET_DAYS: Final = 30
"""An emptied log that nobody appends to for so long goes; the next one has other letters."""
SURE_DAYS: Final = QUIET_DAYS - 2
CLOCKS_DIFFER_DAYS: Final = 1


def epoch_of(letters: str, generation: int) -> str:
    """The epoch of a log."""
    return f"{letters}.{generation}"


def begun(letters: str, now_ms: int) -> str:
    """The letters of a log that begins now."""
    return f"{letters}-{now_ms // DAY_MS}"


def unwritten(generation: int, now_ms: int) -> str:
    """The epoch of a log that was never written, as of now."""
    return epoch_of(begun("", now_ms), generation)


def continues(told: str, now: str) -> bool:
    """Whether a position told under the epoch `told` is one of the log whose epoch is `now`. "" is whatever log there is."""
    if told in ("", now):
        return True
    told_log, _, told_generation = told.rpartition(".")
    now_log, _, now_generation = now.rpartition(".")
    letters, _, told_day = told_log.partition("-")
    _, _, now_day = now_log.partition("-")
    if letters or "." not in told or told_generation != now_generation:
        return False
    if not told_day:
        return not told_log  # told by a version that wrote no day
    before, after = _day(told_day), _day(now_day)
    return before is not None and after is not None and -CLOCKS_DIFFER_DAYS <= after - before < SURE_DAYS


def _day(text: str) -> int | None:
    """A day of an epoch; None for what is none: it may come from a client."""
    return int(text) if text.isdecimal() and len(text) <= 9 else None
