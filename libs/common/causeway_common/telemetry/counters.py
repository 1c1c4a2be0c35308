"""Counters and gauges over plain ints: adding one on a hot path is an addition; OpenTelemetry reads them when it exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from causeway_common.telemetry.names import SCHEMA_URL

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

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What OpenTelemetry reads."""
        return [Observation(count, {self._label: value} if value else {}) for value, count in self._values.items()]


class Counters:
    """The instruments of one service: `causeway.<service>.<name>`."""

    def __init__(self, service: str) -> None:
        self._service = service

    def counter(self, name: str, description: str, *, label: str = "outcome", unit: str = "1") -> Counter:
        """A counter; `label` names its one label."""
        counter = Counter(label)
        _meter.create_observable_counter(f"causeway.{self._service}.{name}", [counter.observe], unit=unit, description=description)
        return counter

    def gauge(self, name: str, description: str, read: Callable[[], float], *, unit: str = "1") -> None:
        """A value read when it is exported."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        _meter.create_observable_gauge(f"causeway.{self._service}.{name}", [observe], unit=unit, description=description)

    def gauges(self, name: str, description: str, read: Callable[[], Mapping[str, float]], *, label: str, unit: str = "1") -> None:
        """Values read when they are exported, by the value of their one label, which is a configured name and never user input."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, {label: name}) for name, value in read().items()]

        _meter.create_observable_gauge(f"causeway.{self._service}.{name}", [observe], unit=unit, description=description)
