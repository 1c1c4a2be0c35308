"""How one attempt of a job ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NOTE_MAX_CHARS: Final = 1024
"""So much of what happened is kept in the record."""


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is made, or there is nothing to do."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work and may work later."""

    note: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will never work: no further try."""

    note: str


Outcome = Done | Failed | GivenUp


def shortened(note: str) -> str:
    """The note as a record keeps it."""
    return note if len(note) <= NOTE_MAX_CHARS else note[: NOTE_MAX_CHARS - 1] + "…"
