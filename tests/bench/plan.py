"""How a figure is taken: how often, how long, where, and with which instruments."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import Gateway, Stack, stack


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line.

    Attributes:
        directory: for what the processes write.
        count: runs of each figure.
        quick: shorter runs, fewer connections: for trying, not for documents.
        profiles: where profiles of the gateway go, or None; figures taken while profiling are no figures.
    """

    directory: Path
    count: int
    quick: bool
    profiles: Path | None = None

    def of(self, full: int, quick: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full

    @property
    def seconds(self) -> float:
        """How long one load lasts."""
        return 1.0 if self.quick else 2.0

    def runs(self, what: str) -> Iterator[int]:
        """The runs of a figure, each told as it begins."""
        for run in range(self.count):
            self.say(f"{what}: run {run + 1} of {self.count}")
            yield run

    def say(self, text: str) -> None:
        """A line on how far things are."""
        print(f"{time.strftime('%H:%M:%S')} {text} …", file=sys.stderr, flush=True)

    def stack(self, name: str) -> AbstractAsyncContextManager[Stack]:
        """Processes of the figure's own."""
        return stack(self.directory / name)

    async def gateway(self, stack: Stack, *, observed: bool = False) -> Gateway:
        """A gateway, with a profiler where profiles are wanted."""
        return await stack.gateway(observed=observed, profile=self.profiles is not None)

    def begin(self, gateway: Gateway) -> None:
        """Begin to profile, if profiles are wanted."""
        if self.profiles is not None:
            gateway.begin()

    async def end(self, gateway: Gateway, name: str) -> None:
        """Write the profile, if profiles are wanted."""
        if self.profiles is not None:
            self.keep(await gateway.end(), name)

    def keep(self, found: dict[str, Any], name: str) -> None:
        """Write what a profiled window found."""
        if self.profiles is not None:
            self.profiles.mkdir(parents=True, exist_ok=True)
            types = json.dumps(found["types"], indent=1)
            (self.profiles / f"{name}.txt").write_text(found["profile"] + "\n" + types + "\n")


def percentile_ms(gaps: list[float], share: float, beat: float) -> float:
    """The lag that this share of all moments did not exceed, milliseconds.

    A heartbeat that comes late stands for all those that were due while the loop stood still: each is counted with its own lag, or a
    long stall would weigh as little as a short one.
    """
    lags: list[float] = []
    for gap in gaps:
        late = gap - beat
        while late > 0:
            lags.append(late)
            late -= beat
        lags.append(0.0)
    lags.sort()
    return lags[min(int(len(lags) * share), len(lags) - 1)] * 1e3


def total(parts: dict[str, float]) -> float:
    """The sum over all processes."""
    return sum(parts.values())


def median(values: Iterator[float] | list[float]) -> float:
    """The median."""
    return statistics.median(values)
