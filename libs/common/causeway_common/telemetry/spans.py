"""Spans and W3C trace context (https://www.w3.org/TR/trace-context/) as Causeway uses them.

A span of ours is current in OpenTelemetry's own context, so that an app's libraries find it there, and is exported by the SDK's own
processor; between these two it is a plain object. The SDK's spans cost an RPC 47 µs each (`make bench`, 5 % of the calls sampled).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue as AnyAttributeValue

from causeway_common.telemetry.names import ERROR_TYPE, SCHEMA_URL

Kind = SpanKind
AttributeValue = str | int | float | bool

_SCOPE: Final = InstrumentationScope("causeway", schema_url=SCHEMA_URL)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final = Status()
_FAILED: Final = Status(StatusCode.ERROR)
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_unsampled: Final[ContextVar[Unsampled | None]] = ContextVar("unsampled", default=None)
NOT_SAMPLED: Final = "-00"


def _nobody(_span: ReadableSpan) -> None:
    """Takes spans where telemetry was not set up."""


@dataclass(slots=True)
class _Recording:
    """The share of the traces that begin here and are sampled, and where finished spans go."""

    ratio: float = 1.0
    take: Callable[[ReadableSpan], None] = _nobody
    resource: Resource = field(default_factory=Resource.get_empty)


_recording: Final = _Recording()


def sample(ratio: float) -> None:
    """Sample this share of the traces that begin in this process; of the others nothing is made but their id."""
    _recording.ratio = ratio


def record(take: Callable[[ReadableSpan], None], resource: Resource) -> None:
    """Hand finished spans to `take`, as those of this resource."""
    _recording.take, _recording.resource = take, resource


class Unsampled(AbstractContextManager[Span]):
    """A block in a trace that is not sampled. make bench: the SDK's own unsampled spans were 65 of an RPC's 144 µs."""

    __slots__ = ("_token", "traceparent")

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent
        self._token: Token[Unsampled | None] | None = None

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing was recorded."""

    def __enter__(self) -> Span:
        """It is current from here."""
        self._token = _unsampled.set(self)
        return trace.INVALID_SPAN

    def __exit__(self, *_: object) -> None:
        """Up to here."""
        if self._token is not None:
            _unsampled.reset(self._token)


class Recorded(NonRecordingSpan, AbstractContextManager[Span]):
    """A span that is exported when it ends."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        parent: SpanContext | None,
        attributes: Mapping[str, AnyAttributeValue] | None,
        links: tuple[Link, ...],
    ) -> None:
        self._trace_id = parent.trace_id if parent is not None else random.getrandbits(128) | 1
        super().__init__(SpanContext(self._trace_id, random.getrandbits(64) | 1, is_remote=False, trace_flags=_SAMPLED))
        self._name, self._kind, self._parent, self._links = name, kind, parent, links
        self._attributes = dict(attributes) if attributes else {}
        self._events: list[Event] = []
        self._status = _UNSET
        self._started = time.time_ns()
        self._tokens: tuple[Token[Context], Token[Unsampled | None]] | None = None

    @property
    def traceparent(self) -> str:
        """Its place in the trace, as it travels."""
        return _written(self.get_span_context())

    def is_recording(self) -> bool:
        """It is."""
        return True

    def set_attribute(self, key: str, value: AnyAttributeValue) -> None:
        """A key of telemetry.names and its value."""
        self._attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AnyAttributeValue]) -> None:
        """Several."""
        self._attributes.update(attributes)

    def add_event(self, name: str, attributes: Mapping[str, AnyAttributeValue] | None = None, timestamp: int | None = None) -> None:
        """Something happened meanwhile."""
        self._events.append(Event(name, attributes, timestamp))

    def link(self, other: Recorded) -> None:
        """It belongs to that one without being its child."""
        self._links = (*self._links, Link(other.get_span_context()))

    def update_name(self, name: str) -> None:
        """Another name."""
        self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """How it went."""
        self._status = status if isinstance(status, Status) else Status(status, description)

    def finish(self, error: BaseException | None = None) -> None:
        """It ends here; with an error it failed."""
        if error is not None:
            self._status = _FAILED
            self._attributes[ERROR_TYPE] = getattr(error, "name", "") or type(error).__name__
        _recording.take(
            ReadableSpan(
                name=self._name,
                context=self.get_span_context(),
                parent=self._parent,
                resource=_recording.resource,
                attributes=self._attributes,
                events=self._events,
                links=self._links,
                kind=self._kind,
                status=self._status,
                start_time=self._started,
                end_time=time.time_ns(),
                instrumentation_scope=_SCOPE,
            )
        )

    def __enter__(self) -> Span:
        """It is current from here."""
        self._tokens = context.attach(trace.set_span_in_context(self)), _unsampled.set(None)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Up to here, where it ends."""
        if self._tokens is not None:
            context.detach(self._tokens[0])
            _unsampled.reset(self._tokens[1])
        self.finish(error)


