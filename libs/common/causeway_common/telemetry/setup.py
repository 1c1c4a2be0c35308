"""OpenTelemetry for one process: resource, sampler, OTLP export when an endpoint is given, Prometheus text always."""

from __future__ import annotations

from typing import Protocol

import prometheus_client
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from causeway_common.telemetry.export import TraceExporter
from causeway_common.telemetry.logs import set_up_logs
from causeway_common.telemetry.spans import record, sample


class TelemetryOptions(Protocol):
    """What the set-up needs of the settings (runtime.settings.TelemetrySettings has it)."""

    @property
    def otlp_endpoint(self) -> str:
        """Base URL of an OTLP/HTTP receiver, or ""."""

    @property
    def sample_ratio(self) -> float:
        """Share of the traces sampled where they begin."""

    @property
    def export_interval(self) -> int:
        """Milliseconds that spans wait for their batch."""

    @property
    def log_format(self) -> str:
        """`json` or `console`."""

    @property
    def log_level(self) -> str:
        """The lowest level written."""


def set_up_telemetry(service: str, version: str, node: str, options: TelemetryOptions) -> None:
    """Set the global providers and the logs. Called once, before anything of the process is built."""
    set_up_logs(service, node, options.log_format, options.log_level)
    resource = Resource.create(
        {"service.name": service, "service.namespace": "causeway", "service.version": version, "service.instance.id": node}
    )
    tracer_provider = TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    sample(options.sample_ratio)
    readers: list[MetricReader] = [PrometheusMetricReader()]
    base = options.otlp_endpoint.rstrip("/")
    if base:
        exporter = TraceExporter(f"{base}/v1/traces")
        processor = BatchSpanProcessor(exporter, schedule_delay_millis=options.export_interval, max_queue_size=8192)
        tracer_provider.add_span_processor(processor)
        record(processor.on_end, resource)
        readers.append(
            PeriodicExportingMetricReader(
                OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=2), export_interval_millis=10_000
            )
        )
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(MeterProvider(readers, resource=resource, shutdown_on_exit=False))


def shut_down_telemetry() -> None:
    """Send what is left, within the exporters' own time-outs, and end their threads."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider):
            provider.shutdown()


def prometheus_text() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type."""
    return prometheus_client.generate_latest(), str(prometheus_client.CONTENT_TYPE_LATEST)
