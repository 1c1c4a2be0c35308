"""The composition root: builds integrations and wires it. No logic."""

from __future__ import annotations

from typing import Final

from causeway_common.bus import Bus, DeliveryInfo, DurableConsumer
from causeway_common.contracts.messages import JobDelivery
from causeway_common.contracts.subjects import JOB, JOBS_STREAM
from causeway_common.contracts.verbs import JWKS
from causeway_common.runtime import Process, Service, now_ms
from causeway_integrations import __version__
from causeway_integrations.adapters.http import HttpPoster
from causeway_integrations.adapters.records import PATIENCE_S, BusRecords
from causeway_integrations.adapters.schedule import TenacitySchedule
from causeway_integrations.config import IntegrationsSettings
from causeway_integrations.domain.webhook import CONNECTOR
from causeway_integrations.handlers.jobs import Jobs
from causeway_integrations.handlers.jwks import Jwks
from causeway_integrations.handlers.webhook import WebhookConnector

LEASE_MARGIN_MS: Final = 5000
DURABLE: Final = "integrations"


def build(settings: IntegrationsSettings, process: Process) -> None:
    """Add the parts of the process to its lifecycle."""
    webhook = settings.webhook
    bus = Bus(process.bus_settings())
    records = BusRecords(bus, process.node)
    poster = HttpPoster(
        timeout_s=webhook.timeout / 1000,
        allowed=frozenset(host.lower().strip("[]") for host in webhook.allow_hosts),
        connections=settings.concurrency,
        user_agent=f"causeway-integrations/{__version__}",
    )
    endpoints = tuple(each.endpoint() for each in webhook.endpoints)
    connector = WebhookConnector(endpoints, records, poster, now_ms)
    schedule = TenacitySchedule(max_attempts=webhook.max_attempts, initial_ms=webhook.retry_initial, max_ms=webhook.retry_max)
    jobs = Jobs(
        records,
        {CONNECTOR: connector.operations()},
        schedule,
        max_attempts=webhook.max_attempts,
        lease_ms=webhook.timeout + LEASE_MARGIN_MS,
    )

    async def handle(delivery: JobDelivery, _info: DeliveryInfo) -> None:
        await jobs.handle(delivery)

    consumer = DurableConsumer(
        bus,
        stream=JOBS_STREAM,
        durable=DURABLE,
        subject=JOB.wildcard(),
        message=JobDelivery,
        handler=handle,
        concurrency=settings.concurrency,
        ack_wait_s=webhook.timeout / 1000 + 2 * PATIENCE_S + LEASE_MARGIN_MS / 1000,
    )
    process.lifecycle.add("bus", bus.start, bus.stop)
    process.lifecycle.add("http", poster.start, poster.stop)
    jwks = Jwks(poster, settings.jwks.urls)

    async def serve() -> None:
        await bus.serve(JWKS, jwks.fetch, queue=DURABLE, limit=settings.concurrency, connector="jwks", op=JWKS.name)

    process.lifecycle.add("calls", serve, bus.stop_serving)
    process.lifecycle.add("jobs", consumer.start, consumer.stop, stop_seconds=webhook.timeout / 1000 + LEASE_MARGIN_MS / 1000)
    process.health.check("bus", lambda: bus.connected)
    process.health.check("jobs", lambda: consumer.ready)


SERVICE: Final = Service("integrations", "integrations", __version__, IntegrationsSettings, "integrations", build)
