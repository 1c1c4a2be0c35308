"""Counters and gauges over plain ints: adding one on a hot path is an addition; OpenTelemetry reads them when it exports."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

import prometheus_client
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client.core import HistogramMetricFamily

from causeway_common.telemetry.names import SCHEMA_URL

BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_meter: Final = metrics.get_meter("causeway", schema_url=SCHEMA_URL)


class Counter:
    """A number that only grows, with at most one label."""

    __slots__ = ("_label", "_values")

    def __init__(self, label: str) -> None:
        self._label = label
        self._values: defaultdict[str, int] = defaultdict(int)

    def add(self, amount: int = 1, value: str = "") -> None:
        """Add `amount`; `value` is the label's value. Label values are names of our own tables, never user input."""
        self._values[value] += amount

    def value(self, value: str = "") -> int:
        """The count so far under this label value."""
        return self._values.get(value, 0)

    @property
    def total(self) -> int:
        """The count so far under all label values."""
        return sum(self._values.values())

    def part(self, only: str, without: str) -> int:
        """The count under one label value; with "" under all but `without`."""
        if only:
            return self._values.get(only, 0)
        return self.total - (self._values.get(without, 0) if without else 0)

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What OpenTelemetry reads."""
        return [Observation(count, {self._label: value} if value else {}) for value, count in self._values.items()]


class Histogram:
    """How long something took, by one label, over plain ints: OpenTelemetry's own costs 4 µs a measurement, this one a tenth of it.

    For Prometheus alone: of OpenTelemetry's instruments that are read when they are exported none is a histogram.
    """

    __slots__ = ("_description", "_label", "_name", "_rows", "_sums")

    def __init__(self, name: str, description: str, label: str) -> None:
        self._name, self._description, self._label = name, description, label
        self._rows: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)

    def add(self, seconds: float, value: str) -> None:
        """Count one; `value` is the label's value, a name of our own tables."""
        row = self._rows.get(value)
        if row is None:
            row = self._rows[value] = [0] * (len(BOUNDS_S) + 1)
        row[bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[value] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What Prometheus reads."""
        family = HistogramMetricFamily(self._name, self._description, labels=[self._label])
        for value, row in list(self._rows.items()):
            bounds = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
            family.add_metric([value], list(zip(bounds, accumulate(row), strict=True)), self._sums[value])
        yield family


_counters: Final[dict[str, Callable[[str, str], int]]] = {}
_gauges: Final[dict[str, Callable[[], float]]] = {}
"""What this process counts and measures, by `<service>.<name>`, for who reads it here (`telemetry.figures`)."""


def count_of(name: str, only: str = "", without: str = "") -> int | None:
    """What a counter of this process stands at: under all label values, one of them, or all but one; None: there is no such counter."""
    read = _counters.get(name)
    return None if read is None else read(only, without)


def gauge_of(name: str) -> float | None:
    """What a gauge of this process shows; None: there is no such gauge."""
    read = _gauges.get(name)
    return None if read is None else read()


class Counters:
    """The instruments of one service: `causeway.<service>.<name>`."""

    def __init__(self, service: str) -> None:
        self._service = service

    def counter(self, name: str, description: str, *, label: str = "outcome", unit: str = "1") -> Counter:
        """A counter; `label` names its one label."""
        counter = Counter(label)
        _meter.create_observable_counter(f"causeway.{self._service}.{name}", [counter.observe], unit=unit, description=description)
        _counters[f"{self._service}.{name}"] = counter.part
        return counter

    def total(self, name: str, description: str, read: Callable[[], int], *, unit: str = "1") -> None:
        """A counter whose count is kept elsewhere, and read when it is exported."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        _meter.create_observable_counter(f"causeway.{self._service}.{name}", [observe], unit=unit, description=description)
        _counters[f"{self._service}.{name}"] = lambda _only, _without: read()

    def histogram(self, name: str, description: str, *, label: str) -> Histogram:
        """A histogram, `causeway_<service>_<name>_seconds`; `label` names its one label."""
        made = Histogram(f"causeway_{self._service}_{name}_seconds", description, label)
        prometheus_client.REGISTRY.register(made)
        return made

    def gauge(self, name: str, description: str, read: Callable[[], float], *, unit: str = "1") -> None:
        """A value read when it is exported."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        _meter.create_observable_gauge(f"causeway.{self._service}.{name}", [observe], unit=unit, description=description)
        _gauges[f"{self._service}.{name}"] = read

    def gauges(self, name: str, description: str, read: Callable[[], Mapping[str, float]], *, label: str, unit: str = "1") -> None:
        """Values read when they are exported, by the value of their one label, which is a configured name and never user input."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, {label: name}) for name, value in read().items()]

        _meter.create_observable_gauge(f"causeway.{self._service}.{name}", [observe], unit=unit, description=description)
