"""The composition root: builds the gateway and wires it. No logic."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from causeway_common.bus import AppsDirectory, Bus, StreamTail
from causeway_common.bus.apps import SILENT_MS
from causeway_common.bus.nodes import Nodes
from causeway_common.contracts.messages import NodeInfo, Revocation
from causeway_common.contracts.subjects import EVENT, EVENTS_STREAM, GATEWAY_ALL, VERB_COMPARE_HEADS
from causeway_common.runtime import (
    ConfigWatch,
    HistoryNames,
    Process,
    ProcessFigures,
    Service,
    Telling,
    changed_keys,
    load_settings,
    new_id,
)
from causeway_common.telemetry import get_logger
from causeway_gateway import __version__
from causeway_gateway.adapters.apps import BusApps, BusRoutes
from causeway_gateway.adapters.bus import BusFeeds, BusKeySource, BusStorage
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.adapters.gateways import SERVICE, AppDesk, BusFigures, BusGateways, BusKeys, BusRevocations
from causeway_gateway.adapters.http import PublicServer
from causeway_gateway.app.operating import Desks, console_of, operations_of, streams_of
from causeway_gateway.app.options import bound, session_options, transport_settings, web_pages
from causeway_gateway.config import GatewaySettings
from causeway_gateway.domain.calls import CallCounts
from causeway_gateway.domain.figures import Board
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.revocations import Revocations
from causeway_gateway.domain.routing import Routing
from causeway_gateway.domain.tokens import KEY_MIN_BYTES, Tokens
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import ServerApi
from causeway_gateway.handlers.api.auditing import Auditor
from causeway_gateway.handlers.api.console import About
from causeway_gateway.handlers.api.streaming import Mailboxes
from causeway_gateway.handlers.api.users import UserMethods
from causeway_gateway.handlers.appcontrol import AppControl
from causeway_gateway.handlers.attending import Attending
from causeway_gateway.handlers.calling import Calling
from causeway_gateway.handlers.clients import Surroundings
from causeway_gateway.handlers.cluster import Cluster, Local
from causeway_gateway.handlers.commands import Commands
from causeway_gateway.handlers.compatibility import Disagreements
from causeway_gateway.handlers.doors import Doors
from causeway_gateway.handlers.feeds import ASKED_SPREAD_MS, RECONNECT_SPREAD_MS, Feeds
from causeway_gateway.handlers.gate import Gate
from causeway_gateway.handlers.hooks import Hooks
from causeway_gateway.handlers.identity import Identity
from causeway_gateway.handlers.keys import Keys
from causeway_gateway.handlers.membership import Membership
from causeway_gateway.handlers.orders import Orders
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.handlers.registry import Registry
from causeway_gateway.handlers.subscribing import Subscribing

log = get_logger("gateway")
FORGET_MS: Final = 60_000
CONSOLE_STOP_SECONDS: Final = 6.0


def build(settings: GatewaySettings, process: Process) -> None:  # noqa: PLR0915 - one line for each part
    """Wire one gateway process.

    Raises:
        StartError: the public port is taken, or there is no web application where there should be one.
    """
    _warn(settings)
    client, http = settings.client, settings.http_server
    listen = partial(bound, http.address, reuse_port=http.reuse_port)
    bus, feed_bus = Bus(process.bus_settings()), Bus(process.bus_settings("-feeds"))
    directory = AppsDirectory(bus, silent_ms=max(settings.nats.silence, SILENT_MS))
    timers, tasks = WheelTimers(), TaskGroup()
    routing, counts, board = Routing(), CallCounts(), Board(timers.wall)
    storage, feed_port, apps = BusStorage(bus), BusFeeds(feed_bus, bus), BusApps(bus, routing, counts)
    routes = BusRoutes(bus, routing)
    catalogue = Catalogue(settings.channel.specs(), settings.channel.max_length)
    feeds = Feeds(feed_port, storage, timers, tasks, catalogue.owner)
    registry = Registry(feeds, timers, user_limit=client.user_connection_limit)
    reader = Reader(
        storage,
        recovery_limit=client.recovery_max_publication_limit,
        history_limit=client.history_max_publication_limit,
        max_bytes=client.queue_max_size // 2,
    )
    publisher = Publisher(storage, feed_port)
    figures = ProcessFigures()

    def info() -> NodeInfo:
        return NodeInfo(
            uid=process.node,
            name=process.name,
            version=__version__,
            num_clients=registry.num_clients,
            num_users=registry.num_users,
            num_subs=registry.num_subs,
            num_channels=registry.num_channels,
            uptime=figures.uptime,
            cpu=figures.cpu,
            rss=figures.rss,
        )

    nodes = Nodes(
        bus,
        service=SERVICE,
        node=process.node,
        version=__version__,
        clock=timers.now,
        wall=timers.wall,
        beat_s=settings.nats.heartbeat / 1000,
        silent_ms=settings.nats.silence,
    )
    attending = Attending(
        storage,
        timers,
        node=process.node,
        users=client.lifecycle_events,
        pause_ms=client.lifecycle_debounce,
        beat_ms=settings.nats.heartbeat,
        cleared=registry.reconnect_all,
    )
    gateways = BusGateways(bus, nodes, process.node, Local(registry, info))
    cluster = Cluster(gateways, timers, presence_max=client.presence_max_clients)
    revocations = Revocations()

    def revoked(revocation: Revocation) -> None:
        if identity.revoke(revocation):
            registry.revoked(revocation)

    def forget_revocations() -> None:
        identity.forget()
        timers.at(timers.now() + FORGET_MS, forget_revocations)

    kept = BusRevocations(bus, revoked, timers.wall, revocations.remove)
    options = session_options(settings)
    source = BusKeySource(bus)
    connection_keys = Keys(source, client.token.jwks_public_endpoint, timers, tasks)
    channel_keys = Keys(source, client.subscription_token.jwks_public_endpoint, timers, tasks)
    tokens = Tokens(client.token.rules(), connection_keys.known)
    own = client.subscription_token.enabled
    identity = Identity(
        connection=tokens,
        subscription=Tokens(client.subscription_token.rules(), channel_keys.known) if own else tokens,
        revocations=revocations,
        need_key=connection_keys.need,
        need_channel_key=channel_keys.need if own else connection_keys.need,
        wall=timers.wall,
    )
    hooks, calling = Hooks(apps, catalogue, timers), Calling(apps, catalogue, storage, tasks)
    commands = Commands(
        options=options,
        catalogue=catalogue,
        identity=identity,
        subscribing=Subscribing(feeds=feeds, reader=reader, hooks=hooks, identity=identity, catalogue=catalogue, timers=timers),
        reader=reader,
        publisher=publisher,
        hooks=hooks,
        calling=calling,
        presence=cluster,
        timers=timers,
    )
    forget_revocations()
    around = Surroundings(
        options=options,
        catalogue=catalogue,
        feeds=feeds,
        commands=commands,
        membership=Membership(feed_port, cluster.changed, attending),
        attending=attending,
        registry=registry,
        timers=timers,
        tasks=tasks,
        new_client=_new_uuid,
        random=random.random,
    )
    keys = settings.http_api.ring()
    orders = Orders(catalogue, cluster)
    desk = AppDesk(bus, AppControl(catalogue, orders, cluster))
    users = UserMethods(
        catalogue=catalogue,
        orders=orders,
        revoker=kept,
        calling=calling,
        default_app=settings.rpc.default_app,
        wall=timers.wall,
        new_id=new_id,
    )
    mailboxes = Mailboxes()
    desks = Desks(
        about=About(__version__, process.node, settings.console.trace_url),
        apps=directory,
        routing=routing,
        routes=routes,
        storage=storage,
        feeds=feed_port,
        events=StreamTail(bus, EVENTS_STREAM, EVENT.wildcard()),
        cluster=cluster,
        board=board,
        catalogue=catalogue,
        reader=reader,
        orders=orders,
        revoker=kept,
        identity=identity,
        timers=timers,
        tasks=tasks,
        mailboxes=mailboxes,
    )
    api = ServerApi(
        catalogue=catalogue,
        publisher=publisher,
        reader=reader,
        storage=storage,
        keys=BusKeys(bus),
        cluster=cluster,
        users=users,
        operations=operations_of(desks),
        streams=streams_of(desks),
        auditor=Auditor(storage, new_id, timers.wall),
        new_id=new_id,
    )
    server = PublicServer(
        listen(http.port, "http_server.port (causeway dev --port)"),
        Gate(around, process.node, _new_uuid, cluster),
        api if len(keys) else None,
        keys,
        transport_settings(settings),
        version=__version__,
        broken=lambda code: metrics.closes.add(1, str(code)),
        api_bound=listen(settings.http_api.port, "http_api.port") if settings.http_api.port else None,
        pages=web_pages(settings.web, settings.client.token.user_id_claim),
    )
    console = console_of(settings, api, timers)
    disagreements = Disagreements()

    def apps_changed() -> None:
        routing.update(directory.living)
        disagreements.look(directory.living)
        if catalogue.update(directory.manifests, directory.namespaces, _clash):
            feeds.owners_changed()

    live = _Live(settings, catalogue, feeds.owners_changed, str(process.config))
    watch = ConfigWatch(process.config, partial(_reread, process.config), live.take)
    doors = Doors(server, registry, lambda: directory.ready, settings.shutdown.drain)
    directory.on_change(apps_changed)
    bus.on_reconnect(lambda: feeds.compare_soon(RECONNECT_SPREAD_MS))
    feed_bus.on_reconnect(lambda: feeds.compare_soon(RECONNECT_SPREAD_MS))

    async def leave() -> None:
        attending.leave()
        await doors.close()

    async def follow_control() -> None:
        await bus.listen(GATEWAY_ALL.at(verb=VERB_COMPARE_HEADS), lambda _subject, _body: feeds.compare_soon(ASKED_SPREAD_MS))
        await gateways.start()

    _measure(registry, feeds, attending, revocations, server)
    lifecycle, health = process.lifecycle, process.health
    told = BusFigures(bus, board.heard)
    telling = Telling(bus, service=SERVICE, node=process.node, version=__version__, methods=counts.changed)
    lifecycle.add("bus", bus.start, bus.stop)
    lifecycle.add("feed bus", feed_bus.start, feed_bus.stop)
    lifecycle.add("figures of all", told.start, told.stop)
    lifecycle.add("figures", telling.start, telling.stop)
    lifecycle.add("routes", routes.start, routes.stop)
    lifecycle.add("apps", directory.start, directory.stop)
    lifecycle.add("tasks", tasks.start, tasks.stop)
    lifecycle.add("timers", timers.start, timers.stop)
    lifecycle.add("keys", connection_keys.start, connection_keys.stop)
    lifecycle.add("keys of channels", channel_keys.start, channel_keys.stop)
    lifecycle.add("control", follow_control, gateways.stop)
    lifecycle.add("revocations", kept.start, kept.stop)
    lifecycle.add("nodes", nodes.start, nodes.stop)
    lifecycle.add("configuration", watch.start, watch.stop)
    lifecycle.add("attendance", attending.start, attending.stop)
    lifecycle.add("public listener", doors.open, leave, stop_seconds=doors.stop_seconds)
    lifecycle.add("control by apps", desk.start, desk.stop)
    if console is not None:
        lifecycle.add("console", console.open, console.stop, stop_seconds=CONSOLE_STOP_SECONDS)
    lifecycle.add("streams", _nothing, mailboxes.end)
    health.check("bus", lambda: bus.connected)
    health.check("feeds", lambda: feed_bus.connected)
    health.check("apps", lambda: directory.ready)


def _measure(registry: Registry, feeds: Feeds, attending: Attending, revocations: Revocations, server: PublicServer) -> None:
    metrics.counters.gauge("connections", "client connections", lambda: len(registry))
    metrics.counters.gauge("subscriptions", "subscriptions of clients", lambda: feeds.subscriptions)
    metrics.counters.gauge("users", "different users connected", lambda: registry.num_users)
    metrics.counters.total("bytes.in", "bytes of messages that came from clients", lambda: server.bytes_in, unit="By")
    metrics.counters.total("bytes.out", "bytes of frames that were written to clients", lambda: server.bytes_out, unit="By")
    metrics.counters.gauge("channels", "channels listened to", lambda: feeds.channels)
    metrics.counters.gauge("attend.waiting", "changes of what is held that storage was not told yet", lambda: attending.waiting)
    metrics.counters.gauge("attend.coalesced", "changes left out at that queue's bound, in pairs", lambda: attending.coalesced)
    metrics.counters.gauge("revocations", "revocations that hold", lambda: len(revocations))


async def _nothing() -> None:
    """Has nothing to do at start."""


class _Live:
    """The settings in force: namespaces change while the gateway runs, all else at its next start."""

    def __init__(self, settings: GatewaySettings, catalogue: Catalogue, moved: Callable[[], None], place: str) -> None:
        self._started, self._catalogue, self._moved, self._place = settings, catalogue, moved, place
        self._names = HistoryNames(settings.channel.specs())

    def take(self, settings: GatewaySettings) -> None:
        """Raises SettingsError where a namespace changed whether it has history; nothing has changed then."""
        specs = settings.channel.specs()
        self._names.take(specs, self._place)
        if self._catalogue.replace(specs):
            self._moved()
        if keys := changed_keys(self._started, settings, live=("channel.namespaces", "channel.without_namespace")):
            log.warning("these changes need a restart", keys=keys)


def _reread(path: Path | None) -> GatewaySettings:
    return load_settings(GatewaySettings, service="gateway", section="", path=path, env=os.environ)


def _new_uuid() -> str:
    return str(uuid.UUID(hex=new_id(), version=4))


def _warn(settings: GatewaySettings) -> None:
    key = settings.client.token.hmac_secret_key.get_secret_value()
    if 0 < len(key.encode()) < KEY_MIN_BYTES:
        log.warning("client.token.hmac_secret_key is short, anybody may try it out", bytes=len(key.encode()), enough=KEY_MIN_BYTES)
    if settings.client.insecure:
        log.warning("client.insecure is on: everybody may do everything with every channel")


def _clash(namespace: str, app: str) -> None:
    log.error(
        "a namespace is in the configuration and announced by an app; the configuration's is used", namespace=namespace, app=app
    )


service: Final = Service("gateway", "gateway", __version__, GatewaySettings, "", build)
