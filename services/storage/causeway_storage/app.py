"""The composition root: builds storage and wires it. No logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from causeway_common.bus import AppsDirectory, Bus, Call, Deadline, OwnedShards, ensure_streams
from causeway_common.bus.nodes import Nodes
from causeway_common.contracts import verbs
from causeway_common.contracts.names import NodeId
from causeway_common.contracts.verbs import Verb
from causeway_common.runtime import Periodic, Process, Service, Telling, monotonic_ms, now_ms
from causeway_common.telemetry import Counters
from causeway_storage import __version__
from causeway_storage.adapters.wire import BusEvents, BusFeed, BusLeaves, BusWorkQueue
from causeway_storage.config import StorageSettings
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.attendance import AttendanceHandlers, AttendanceRelay, Clearing
from causeway_storage.handlers.audit import AuditHandlers
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.handlers.desk import DeskHandlers
from causeway_storage.handlers.entities import EntityHandlers
from causeway_storage.handlers.logs import LogHandlers
from causeway_storage.handlers.obituary import Obituary
from causeway_storage.handlers.ownership import BEAT_SECONDS, SILENT_MS, Ownership
from causeway_storage.handlers.records import RecordHandlers
from causeway_storage.handlers.relay import Relay
from causeway_storage.handlers.snapshots import SnapshotHandlers
from causeway_storage.handlers.sweeps import OutboxSweep, Retention
from causeway_storage.handlers.timers import TimerHandlers, TimerSweep
from causeway_storage.ports import Attendances
from causeway_storage.stores import Store, opened

QUEUE: Final = "storage"
CLEARING_MS: Final = 500
STREAMS_AGAIN_S: Final = 30.0
"""The streams are looked after now and then: a NATS that lost its store gets them anew."""


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
    feed, apps, streams = BusFeed(bus), AppsDirectory(bus), Streams(bus)
    store = opened(settings, feed.appended)
    logs, entities, records = store.logs, store.entities, store.records

    delivery = Delivery(records, BusWorkQueue(bus), now_ms, redeliver_after_ms=settings.redeliver_after)
    timers = TimerSweep(store.timers, delivery, now_ms)
    relay = Relay(entities, logs, delivery, timers, now_ms)
    access, due = Access(apps), Periodic("due records", delivery.sweep, after_failure_s=1)
    log_handlers = LogHandlers(logs, access, now_ms, feed.passed)
    entity_handlers = EntityHandlers(entities, access, relay.kick, now_ms)
    snapshots = SnapshotHandlers(store.snapshots, logs, access, relay.kick, now_ms)
    events, nodes = _events(settings, bus, store.attendances), _nodes(settings, bus, process.node, store.name)
    clearing = Clearing(store.attendances, nodes, now_ms, events.wake, interval_ms=CLEARING_MS)
    record_handlers = RecordHandlers(
        records, delivery, access, now_ms, due.wake, dead=Obituary(store.desk, BusEvents(bus, "storage"), now_ms).tell
    )
    audit_handlers, desk = AuditHandlers(store.audit, access), DeskHandlers(store.desk, access, now_ms, due.wake)
    served: dict[Verb[Any, Any], Callable[[Any, Call], Awaitable[Any]]] = {
        verbs.APPEND: log_handlers.append,
        verbs.HEADS: log_handlers.heads,
        verbs.HISTORY: log_handlers.history,
        verbs.REMOVE: log_handlers.remove,
        verbs.GET: entity_handlers.get,
        verbs.SNAPSHOT: snapshots.snapshot,
        verbs.COMMIT: entity_handlers.commit,
        verbs.QUERY: entity_handlers.query,
        verbs.TRAIL: entity_handlers.trail,
        verbs.INSPECT: entity_handlers.inspect,
        verbs.ENQUEUE: record_handlers.enqueue,
        verbs.CLAIM: record_handlers.claim,
        verbs.SETTLE: record_handlers.settle,
        verbs.CLAIMS: record_handlers.claims,
        verbs.SETTLES: record_handlers.settles,
        verbs.RECORDS: desk.records,
        verbs.RECORD: desk.record,
        verbs.REDRIVE: desk.redrive,
        verbs.AUDIT: audit_handlers.audit,
        verbs.AUDIT_PAGE: audit_handlers.audit_page,
        verbs.TIMERS: TimerHandlers(store.timers, access).timers,
        verbs.ATTEND: AttendanceHandlers(store.attendances, access, now_ms, events.wake).attend,
    }

    shards = OwnedShards(bus, served, limit=settings.requests_max)
    ownership = Ownership(shards, process.node, partial(nodes.living, QUEUE, within_ms=SILENT_MS))
    sweep = OutboxSweep(entities, relay.kick, now_ms, patience_ms=settings.sweep_interval, owned=ownership.owns)
    retention = Retention(
        logs,
        entities,
        records,
        sweep,
        now_ms,
        timers=timers,
        audit=store.audit,
        interval_ms=settings.retention_interval,
        keep_done_ms=settings.record_retention,
        keep_audit_ms=settings.audit_retention,
    )
    periodic = {
        "streams": Periodic("streams", streams.step, after_failure_s=0.25),
        "outboxes": Periodic("outboxes", sweep.step, after_failure_s=1),
        "due records": due,
        "timers": Periodic("timers", timers.step, after_failure_s=1),
        "retention": Periodic("retention", retention.step, after_failure_s=1),
        "lifecycle events": events,
        "clearing": Periodic("clearing", clearing.step, after_failure_s=1),
    }
    timers.on_earlier(periodic["timers"].wake)
    looking = Periodic("shards", ownership.step, after_failure_s=1)
    nodes.on_change(looking.wake)
    ownership.on_gain(sweep.inherit)
    ownership.on_gain(periodic["outboxes"].wake)

    async def serve() -> None:
        for verb, handler in served.items():
            await bus.serve(verb, handler, queue=QUEUE, limit=settings.requests_max)
        # A process that died between a write and its feed left gateways behind the log.
        feed.compare_heads()

    bus.on_reconnect(feed.compare_heads)
    bus.on_reconnect(periodic["streams"].wake)
    bus.on_reconnect(due.wake)
    _gauges(store, relay, shards, sweep, delivery)
    lifecycle, health = process.lifecycle, process.health
    lifecycle.add("database", store.start, store.stop)
    lifecycle.add("bus", bus.start, bus.stop)
    _tell_figures(bus, process)
    lifecycle.add("apps", apps.start, apps.stop)
    lifecycle.add("relay", _nothing, relay.stop)
    for name, each in periodic.items():
        lifecycle.add(name, each.start, each.stop)
    lifecycle.add("verbs", serve, bus.stop_serving)
    # On leaving the others are told first; then no shard is served any more, then nothing.
    lifecycle.add("shards", _nothing, ownership.leave)
    lifecycle.add("nodes", nodes.begin, nodes.stop)
    lifecycle.add("ownership", looking.start, looking.stop)
    health.check("bus", lambda: bus.connected)
    health.check("database", store.healthy)
    health.check("streams", lambda: streams.ready)
    health.check("apps", lambda: apps.ready)


def _tell_figures(bus: Bus, process: Process) -> None:
    telling = Telling(bus, service=QUEUE, node=process.node, version=__version__)
    process.lifecycle.add("figures", telling.start, telling.stop)


def _gauges(store: Store, relay: Relay, shards: OwnedShards, sweep: OutboxSweep, delivery: Delivery) -> None:
    counters = Counters("storage")
    counters.gauge(
        "records_overdue",
        "how long the record that is due longest had waited at the last look",
        lambda: delivery.overdue_ms,
        unit="ms",
    )
    counters.gauge("write_queue", "writes that wait or are under way", store.depth)
    counters.gauge("relays", "relays under way", lambda: relay.running)
    counters.gauge("shards", "shards whose requests come here first", lambda: len(shards.held))
    counters.gauge(
        "outbox_age", "how long the oldest outbox item had waited at the last sweep", lambda: sweep.age_ms / 1000, unit="s"
    )
    started_ms = now_ms()
    counters.gauge(
        "sweep_behind",
        "how long ago the last complete sweep was, or what it saw waiting was committed",
        lambda: (now_ms() - (sweep.seen_ms or started_ms)) / 1000,
        unit="s",
    )


async def _nothing() -> None:
    """Has nothing to do at start."""


def _events(settings: StorageSettings, bus: Bus, attendances: Attendances) -> Periodic:
    relay = AttendanceRelay(attendances, BusEvents(bus), BusLeaves(bus), now_ms, patience_ms=settings.sweep_interval)
    return Periodic("lifecycle events", relay.step, after_failure_s=1)


def _nodes(settings: StorageSettings, bus: Bus, node: NodeId, database: str) -> Nodes:
    return Nodes(
        bus,
        service=QUEUE,
        node=node,
        version=__version__,
        clock=monotonic_ms,
        wall=now_ms,
        beat_s=min(BEAT_SECONDS, settings.nats.heartbeat / 1000),
        silent_ms=settings.nats.silence,
        database=database,
    )


SERVICE: Final = Service("storage", "storage", __version__, StorageSettings, "storage", build)
