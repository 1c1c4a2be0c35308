"""Traces, metrics and logs, and the names they go by."""

from causeway_common.telemetry import names
from causeway_common.telemetry.counters import Counter, Counters
from causeway_common.telemetry.figures import FIGURES, Figure, Reading, read_figures
from causeway_common.telemetry.logs import get_logger, warnings_to_stderr
from causeway_common.telemetry.setup import prometheus_text, set_up_telemetry, shut_down_telemetry
from causeway_common.telemetry.spans import AttributeValue, Kind, OpenSpan, Unsampled, annotate, current_traceparent, span

__all__ = [
    "FIGURES",
    "AttributeValue",
    "Counter",
    "Counters",
    "Figure",
    "Kind",
    "OpenSpan",
    "Reading",
    "Unsampled",
    "annotate",
    "current_traceparent",
    "get_logger",
    "names",
    "prometheus_text",
    "read_figures",
    "set_up_telemetry",
    "shut_down_telemetry",
    "span",
    "warnings_to_stderr",
]
