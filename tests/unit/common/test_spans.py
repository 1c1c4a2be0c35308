"""Spans: parents, sampling, failures, and the very bytes that the SDK would export."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from causeway_common.contracts.errors import unavailable
from causeway_common.telemetry import Kind, current_traceparent, span, spans
from causeway_common.telemetry.export import TraceExporter, encoded

RESOURCE = Resource({"service.name": "tests"})
REMOTE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> list[ReadableSpan]:
    found: list[ReadableSpan] = []
    monkeypatch.setattr(spans, "_recording", spans._Recording())
    spans.record(found.append, RESOURCE)
    return found


def ids(found: ReadableSpan) -> tuple[int, int, int]:
    assert found.context is not None
    return found.context.trace_id, found.context.span_id, found.parent.span_id if found.parent else 0


def test_a_span_is_the_child_of_the_current_one_and_of_the_one_that_is_named(finished: list[ReadableSpan]) -> None:
    with span("outer"):
        named = span("named", parent=None)
        with span("inner"):
            assert trace.get_current_span().is_recording()
        below = span("below", parent=named)
    below.finish()
    named.finish()
    inner, outer, under, root = map(ids, finished)

    assert inner == (outer[0], inner[1], outer[1])
    assert under == (root[0], under[1], root[1])
    assert (root[2], outer[2]) == (0, 0)
    assert root[0] != outer[0]
    assert current_traceparent() == ""


def test_a_remote_parent_decides_and_its_place_travels_on(finished: list[ReadableSpan]) -> None:
    with span("child", parent=REMOTE):
        assert current_traceparent().startswith(REMOTE[:36])
        with span("inner", parent=REMOTE[:-2] + "00"):
            assert current_traceparent() == REMOTE[:-2] + "00"
            assert span("nothing").traceparent == REMOTE[:-2] + "00"
    (child,) = finished

    assert child.parent is not None
    assert (child.parent.is_remote, ids(child)[2]) == (True, int("b" * 16, 16))


@pytest.mark.parametrize(
    "parent", ["nonsense", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "00-" + "g" * 32 + "-" + "b" * 16 + "-01"]
)
def test_a_parent_that_is_none_begins_a_trace(finished: list[ReadableSpan], parent: str) -> None:
    span("root", parent=parent, links=(parent, REMOTE)).finish()

    assert finished[0].parent is None
    assert len(finished[0].links) == 1


def test_a_trace_that_is_not_sampled_has_an_id_and_no_spans(finished: list[ReadableSpan]) -> None:
    spans.sample(0)
    with span("root"):
        traceparent = current_traceparent()
        with span("inner"):
            assert current_traceparent() == traceparent
        span("begun", parent=span("other", parent=None)).finish(unavailable("x"))

    assert finished == []
    assert traceparent.endswith("-00")
    assert spans._read(traceparent) is not None


def test_a_share_of_the_traces_is_sampled(finished: list[ReadableSpan]) -> None:
    spans.sample(0.5)
    for _ in range(1000):
        with span("root"), span("inner"):
            pass

    assert 2 * 400 < len(finished) < 2 * 600


def test_a_failure_is_told_by_its_name_in_the_table(finished: list[ReadableSpan]) -> None:
    with pytest.raises(RuntimeError), span("outer"), span("inner", attributes={"a": 1}):
        raise RuntimeError
    span("finished").finish(unavailable("x"))

    assert [each.status.status_code for each in finished] == [StatusCode.ERROR] * 3
    assert [dict(each.attributes or {}) for each in finished] == [
        {"a": 1, "error.type": "RuntimeError"},
        {"error.type": "RuntimeError"},
        {"error.type": "unavailable"},
    ]


def test_a_span_of_the_sdk_belongs_to_ours_and_ours_to_it(finished: list[ReadableSpan]) -> None:
    class Keep(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            finished.extend(spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    with span("ours"), provider.get_tracer("theirs").start_as_current_span("theirs"), span("inner"):
        pass
    inner, theirs, ours = map(ids, finished)
    provider.shutdown()

    assert inner[0] == theirs[0] == ours[0]
    assert (inner[2], theirs[2]) == (theirs[1], ours[1])


values = st.text(max_size=8) | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=8),
            st.sampled_from(list(Kind)),
            st.sampled_from(["", REMOTE]),
            st.dictionaries(st.text(min_size=1, max_size=4), values, max_size=4),
            st.booleans(),
            st.sampled_from(["", "event", "link", "list", "status"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_exported_is_byte_for_byte_what_the_sdk_exports(
    finished: list[ReadableSpan], made: list[tuple[object, ...]]
) -> None:
    finished.clear()
    for name, kind, parent, attributes, fails, rare in made:
        links = (REMOTE,) if rare == "link" else ()
        begun = span(name, kind=kind, parent=parent, attributes=attributes, links=links)  # type: ignore[arg-type]
        assert isinstance(begun, spans.Recorded)
        if rare == "event":
            begun.add_event("happened", {"a": 1})
        if rare == "list":
            begun.set_attribute("list", ["a", "b"])
        if rare == "status":
            begun.set_status(StatusCode.ERROR, "why")
        begun.finish(unavailable("x") if fails else None)

    assert encoded(finished) == encode_spans(finished).SerializePartialToString()


def test_spans_that_cannot_be_delivered_are_lost_with_a_word_and_no_exception(finished: list[ReadableSpan]) -> None:
    span("lost").finish()
    exporter = TraceExporter("http://127.0.0.1:9/v1/traces")

    assert exporter.export(finished) is SpanExportResult.FAILURE
    exporter.shutdown()


def test_what_opentelemetrys_variables_say_of_the_receiver_holds_for_spans_too(
    finished: list[ReadableSpan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer common")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20own,x-tenant=a")
    span("kept").finish()
    heard: list[tuple[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((self.headers["Authorization"], self.headers["X-Tenant"]))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        exporter = TraceExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
        outcome = exporter.export(finished)
        serving.join()
        exporter.shutdown()

    assert outcome is SpanExportResult.SUCCESS
    assert heard == [("Bearer own", "a")]


def test_a_batch_has_a_trace_of_its_own_that_each_sampled_request_links_to(finished: list[ReadableSpan]) -> None:
    with span("first") as first, span("second", parent=None) as second:
        assert isinstance(first, spans.Recorded)
        assert isinstance(second, spans.Recorded)
        with spans.batch_span("batch", [first, second], {"size": 2}):
            assert current_traceparent()
    batch, *requests = finished

    assert batch.parent is None
    assert batch.context is not None
    assert {batch.context.trace_id} & {each.context.trace_id for each in requests if each.context} == set()
    assert [[link.context.span_id for link in each.links] for each in requests] == [[batch.context.span_id]] * 2


def test_a_batch_of_requests_that_are_not_sampled_has_no_span(finished: list[ReadableSpan]) -> None:
    with spans.batch_span("batch", [], {}):
        assert current_traceparent() == ""
    assert finished == []
