"""How long writes take until they are durable: a histogram for Prometheus, and for OTLP a sum and a count, each by verb."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Final

from causeway_common.telemetry import Counters

_counters: Final = Counters("storage")
_time: Final = _counters.counter(
    "write_time", "microseconds from a request to its durable answer, by verb", label="verb", unit="us"
)
_count: Final = _counters.counter("writes", "requests that write, answered, by verb", label="verb")
_seconds: Final = _counters.histogram("write", "seconds from a request to its durable answer, by verb", label="verb")


def durable(started_ns: int, verb: str) -> None:
    """Count a write that began at `started_ns` of `perf_counter_ns` and is durable, a repeat, or refused by another's."""
    took_ns = perf_counter_ns() - started_ns
    _time.add(took_ns // 1000, verb)
    _count.add(1, verb)
    _seconds.add(took_ns / 1e9, verb)
