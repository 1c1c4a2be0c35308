"""The composition root: builds the gateway and wires it. No logic."""

from __future__ import annotations

import logging
import random
import socket
import uuid
from typing import Final

from causeway_common.bus import AppsDirectory, Bus
from causeway_common.contracts.subjects import GATEWAY_ALL, VERB_COMPARE_HEADS
from causeway_common.runtime import Process, Service, StartError, new_id
from causeway_common.telemetry import get_logger
from causeway_gateway import __version__
from causeway_gateway.adapters.bus import BusApps, BusFeeds, BusStorage
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.adapters.http import PublicServer, bind
from causeway_gateway.adapters.websocket import WebSocketEndpoint
from causeway_gateway.config import GatewaySettings
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.frames import json
from causeway_gateway.domain.frames.websocket import text_frame
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.tokens import KEY_MIN_BYTES, Tokens
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import ServerApi
from causeway_gateway.handlers.clients import Clients, Codec, Surroundings
from causeway_gateway.handlers.commands import Commands
from causeway_gateway.handlers.doors import Doors
from causeway_gateway.handlers.feeds import ASKED_SPREAD_MS, RECONNECT_SPREAD_MS, Feeds
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader

log = get_logger("gateway")
JSON_OVER_WEBSOCKET: Final = Codec(json.decode, lambda reply: text_frame(json.encode(reply)))


def build(settings: GatewaySettings, process: Process) -> None:
    """Wire one gateway process.

    Raises:
        StartError: the public port is taken.
    """
    _warn(settings)
    bus, feed_bus = Bus(process.bus_settings()), Bus(process.bus_settings("-feeds"))
    directory = AppsDirectory(bus)
    timers, tasks = WheelTimers(), TaskGroup()
    storage, feed_port = BusStorage(bus), BusFeeds(feed_bus, bus)
    catalogue = Catalogue(settings.channel.specs(), settings.channel.max_length)
    feeds = Feeds(feed_port, storage, timers, tasks, lambda push: text_frame(json.encode_push(push)))
    reader = Reader(
        storage,
        recovery_limit=settings.client.recovery_max_publication_limit,
        history_limit=settings.client.history_max_publication_limit,
        max_bytes=settings.client.queue_max_size // 2,
    )
    publisher = Publisher(storage, feed_port)
    clients = Clients(
        Surroundings(
            options=session_options(settings),
            tokens=Tokens(settings.client.token.hmac_secret_key.get_secret_value()),
            catalogue=catalogue,
            feeds=feeds,
            commands=Commands(feeds, reader, publisher, BusApps(bus)),
            timers=timers,
            tasks=tasks,
            new_client=lambda: str(uuid.UUID(hex=new_id(), version=4)),
            random=random.random,
        )
    )
    endpoint = WebSocketEndpoint(
        lambda link: clients.open(link, JSON_OVER_WEBSOCKET),
        lambda code: metrics.closes.add(1, str(code)),
        message_max=settings.websocket.message_size_limit,
        queue_max=settings.client.queue_max_size,
        origins=settings.client.allowed_origins,
    )
    server = PublicServer(
        _bound(settings),
        endpoint,
        ServerApi(catalogue, publisher, reader, new_id),
        api_key="" if settings.http_api.disabled else settings.http_api.key.get_secret_value(),
        version=__version__,
    )

    def apps_changed() -> None:
        catalogue.update(directory.manifests, directory.namespaces, _clash)

    doors = Doors(server, clients, lambda: directory.ready, settings.shutdown.drain)
    directory.on_change(apps_changed)
    bus.on_reconnect(lambda: feeds.compare_soon(RECONNECT_SPREAD_MS))
    feed_bus.on_reconnect(lambda: feeds.compare_soon(RECONNECT_SPREAD_MS))

    async def follow_control() -> None:
        await bus.listen(GATEWAY_ALL.at(verb=VERB_COMPARE_HEADS), lambda _subject, _body: feeds.compare_soon(ASKED_SPREAD_MS))

    metrics.counters.gauge("connections", "client connections", lambda: len(clients))
    metrics.counters.gauge("subscriptions", "subscriptions of clients", lambda: feeds.subscriptions)
    metrics.counters.gauge("channels", "channels listened to", lambda: feeds.channels)
    lifecycle, health = process.lifecycle, process.health
    lifecycle.add("bus", bus.start, bus.stop)
    lifecycle.add("feed bus", feed_bus.start, feed_bus.stop)
    lifecycle.add("apps", directory.start, directory.stop)
    lifecycle.add("control", follow_control, _nothing)
    lifecycle.add("tasks", tasks.start, tasks.stop)
    lifecycle.add("timers", timers.start, timers.stop)
    lifecycle.add("public listener", doors.open, doors.close, stop_seconds=doors.stop_seconds)
    health.check("bus", lambda: bus.connected)
    health.check("feeds", lambda: feed_bus.connected)
    health.check("apps", lambda: directory.ready)


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
        channel_limit=client.channel_limit,
        default_app=settings.rpc.default_app,
    )


def _bound(settings: GatewaySettings) -> socket.socket:
    http = settings.http_server
    try:
        return bind(http.address, http.port, reuse_port=http.reuse_port)
    except OSError as error:
        raise StartError(
            f"cannot listen on {http.address}:{http.port} ({error.strerror}); choose another port with http_server.port "
            "(causeway dev --port)"
        ) from error


def _warn(settings: GatewaySettings) -> None:
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it warns of every client that offers other subprotocols
    key = settings.client.token.hmac_secret_key.get_secret_value()
    if 0 < len(key.encode()) < KEY_MIN_BYTES:
        log.warning("client.token.hmac_secret_key is short, anybody may try it out", bytes=len(key.encode()), enough=KEY_MIN_BYTES)
    if settings.client.insecure:
        log.warning("client.insecure is on: everybody may do everything with every channel")


def _clash(namespace: str, app: str) -> None:
    log.error(
        "a namespace is in the configuration and announced by an app; the configuration's is used", namespace=namespace, app=app
    )


async def _nothing() -> None:
    """Nothing to stop: the bus's own end ends it."""


service: Final = Service("gateway", "gateway", __version__, GatewaySettings, "", build)
