"""The figures that operators see over time: which counters and gauges they come from, and what they say. A row here is all that one needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from causeway_common.telemetry.counters import count_of, gauge_of


@dataclass(frozen=True, slots=True)
class Total:
    """A counter (`<service>.<name>`), under one of its label's values (`only`) or all but one (`without`)."""

    name: str
    only: str = ""
    without: str = ""

    @property
    def key(self) -> str:
        """Its name on the bus."""
        return f"{self.name}:{self.only}" if self.only else f"{self.name}:!{self.without}" if self.without else self.name


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a gauge, else the growth of `total` a second, or for each that `per` grew.

    Attributes:
        name: of the figure.
        unit: `1`, `1/s`, `By`, `By/s`, `ms`, `s` or `%`.
        text: what it says, in a line.
        service: whose processes have it; "": all.
        gauge: where it comes from.
        total: likewise.
        per: likewise.
        scale: what the value is multiplied with.
    """

    name: str
    unit: str
    text: str
    service: str = ""
    gauge: str = ""
    total: Total | None = None
    per: Total | None = None
    scale: float = 1.0

    def value(self, before: Reading, now: Reading, seconds: float) -> float | None:
        """What it is between two readings of one process; None where it has no such thing, or nothing happened to be measured."""
        if self.total is None:
            found = now.gauges.get(self.gauge)
            return None if found is None else found * self.scale
        growth = _growth(self.total, before, now)
        if growth is None:
            return None
        if self.per is None:
            return growth * self.scale / seconds
        count = _growth(self.per, before, now)
        return growth * self.scale / count if count else None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process counted so far, and what is now."""

    totals: Mapping[str, int]
    gauges: Mapping[str, float]


def _growth(total: Total, before: Reading, now: Reading) -> int | None:
    first, last = before.totals.get(total.key), now.totals.get(total.key)
    return None if first is None or last is None or last < first else last - first


def _rate(name: str, text: str, service: str, total: Total, *, unit: str = "1/s") -> Figure:
    return Figure(name, unit, text, service, total=total)


FIGURES: Final[Mapping[str, Figure]] = {
    figure.name: figure
    for figure in (
        Figure("loop_delay_ms", "ms", "the longest that the event loop was late", gauge="process.loop_delay"),
        Figure("cpu_percent", "%", "processor time, of one core", gauge="process.cpu"),
        Figure("rss_bytes", "By", "resident memory", gauge="process.rss"),
        _rate("requests_per_s", "requests from other services answered", "", Total("dispatch.requests")),
        _rate("request_errors_per_s", "of them, answered with an error", "", Total("dispatch.requests", without="ok")),
        Figure("connections", "1", "client connections", "gateway", gauge="gateway.connections"),
        Figure("users", "1", "different users connected", "gateway", gauge="gateway.users"),
        Figure("subscriptions", "1", "subscriptions of clients", "gateway", gauge="gateway.subscriptions"),
        Figure("channels", "1", "channels with subscribers", "gateway", gauge="gateway.channels"),
        _rate("messages_in_per_s", "messages received from clients", "gateway", Total("gateway.frames.in")),
        _rate("messages_out_per_s", "publications handed to subscribers", "gateway", Total("gateway.publications.delivered")),
        _rate("bytes_in_per_s", "bytes of messages from clients", "gateway", Total("gateway.bytes.in"), unit="By/s"),
        _rate("bytes_out_per_s", "bytes written to clients", "gateway", Total("gateway.bytes.out"), unit="By/s"),
        Figure(
            "feed_lag_ms",
            "ms",
            "from a publication's commit in storage until a gateway has it, by their clocks",
            "gateway",
            total=Total("gateway.feed.lag"),
            per=Total("gateway.feed.logged"),
        ),
        _rate("errors_per_s", "error replies to clients", "gateway", Total("gateway.errors")),
        _rate("closes_per_s", "connections closed by the server", "gateway", Total("gateway.closes")),
        _rate("recoveries_per_s", "subscriptions that asked for what they missed", "gateway", Total("gateway.recoveries")),
        _rate("appends_per_s", "publications appended to logs", "storage", Total("storage.append_items", only="new")),
        _rate("commits_per_s", "changes of entities committed", "storage", Total("storage.commits", only="committed")),
        Figure(
            "write_ms",
            "ms",
            "from a request to its durable answer, the mean",
            "storage",
            total=Total("storage.write_time"),
            per=Total("storage.writes"),
            scale=0.001,
        ),
        Figure("write_queue", "1", "writes that wait or are under way", "storage", gauge="storage.write_queue"),
        Figure("outbox_age_s", "s", "how long the oldest outbox item has waited", "storage", gauge="storage.outbox_age"),
        Figure("records_overdue_ms", "ms", "how long the job due longest has waited", "storage", gauge="storage.records_overdue"),
        _rate("attempts_per_s", "attempts of jobs", "integrations", Total("integrations.attempts")),
        _rate("dead_per_s", "jobs given up", "integrations", Total("integrations.attempts", only="dead")),
        _rate("outside_calls_per_s", "calls of connectors that an app waits for", "integrations", Total("integrations.calls")),
        _rate("calls_per_s", "methods and hooks answered", "logic", Total("logic.calls")),
        _rate("call_errors_per_s", "of them, failed or refused", "logic", Total("logic.calls", without="ok")),
        _rate("tasks_per_s", "tries of tasks", "logic", Total("logic.task_attempts")),
    )
}
"""All of them, by name."""


def read_figures() -> Reading:
    """This process, now; without CPU and memory, which whoever reads knows itself."""
    totals: dict[str, int] = {}
    gauges: dict[str, float] = {}
    for figure in FIGURES.values():
        if figure.gauge and (value := gauge_of(figure.gauge)) is not None:
            gauges[figure.gauge] = value
        for total in (figure.total, figure.per):
            if total is not None and (count := count_of(total.name, total.only, total.without)) is not None:
                totals[total.key] = count
    return Reading(totals, gauges)
