"""The figures of all processes over the last ten minutes, in bounded memory: what each told every two seconds, put on one grid of time."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Final

from causeway_common.contracts.messages import Figures, MethodFigures
from causeway_common.telemetry import FIGURES, Reading

STEP_MS: Final = 2_000
STEPS: Final = 300
WINDOW_MS: Final = STEP_MS * STEPS
SILENT_MS: Final = 15_000
NODES_MAX: Final = 500
METHOD_STEP_MS: Final = 10_000
METHOD_STEPS: Final = 60
METHODS_MAX: Final = 2_000
TOGETHER_MS: Final = 30_000
"""Processes that started so shortly before this one are taken as started with it: all they ever counted belongs to the window."""
HELD: Final = 2
"""A process that was not heard of in so many steps, but is again, had the same figures meanwhile: messages come a little late at times."""


class Grid:
    """Values at the steps of a window that moves on: an older one than that is forgotten."""

    __slots__ = ("_last", "_values")

    def __init__(self, steps: int, empty: float) -> None:
        self._values = array("d", [empty]) * steps
        self._last = -1

    def put(self, step: int, value: float, empty: float, *, held: int = 0) -> None:
        """The value at a step, in place of one that is there; steps left out are `empty`, or the value too where they are at most `held`."""
        if self._last >= 0 and step > self._last:
            between = value if step - self._last - 1 <= held else empty
            for missing in range(max(self._last + 1, step - len(self._values)), step):
                self._values[missing % len(self._values)] = between
        if step >= self._last:
            self._values[step % len(self._values)] = value
            self._last = step

    def add(self, step: int, value: float) -> None:
        """So much more at a step."""
        there = self._values[step % len(self._values)] if step == self._last else 0.0
        self.put(step, there + value, 0.0)

    def read(self, first: int, last: int, empty: float) -> Iterator[float]:
        """The values of these steps."""
        size = len(self._values)
        for step in range(first, last + 1):
            yield self._values[step % size] if self._last - size < step <= self._last else empty


@dataclass(slots=True)
class Node:
    """A process.

    `values` are its newest figures, `at_ms` when it was heard of last.
    """

    service: str
    node: str
    version: str
    app_version: str
    started_ms: int
    at_ms: int
    left: bool = False
    values: dict[str, float] = field(default_factory=dict)
    reading: Reading | None = None
    grids: dict[str, Grid] = field(default_factory=dict)
    counted: dict[tuple[str, str, str], MethodFigures] = field(default_factory=dict)

    def state(self, now_ms: int) -> str:
        """`up`, `silent` or `left`."""
        return "left" if self.left else "up" if now_ms - self.at_ms < SILENT_MS else "silent"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of a method in a window."""

    calls: int
    errors: int
    rejected: int
    time_ms: int
    calls_by_step: tuple[int, ...]
    errors_by_step: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one process over time; None where nothing is known."""

    service: str
    node: str
    figure: str
    values: tuple[float | None, ...]


class Board:
    """What was heard of every process.

    Args:
        wall: milliseconds since the Unix epoch, when something was heard: clocks of other machines are not believed.
    """

    def __init__(self, wall: Callable[[], int]) -> None:
        self._wall = wall
        self._since_ms = wall()
        self._nodes: dict[tuple[str, str], Node] = {}
        self._methods: dict[tuple[str, str, str], tuple[Grid, Grid, Grid, Grid]] = {}

    def heard(self, service: str, node: str, figures: Figures) -> None:
        """A process told its figures."""
        now = self._wall()
        there = self._node(service, node, figures, now)
        if there is None:
            return
        reading = Reading(figures.totals, figures.gauges)
        seconds = max(now - there.at_ms, 1) / 1000
        before = there.reading
        for name, figure in FIGURES.items():
            value = figure.value(before or reading, reading, seconds) if before or figure.total is None else None
            if value is None:
                there.values.pop(name, None)
                continue
            there.values[name] = value
            grid = there.grids.get(name)
            if grid is None:
                grid = there.grids[name] = Grid(STEPS, nan)
            grid.put(now // STEP_MS, value, nan, held=HELD)
        for each in figures.methods:
            self._count(there, each, now)
        there.reading, there.at_ms, there.left = reading, now, figures.left

    def nodes(self) -> list[Node]:
        """All processes that were heard of within the window, by service and id."""
        self._forget()
        return [self._nodes[key] for key in sorted(self._nodes)]

    def span(self, after_ms: int) -> tuple[int, int]:
        """The first and the last step, whole ones, that there may be values of behind a time."""
        last = self._wall() // STEP_MS - 1
        return max(last - STEPS + 1, after_ms // STEP_MS + 1, self._since_ms // STEP_MS), last

    def lines(self, first: int, last: int, figures: Collection[str], service: str, node: str) -> list[Line]:
        """Figures over these steps: of all processes, of a service's, of one. No names are all figures."""
        return [
            Line(each.service, each.node, name, tuple(_known(value) for value in grid.read(first, last, nan)))
            for each in self.nodes()
            if service in ("", each.service) and node in ("", each.node)
            for name, grid in each.grids.items()
            if not figures or name in figures
        ]

    def methods(self, app: str, window_ms: int) -> Mapping[tuple[str, str, str], Counts]:
        """What was counted of an app's methods, by app, method and version, within the last `window_ms`; "" is every app."""
        last = self._wall() // METHOD_STEP_MS
        first = last - max(min(window_ms // METHOD_STEP_MS, METHOD_STEPS), 1) + 1
        found: dict[tuple[str, str, str], Counts] = {}
        for key, grids in self._methods.items():
            if app in ("", key[0]):
                calls, errors, rejected, ms = (tuple(map(int, grid.read(first, last, 0.0))) for grid in grids)
                found[key] = Counts(sum(calls), sum(errors), sum(rejected), sum(ms), calls, errors)
        return found

    def _node(self, service: str, node: str, figures: Figures, now: int) -> Node | None:
        there = self._nodes.get((service, node))
        if there is None:
            if len(self._nodes) >= NODES_MAX:
                self._forget()
            if len(self._nodes) >= NODES_MAX:
                return None
            there = Node(service, node, figures.version, figures.app_version, figures.started_ms, now)
            self._nodes[service, node] = there
        return there

    def _forget(self) -> None:
        since = self._wall() - WINDOW_MS
        for key in [key for key, each in self._nodes.items() if each.at_ms < since]:
            del self._nodes[key]

    def _count(self, node: Node, told: MethodFigures, now: int) -> None:
        key = (told.app, told.method, told.version)
        before = node.counted.get(key)
        if before is None and len(node.counted) >= METHODS_MAX:
            return
        node.counted[key] = told
        if before is None:  # what a process counted before this one listened belongs to no step
            if node.started_ms < self._since_ms - TOGETHER_MS:
                return
            before = MethodFigures(app="", method="", version="", calls=0, errors=0, rejected=0, time_ms=0)
        grids = self._methods.get(key)
        if grids is None:
            if len(self._methods) >= METHODS_MAX:
                return
            grids = self._methods[key] = (
                Grid(METHOD_STEPS, 0.0),
                Grid(METHOD_STEPS, 0.0),
                Grid(METHOD_STEPS, 0.0),
                Grid(METHOD_STEPS, 0.0),
            )
        step = now // METHOD_STEP_MS
        grids[0].add(step, told.calls - before.calls)
        grids[1].add(step, told.errors - before.errors)
        grids[2].add(step, told.rejected - before.rejected)
        grids[3].add(step, told.time_ms - before.time_ms)


def _known(value: float) -> float | None:
    return None if isnan(value) else round(value, 3)
