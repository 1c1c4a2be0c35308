"""Epochs as the outside knows them: `letters.generation`, of a log that was never written `.generation` alone.

The letters are a log's own and are made with its first publication; the generation is the database's, and a restore raises it. So a
position that was told before the first publication is one of the log that began after it, and of none of another database's time.
"""

from __future__ import annotations


def epoch_of(letters: str, generation: int) -> str:
    """The epoch of a log; without letters, of one that was never written."""
    return f"{letters}.{generation}"


def continues(told: str, now: str) -> bool:
    """Whether a position told under the epoch `told` is one of the log whose epoch is `now`. "" is whatever log there is."""
    return told in ("", now) or (told.startswith(".") and now.endswith(told))
