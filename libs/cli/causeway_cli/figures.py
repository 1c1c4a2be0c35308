"""Figures for the eye: each with its unit, short enough for a column. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": ("connections", "channels", "messages_in_per_s", "messages_out_per_s", "bytes_out_per_s", "feed_lag_ms"),
    "storage": ("appends_per_s", "commits_per_s", "write_ms", "write_queue", "outbox_age_s", "records_overdue_ms"),
    "integrations": ("attempts_per_s", "dead_per_s", "outside_calls_per_s"),
    "logic": ("calls_per_s", "call_errors_per_s", "tasks_per_s"),
}
"""What is told of a service's processes first, beside what every process has."""
EVERYWHERE: Final = ("cpu_percent", "rss_bytes", "loop_delay_ms")
_PREFIXES: Final = ("", "k", "M", "G", "T")
_SUFFIXES: Final = {"1": "", "1/s": "/s", "By": "B", "By/s": "B/s", "ms": "ms", "s": "s", "%": "%"}


def figure_text(value: float, unit: str) -> str:
    """As `12.5k/s`, `83.1MB`, `0.4ms`. A unit that is not known stands behind the number as it is."""
    suffix = _SUFFIXES.get(unit, f" {unit}")
    if unit not in ("1", "1/s", "By", "By/s"):
        return f"{value:.3g}{suffix}" if value < 1000 else f"{value:.0f}{suffix}"
    power = 0
    while abs(value) >= 1000 and power < len(_PREFIXES) - 1:
        value /= 1000
        power += 1
    return f"{value:.3g}{_PREFIXES[power]}{suffix}"


def columns_of(service: str) -> tuple[str, ...]:
    """The figures of a service's processes that are told in a line."""
    return (*COLUMNS.get("logic" if service.startswith("logic-") else service, ()), *EVERYWHERE)


def title_of(figure: str) -> str:
    """A column's head: without the unit, which stands with each value."""
    for ending in ("_per_s", "_ms", "_s", "_bytes", "_percent"):
        if figure.endswith(ending):
            return figure.removesuffix(ending).replace("_", " ")
    return figure.replace("_", " ")


_SHORT: Final = {
    "connections": "conns",
    "channels": "chans",
    "bytes_out_per_s": "out",
    "feed_lag_ms": "lag",
    "messages_in_per_s": "msg in",
    "messages_out_per_s": "msg out",
    "records_overdue_ms": "overdue",
    "outbox_age_s": "outbox",
    "write_queue": "queue",
    "outside_calls_per_s": "outside",
    "call_errors_per_s": "errors",
    "loop_delay_ms": "loop",
}


def head_of(figure: str) -> str:
    """A column's head where room is scarce."""
    return _SHORT.get(figure) or title_of(figure)


def node_line(node: Mapping[str, Any], units: Mapping[str, Any]) -> str:
    """A process for the eye: what it is, and its figures by name."""
    version = node["app_version"] or node["version"]
    state = "" if node["state"] == "up" else f"  {node['state'].upper()}"
    told = (
        f"{title_of(name)} {figure_text(node['figures'][name], units.get(name, {}).get('unit', ''))}"
        for name in columns_of(node["service"])
        if name in node["figures"]
    )
    return "  ".join([f"{node['service']:16} {node['node']} {version}{state}", *told])
