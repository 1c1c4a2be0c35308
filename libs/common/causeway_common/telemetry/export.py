"""Finished spans to an OTLP/HTTP receiver, in the very bytes that the SDK's exporter sends.

make bench: that exporter took 30 µs a span, most of it for attributes: 6 of an RPC's 50 µs at the default sampling. Here each attribute
is encoded once and copied. What is rare (events, links, other values than text and whole numbers) is left to the SDK's encoder, and so are resource and scope.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as pb
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_CERTIFICATE,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode
from opentelemetry.util.re import parse_env_headers
from requests.adapters import HTTPAdapter

from causeway_common.telemetry.logs import get_logger

log = get_logger("telemetry")
TIMEOUT_SECONDS: Final = 2
CONNECT_RETRIES: Final = 2
_LOCAL: Final = pb.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_REMOTE: Final = _LOCAL | pb.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_STATUS: Final = {
    StatusCode.UNSET: pb.Status(code=pb.Status.STATUS_CODE_UNSET),
    StatusCode.OK: pb.Status(code=pb.Status.STATUS_CODE_OK),
    StatusCode.ERROR: pb.Status(code=pb.Status.STATUS_CODE_ERROR),
}
_PLAIN: Final = frozenset({str, bool, int})  # no floats: -0.0 and 0.0 are one key of a cache


class TraceExporter(SpanExporter):
    """Posts batches; one that is not taken is dropped with a line in the log. Called by one thread of the SDK's.

    Headers and the receiver's certificate come from OpenTelemetry's own environment variables, as for the metrics
    (OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE, and those of traces alone).

    Args:
        endpoint: the URL of the receiver's traces.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = requests.Session()
        self._session.headers["Content-Type"] = "application/x-protobuf"
        self._session.headers.update(
            parse_env_headers(_environment(OTEL_EXPORTER_OTLP_TRACES_HEADERS, OTEL_EXPORTER_OTLP_HEADERS), liberal=True)
        )
        if certificate := _environment(OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE, OTEL_EXPORTER_OTLP_CERTIFICATE):
            self._session.verify = certificate
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=CONNECT_RETRIES))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send these."""
        try:
            self._session.post(self._endpoint, data=encoded(spans), timeout=TIMEOUT_SECONDS).raise_for_status()
        except requests.RequestException as error:
            log.warning("spans could not be exported and are lost", count=len(spans), reason=str(error))
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Send no more."""
        self._session.close()


def _environment(own: str, common: str) -> str:
    return os.environ.get(own) or os.environ.get(common, "")


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """The body of a request with these spans."""
    request = ExportTraceServiceRequest()
    groups: dict[tuple[int, int], pb.ScopeSpans] = {}
    for span in spans:
        group = (id(span.resource), id(span.instrumentation_scope))
        if group not in groups:
            request.resource_spans.append(encode_spans([span]).resource_spans[0])
            groups[group] = request.resource_spans[-1].scope_spans[0]
        elif span.context is None or not _is_plain(span):
            groups[group].spans.append(encode_spans([span]).resource_spans[0].scope_spans[0].spans[0])
        else:
            _add(groups[group], span, span.context.trace_id, span.context.span_id)
    return request.SerializeToString()


def _is_plain(span: ReadableSpan) -> bool:
    values = (span.attributes or {}).values()
    return not (span.events or span.links or span.status.description) and _PLAIN.issuperset(map(type, values))


def _add(group: pb.ScopeSpans, span: ReadableSpan, trace_id: int, span_id: int) -> None:
    parent = span.parent
    group.spans.add(
        trace_id=trace_id.to_bytes(16, "big"),
        span_id=span_id.to_bytes(8, "big"),
        parent_span_id=None if parent is None else parent.span_id.to_bytes(8, "big"),
        name=span.name,
        kind=span.kind.value + 1,
        start_time_unix_nano=span.start_time,
        end_time_unix_nano=span.end_time,
        attributes=[_attribute(key, value) for key, value in (span.attributes or {}).items()],
        status=_STATUS[span.status.status_code],
        flags=_REMOTE if parent is not None and parent.is_remote else _LOCAL,
    )


@lru_cache(maxsize=4096, typed=True)
def _attribute(key: str, value: object) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=str(value)))
