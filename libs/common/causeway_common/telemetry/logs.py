"""Structured logs: JSON lines or a console form, each with the trace id of the span it was written in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from causeway_common.telemetry.spans import current_traceparent


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; events are sentences, what varies goes in keys."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"causeway.{name}")
    return logger


def _trace_ids(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    _, trace_id, span_id, *_ = (*current_traceparent().split("-"), "", "", "")
    if trace_id:
        event["trace_id"], event["span_id"] = trace_id, span_id
    return event


def set_up_logs(service: str, node: str, log_format: str, level: str) -> None:
    """Route structlog and the standard library's logging to standard output, one line each.

    Args:
        service: the process's name, on each JSON line.
        node: its node id, likewise.
        log_format: `json` or `console`.
        level: the lowest level written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _trace_ids,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    renderer: list[structlog.typing.Processor]
    if log_format == "json":

        def who(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
            event["service"], event["node"] = service, node
            return event

        renderer = [who, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)]
        shared = [p for p in shared if not isinstance(p, structlog.processors.TimeStamper)]
        shared.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="timestamp"))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("causeway").setLevel(level.upper())


@contextmanager
def warnings_to_stderr() -> Iterator[None]:
    """Within it only warnings are logged, to standard error: what a command prints is its answer."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)
