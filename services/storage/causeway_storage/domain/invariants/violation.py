"""A broken invariant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant.

    Attributes:
        kind: which invariant, a name for machines (`log.hole`).
        where: the log, entity or record.
        what: a sentence.
    """

    kind: str
    where: str
    what: str