OpenSpan = Recorded | Unsampled
"""What `span` makes."""


def span(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    parent: str | OpenSpan | None = "",
    attributes: Mapping[str, AttributeValue] | None = None,
    links: tuple[str, ...] = (),
) -> OpenSpan:
    """A span, to be current in a `with` block or to be ended by `finish`. In a trace that is not sampled it is none.

    Args:
        name: from telemetry.names.
        kind: OpenTelemetry's span kind.
        parent: a `traceparent` that came from elsewhere, or a span of this process; "" takes the current span, None begins a trace.
        attributes: keys from telemetry.names.
        links: `traceparent`s of spans that this one belongs to without being their child.

    What a `with` block raises marks the span as failed and is raised on.
    """
    where: SpanContext | None = None
    if parent is None:
        if (unsampled := _begun()) is not None:
            return unsampled
    elif parent:
        if isinstance(parent, Unsampled):
            return parent
        if isinstance(parent, Recorded):
            where = parent.get_span_context()
        elif parent.endswith(NOT_SAMPLED):
            return Unsampled(parent)
        else:
            where = _read(parent)
    elif (current := _unsampled.get()) is not None:
        return Unsampled(current.traceparent)
    else:
        where = trace.get_current_span().get_span_context()
        if not where.is_valid:
            return span(name, kind=kind, parent=None, attributes=attributes, links=links)
    linked = tuple(Link(found) for text in links if (found := _read(text)) is not None) if links else ()
    return Recorded(name, kind, where, attributes, linked)


def _begun() -> Unsampled | None:
    """A trace that begins here and is not sampled; None where it is."""
    if _recording.ratio >= 1 or random.random() < _recording.ratio:  # noqa: S311 - no secret
        return None
    trace_id = f"{random.getrandbits(128) | 1:032x}"
    return Unsampled(f"00-{trace_id}-{trace_id[16:]}{NOT_SAMPLED}")  # no span has this id, since there is none


def annotate(attributes: Mapping[str, AttributeValue]) -> bool:
    """Add attributes to the span of ours that is current, if there is one: whether there is, recorded or not."""
    if _unsampled.get() is not None:
        return True
    found = trace.get_current_span()
    if not isinstance(found, Recorded):
        return False
    found.set_attributes(attributes)
    return True


def current_traceparent() -> str:
    """The `traceparent` of the current span; "" outside of any."""
    if (current := _unsampled.get()) is not None:
        return current.traceparent
    found = trace.get_current_span().get_span_context()
    return _written(found) if found.is_valid else ""


def _written(where: SpanContext) -> str:
    return f"00-{where.trace_id:032x}-{where.span_id:016x}-{where.trace_flags:02x}"


def _read(traceparent: str) -> SpanContext | None:
    """What a `traceparent` says; None where it is none."""
    if _TRACEPARENT.fullmatch(traceparent) is None:
        return None
    trace_id, span_id, flags = traceparent[3:35], traceparent[36:52], traceparent[53:]
    kept = _SAMPLED if flags == "01" else TraceFlags(int(flags, 16))
    where = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=kept)
    return where if where.is_valid else None


def batch_span(name: str, traced: Sequence[Recorded], attributes: Mapping[str, AttributeValue]) -> OpenSpan:
    """A span of what is done at once for several requests, in a trace of its own that each of theirs links to; none where none is sampled.

    Args:
        name: from telemetry.names.
        traced: the requests' spans.
        attributes: keys from telemetry.names.
    """
    if not traced:
        return Unsampled("")
    batch = Recorded(name, Kind.CLIENT, None, attributes, ())
    for each in traced:
        each.link(batch)
    return batch
