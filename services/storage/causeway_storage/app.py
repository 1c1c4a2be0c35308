"""The composition root: builds storage and wires it. No logic."""

from __future__ import annotations

import secrets
import string
from typing import Final

from causeway_common.bus import AppsDirectory, Bus, Deadline, ensure_streams
from causeway_common.contracts import verbs
from causeway_common.runtime import Periodic, Process, Service, now_ms
from causeway_common.telemetry import Counters
from causeway_storage import __version__
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteEntities, SqliteLogs, SqliteRecords
from causeway_storage.adapters.wire import BusFeed, BusWorkQueue
from causeway_storage.config import StorageSettings
from causeway_storage.domain.log import EPOCH_LETTERS
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.handlers.entities import EntityHandlers
from causeway_storage.handlers.logs import LogHandlers
from causeway_storage.handlers.records import RecordHandlers
from causeway_storage.handlers.relay import Relay
from causeway_storage.handlers.sweeps import OutboxSweep, Retention

QUEUE: Final = "storage"
STREAMS_AGAIN_S: Final = 30.0
"""The streams are looked after now and then: a NATS that lost its store gets them anew."""


def new_letters() -> str:
    """The random part of a new epoch."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(EPOCH_LETTERS))


class Streams:
    """The JetStream streams, once they are there."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.ready = False

    async def step(self) -> float:
        """Ensure them; the seconds until the next time."""
        await ensure_streams(self._bus, Deadline.after(2))
        self.ready = True
        return STREAMS_AGAIN_S


def build(settings: StorageSettings, process: Process) -> None:
    """Add the parts of the process to its lifecycle."""
    bus = Bus(process.bus_settings())
    database = SqliteDatabase(
        settings.path,
        write_queue=settings.write_queue,
        write_queue_bytes=settings.write_queue_bytes,
        read_queue=settings.read_queue,
    )
    feed = BusFeed(bus)
    logs = SqliteLogs(database, new_letters, feed.appended)
    entities, records = SqliteEntities(database), SqliteRecords(database)
    apps, streams = AppsDirectory(bus), Streams(bus)

    delivery = Delivery(records, BusWorkQueue(bus), now_ms, redeliver_after_ms=settings.redeliver_after)
    relay = Relay(entities, logs, delivery, now_ms)
    sweep = OutboxSweep(entities, relay.kick, now_ms, patience_ms=settings.sweep_interval)
    retention = Retention(
        logs, records, sweep, now_ms, interval_ms=settings.retention_interval, keep_done_ms=settings.record_retention
    )
    periodic = {
        "streams": Periodic("streams", streams.step, after_failure_s=0.25),
        "outboxes": Periodic("outboxes", sweep.step, after_failure_s=1),
        "due records": Periodic("due records", delivery.sweep, after_failure_s=1),
        "retention": Periodic("retention", retention.step, after_failure_s=1),
    }
    access = Access(apps)
    log_handlers = LogHandlers(logs, access, now_ms, feed.passed)
    entity_handlers = EntityHandlers(entities, access, relay.kick, now_ms)
    record_handlers = RecordHandlers(records, delivery, access, now_ms, periodic["due records"].wake)

    async def serve() -> None:
        limit = settings.requests_max
        await bus.serve(verbs.APPEND, log_handlers.append, queue=QUEUE, limit=limit)
        await bus.serve(verbs.HEADS, log_handlers.heads, queue=QUEUE, limit=limit)
        await bus.serve(verbs.HISTORY, log_handlers.history, queue=QUEUE, limit=limit)
        await bus.serve(verbs.REMOVE, log_handlers.remove, queue=QUEUE, limit=limit)
        await bus.serve(verbs.GET, entity_handlers.get, queue=QUEUE, limit=limit)
        await bus.serve(verbs.COMMIT, entity_handlers.commit, queue=QUEUE, limit=limit)
        await bus.serve(verbs.ENQUEUE, record_handlers.enqueue, queue=QUEUE, limit=limit)
        await bus.serve(verbs.CLAIM, record_handlers.claim, queue=QUEUE, limit=limit)
        await bus.serve(verbs.SETTLE, record_handlers.settle, queue=QUEUE, limit=limit)
        # A process that died between a write and its feed left gateways behind the log.
        feed.compare_heads()

    def reconnected() -> None:
        feed.compare_heads()
        periodic["streams"].wake()
        periodic["due records"].wake()

    async def nothing() -> None:
        """Has nothing to do at start."""

    bus.on_reconnect(reconnected)
    counters = Counters("storage")
    counters.gauge("write_queue", "writes that wait or are under way", lambda: database.depth)
    counters.gauge("relays", "relays under way", lambda: relay.running)
    process.lifecycle.add("database", database.start, database.stop)
    process.lifecycle.add("bus", bus.start, bus.stop)
    process.lifecycle.add("apps", apps.start, apps.stop)
    process.lifecycle.add("delivery", nothing, delivery.stop)
    process.lifecycle.add("relay", nothing, relay.stop)
    for name, each in periodic.items():
        process.lifecycle.add(name, each.start, each.stop)
    process.lifecycle.add("verbs", serve, bus.stop_serving)
    process.health.check("bus", lambda: bus.connected)
    process.health.check("database", lambda: database.healthy)
    process.health.check("streams", lambda: streams.ready)
    process.health.check("apps", lambda: apps.ready)


SERVICE: Final = Service("storage", "storage", __version__, StorageSettings, "storage", build)
