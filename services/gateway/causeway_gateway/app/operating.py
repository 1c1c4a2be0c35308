"""What operators call, put together, and the console's own listener. No logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from causeway_common.bus import AppsDirectory, StreamTail
from causeway_gateway.adapters.bus import BusFeeds, BusStorage
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.adapters.console import ConsoleServer
from causeway_gateway.adapters.gateways import BusRevocations
from causeway_gateway.app.options import bound, console_pages, transport_settings
from causeway_gateway.config import GatewaySettings
from causeway_gateway.domain.figures import Board
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.routing import Routing
from causeway_gateway.handlers.api import ServerApi
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.channels import ChannelOperations
from causeway_gateway.handlers.api.console import About, ConsoleOperations
from causeway_gateway.handlers.api.figures import FigureOperations
from causeway_gateway.handlers.api.inspecting import InspectOperations
from causeway_gateway.handlers.api.jobs import JobOperations
from causeway_gateway.handlers.api.looking import LookingOperations
from causeway_gateway.handlers.api.people import PeopleOperations
from causeway_gateway.handlers.api.streaming import Mailboxes, Streams
from causeway_gateway.handlers.api.tailing import ChannelTails
from causeway_gateway.handlers.api.versions import VersionOperations
from causeway_gateway.handlers.api.webhooks import WebhookOperations
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.handlers.identity import Identity
from causeway_gateway.handlers.orders import Orders
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.ports import Routes


@dataclass(frozen=True, slots=True)
class Desks:
    """What operators look at and act on."""

    about: About
    apps: AppsDirectory
    routing: Routing
    routes: Routes
    storage: BusStorage
    feeds: BusFeeds
    events: StreamTail
    cluster: Cluster
    board: Board
    catalogue: Catalogue
    reader: Reader
    orders: Orders
    revoker: BusRevocations
    identity: Identity
    timers: WheelTimers
    tasks: TaskGroup
    mailboxes: Mailboxes

    @property
    def looking(self) -> LookingOperations:
        """Timers, audit records, events."""
        return LookingOperations(self.storage, self.storage, self.events, self.mailboxes)


def operations_of(desks: Desks) -> Mapping[str, Row]:
    """Every operation that is answered once, by name."""
    return {
        **desks.looking.table(),
        **ChannelOperations(desks.catalogue, desks.cluster, desks.reader, desks.storage).table(),
        **PeopleOperations(
            cluster=desks.cluster,
            orders=desks.orders,
            revoker=desks.revoker,
            bans=lambda: desks.identity.bans,
            wall=desks.timers.wall,
        ).table(),
        **ConsoleOperations(desks.about, lambda: desks.cluster.database, desks.timers.wall).table(),
        **FigureOperations(desks.board, desks.apps, desks.routing, desks.timers.wall).table(),
        **VersionOperations(desks.apps, desks.routing, desks.routes).table(),
        **InspectOperations(desks.apps, desks.storage).table(),
        **JobOperations(desks.storage).table(),
        **WebhookOperations(desks.storage).table(),
    }


def streams_of(desks: Desks) -> Streams:
    """Every operation whose answer goes on."""
    tails = ChannelTails(
        catalogue=desks.catalogue,
        feeds=desks.feeds,
        storage=desks.storage,
        timers=desks.timers,
        tasks=desks.tasks,
        mailboxes=desks.mailboxes,
    )
    return Streams({**tails.table(), **desks.looking.streams()})


def console_of(settings: GatewaySettings, api: ServerApi, timers: WheelTimers) -> ConsoleServer | None:
    """The console's listener; None where it is off. Raises StartError: its port is taken, or its page is not there."""
    own = settings.console
    if not own.enabled:
        return None
    reuse = settings.http_server.reuse_port
    return ConsoleServer(
        bound(own.address, own.port, "console.port", reuse_port=reuse),
        api,
        own.ring(),
        transport_settings(settings),
        clock=timers.now,
        pages=console_pages(own.directory),
    )
