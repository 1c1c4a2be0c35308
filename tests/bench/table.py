"""What a figure comes to: pairs of floor and ours, their medians, the goals, and the table they are printed in."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

HEADINGS: Final = ("work", "floor", "ours", "ratio", "reach", "beyond", "verdict")


@dataclass(frozen=True, slots=True)
class Pair:
    """One run: the floor's figure (None: there is none) and ours, and what each serving process took of ours."""

    floor: float | None
    ours: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for: of the ratio, or of our own figure (`absolute`); at most, or at least (`least`)."""

    reach: float
    beyond: float | None = None
    absolute: bool = False
    least: bool = False

    def verdict(self, ratio: float | None, ours: float) -> str:
        """`beyond`, `reached` or `missed`."""
        value = ours if self.absolute or ratio is None else ratio
        if self.beyond is not None and self._kept(value, self.beyond):
            return "beyond"
        return "reached" if self._kept(value, self.reach) else "missed"

    def text(self, bound: float | None) -> str:
        """A bound as the table shows it."""
        if bound is None:
            return ""
        sign, unit = "≥" if self.least else "≤", "" if self.absolute else "x"
        return f"{sign} {bound:g}{unit}"

    def _kept(self, value: float, bound: float) -> bool:
        return value >= bound if self.least else value <= bound


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `unit` belongs to floor and ours, `note` stands below the table."""

    work: str
    unit: str
    pairs: Sequence[Pair]
    goal: Goal | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """The line, under `HEADINGS`."""
        ours = statistics.median(pair.ours for pair in self.pairs)
        floors = [pair.floor for pair in self.pairs if pair.floor is not None]
        ratios = [pair.ours / pair.floor for pair in self.pairs if pair.floor]
        ratio = statistics.median(ratios) if ratios else None
        goal = self.goal
        return (
            self.work,
            f"{number(statistics.median(floors))} {self.unit}" if floors else "",
            f"{number(ours)} {self.unit}",
            f"{ratio:.2f}" if ratio is not None else "",
            goal.text(goal.reach) if goal else "",
            goal.text(goal.beyond) if goal else "",
            goal.verdict(ratio, ours) if goal else "",
        )

    def below(self) -> str:
        """What stands below the table: the spread over the runs, who took what, the note."""
        ours = [pair.ours for pair in self.pairs]
        said = [f"{number(min(ours))} to {number(max(ours))} {self.unit} in {len(ours)} runs"] if len(ours) > 1 else []
        names = self.pairs[0].parts
        if names:
            shares = {name: statistics.median(pair.parts[name] for pair in self.pairs) for name in names}
            said.append(", ".join(f"{name} {number(share)}" for name, share in shares.items()))
        return "; ".join([*said, *([self.note] if self.note else [])])


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(rows: Sequence[Row]) -> str:
    """The table as docs/performance.md has it, the notes as a list."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {row.work}: {row.below()}" for row in rows if row.below())])


def plain(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    table = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *(f"{row.work}: {row.below()}" for row in rows if row.below())])
