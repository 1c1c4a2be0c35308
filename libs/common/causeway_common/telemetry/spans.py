"""Spans and W3C trace context (https://www.w3.org/TR/trace-context/) as Causeway uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from causeway_common.telemetry.names import ERROR_TYPE, SCHEMA_URL, TRACEPARENT

Kind = SpanKind
AttributeValue = str | int | float | bool

_propagator: Final = TraceContextTextMapPropagator()
_tracer: Final = trace.get_tracer("causeway", schema_url=SCHEMA_URL)


@contextmanager
def span(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    parent: str = "",
    attributes: Mapping[str, AttributeValue] | None = None,
    links: tuple[str, ...] = (),
) -> Iterator[Span]:
    """A span around a block; the current one inside it.

    Args:
        name: from telemetry.names.
        kind: OpenTelemetry's span kind.
        parent: a `traceparent`; "" takes the current span.
        attributes: keys from telemetry.names.
        links: `traceparent`s of spans that this one belongs to without being their child.

    What the block raises marks the span as failed and is raised on.
    """
    where = _propagator.extract({TRACEPARENT: parent}) if parent else None
    linked = [Link(found) for text in links if (found := _span_context(text)).is_valid]
    started = _tracer.start_span(name, context=where, kind=kind, attributes=attributes, links=linked)
    token = context.attach(trace.set_span_in_context(started, where))
    try:
        yield started
    except BaseException as error:
        started.set_status(Status(StatusCode.ERROR))
        started.set_attribute(ERROR_TYPE, getattr(error, "name", "") or type(error).__name__)
        raise
    finally:
        context.detach(token)
        started.end()


def current_traceparent() -> str:
    """The `traceparent` of the current span; "" outside of any."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(TRACEPARENT, "")


def _span_context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_propagator.extract({TRACEPARENT: traceparent})).get_span_context()
