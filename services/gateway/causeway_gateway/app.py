"""The composition root: builds the gateway and wires it. No logic."""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from causeway_common.bus import AppsDirectory, Bus
from causeway_common.bus.apps import SILENT_MS
from causeway_common.bus.nodes import Nodes
from causeway_common.contracts.messages import NodeInfo, Revocation
from causeway_common.contracts.subjects import GATEWAY_ALL, VERB_COMPARE_HEADS
from causeway_common.runtime import ConfigWatch, HistoryNames, Process, Service, StartError, changed_keys, load_settings, new_id
from causeway_common.telemetry import get_logger
from causeway_gateway import __version__
from causeway_gateway.adapters.acceptor import bind
from causeway_gateway.adapters.apps import BusApps, BusRoutes
from causeway_gateway.adapters.bus import BusFeeds, BusKeySource, BusStorage
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.adapters.gateways import SERVICE, AppDesk, BusGateways, BusKeys, BusRevocations
from causeway_gateway.adapters.http import PublicServer
from causeway_gateway.adapters.pages import Pages, Playground
from causeway_gateway.adapters.process import ProcessFigures
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.config import GatewaySettings, HttpServerSettings, WebSettings
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.revocations import Revocations
from causeway_gateway.domain.routing import Routing
from causeway_gateway.domain.tokens import KEY_MIN_BYTES, Tokens
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import ServerApi
from causeway_gateway.handlers.api.auditing import Auditor
from causeway_gateway.handlers.api.inspecting import InspectOperations
from causeway_gateway.handlers.api.jobs import JobOperations
from causeway_gateway.handlers.api.users import UserMethods
from causeway_gateway.handlers.api.versions import VersionOperations
from causeway_gateway.handlers.api.webhooks import WebhookOperations
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
TEST_ECHO: Final = "CAUSEWAY_GATEWAY_TEST_ECHO"


def build(settings: GatewaySettings, process: Process) -> None:  # noqa: PLR0915 - one line for each part
    """Wire one gateway process.

    Raises:
        StartError: the public port is taken, or there is no web application where there should be one.
    """
    _warn(settings)
    client = settings.client
    bus, feed_bus = Bus(process.bus_settings()), Bus(process.bus_settings("-feeds"))
    directory = AppsDirectory(bus, silent_ms=max(settings.nats.silence, SILENT_MS))
    timers, tasks = WheelTimers(), TaskGroup()
    routing = Routing()
    storage, feed_port, apps = BusStorage(bus), BusFeeds(feed_bus, bus), BusApps(bus, routing)
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

    kept = BusRevocations(bus, revoked, timers.wall)
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
    api = ServerApi(
        catalogue=catalogue,
        publisher=publisher,
        reader=reader,
        storage=storage,
        keys=BusKeys(bus),
        cluster=cluster,
        users=users,
        operations={
            **VersionOperations(directory, routing, routes).table(),
            **InspectOperations(directory, storage).table(),
            **JobOperations(storage).table(),
            **WebhookOperations(storage).table(),
        },
        auditor=Auditor(storage, new_id, timers.wall),
        new_id=new_id,
    )
    server = PublicServer(
        _bound(settings.http_server, settings.http_server.port, "http_server.port (causeway dev --port)"),
        Gate(around, process.node, _new_uuid, cluster),
        api if len(keys) else None,
        keys,
        transport_settings(settings),
        version=__version__,
        broken=lambda code: metrics.closes.add(1, str(code)),
        api_bound=_bound(settings.http_server, settings.http_api.port, "http_api.port") if settings.http_api.port else None,
        pages=_pages(settings.web),
    )

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

    metrics.counters.gauge("connections", "client connections", lambda: len(registry))
    metrics.counters.gauge("subscriptions", "subscriptions of clients", lambda: feeds.subscriptions)
    metrics.counters.gauge("channels", "channels listened to", lambda: feeds.channels)
    metrics.counters.gauge("attend.waiting", "changes of what is held that storage was not told yet", lambda: attending.waiting)
    metrics.counters.gauge("attend.coalesced", "changes left out at that queue's bound, in pairs", lambda: attending.coalesced)
    metrics.counters.gauge("revocations", "revocations that hold", lambda: len(revocations))
    lifecycle, health = process.lifecycle, process.health
    lifecycle.add("bus", bus.start, bus.stop)
    lifecycle.add("feed bus", feed_bus.start, feed_bus.stop)
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
    health.check("bus", lambda: bus.connected)
    health.check("feeds", lambda: feed_bus.connected)
    health.check("apps", lambda: directory.ready)


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


def session_options(settings: GatewaySettings) -> SessionOptions:
    """What every session is told."""
    client = settings.client
    return SessionOptions(
        version=f"causeway {__version__}",
        insecure=client.insecure,
        anonymous=client.allow_anonymous_connect_without_token,
        anonymous_tokens=not client.disallow_anonymous_connection_tokens,
        ping_interval=client.ping_interval,
        pong_timeout=client.pong_timeout,
        stale_delay=client.stale_close_delay,
        expired_delay=client.expired_close_delay,
        expired_sub_delay=client.expired_sub_close_delay,
        channel_limit=client.channel_limit,
        in_flight_limit=client.in_flight_limit,
        recovery_max_bytes=client.queue_max_size // 2,
        default_app=settings.rpc.default_app,
        connect_app=client.connect_app,
        personal_channel=client.subscribe_to_user_personal_channel.enabled,
        personal_channel_namespace=client.subscribe_to_user_personal_channel.namespace,
    )


def transport_settings(settings: GatewaySettings) -> TransportSettings:
    """What every transport is told."""
    client, http = settings.client, settings.http_server
    return TransportSettings(
        endpoints=Endpoints(
            websocket=not settings.websocket.disabled,
            http_stream=settings.http_stream.enabled,
            sse=settings.sse.enabled,
            uni_websocket=settings.uni_websocket.enabled,
            uni_http_stream=settings.uni_http_stream.enabled,
            uni_sse=settings.uni_sse.enabled,
            echo=os.environ.get(TEST_ECHO) == "1",
        ),
        origins=client.allowed_origins,
        message_max=settings.websocket.message_size_limit,
        queue_max=client.queue_max_size,
        compression=settings.websocket.compression,
        ping_interval=client.ping_interval,
        pong_timeout=client.pong_timeout,
        trusted_proxies=http.trusted_proxies,
        proxy_protocol=http.proxy_protocol,
        connection_limit=client.connection_limit,
        connection_limit_per_ip=client.connection_limit_per_ip,
        connection_rate=client.connection_rate_limit,
        header_seconds=http.header_timeout / 1000,
    )


def _new_uuid() -> str:
    return str(uuid.UUID(hex=new_id(), version=4))


def _pages(settings: WebSettings) -> Pages | None:
    url, token = settings.playground_url, settings.playground_token.get_secret_value()
    try:
        return Pages(Path(settings.directory), Playground(url, token) if url else None) if settings.directory else None
    except OSError as error:
        raise StartError(f"web.directory: {error}") from error


def _bound(http: HttpServerSettings, port: int, option: str) -> socket.socket:
    try:
        return bind(http.address, port, reuse_port=http.reuse_port)
    except OSError as error:
        raise StartError(f"cannot listen on {http.address}:{port} ({error.strerror}); choose another port with {option}") from error


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
