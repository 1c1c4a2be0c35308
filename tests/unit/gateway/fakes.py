"""Fakes of the gateway's ports: logs in memory, feeds that lose messages on demand, apps made of functions. No network but loopback."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import jwt

from causeway_common.bus import Deadline
from causeway_common.bus.versions import Living
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request, unavailable
from causeway_common.contracts.messages import (
    AppendItem,
    AppendReply,
    Attend,
    AttendReply,
    AttendRequest,
    AuditRecord,
    ClientInfo,
    ConnectHookReply,
    ConnectHookRequest,
    Document,
    FeedMembership,
    FeedPublication,
    Head,
    HistoryReply,
    InspectReply,
    InspectRequest,
    JsonMap,
    KeptRecord,
    Manifest,
    MethodSpec,
    NamespaceSpec,
    NewRecord,
    NodeInfo,
    PublishHookReply,
    PublishHookRequest,
    RecordsReply,
    RecordsRequest,
    RefreshHookReply,
    RefreshHookRequest,
    Revocation,
    Route,
    RpcReply,
    RpcRequest,
    StoredPublication,
    SubRefreshHookRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
    TimersReply,
    TimersRequest,
)
from causeway_common.runtime import new_id
from causeway_common.telemetry import OpenSpan
from causeway_gateway.adapters.clock import TaskGroup, WheelTimers
from causeway_gateway.adapters.http import PublicServer, bind
from causeway_gateway.adapters.pages import Pages
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.figures import Board
from causeway_gateway.domain.keyring import ApiCaller, KeyRing
from causeway_gateway.domain.namespaces import Catalogue, Rule
from causeway_gateway.domain.revocations import Revocations
from causeway_gateway.domain.routing import Routing
from causeway_gateway.domain.tokens import Tokens
from causeway_gateway.handlers.api import ServerApi
from causeway_gateway.handlers.api.auditing import Auditor
from causeway_gateway.handlers.api.channels import ChannelOperations
from causeway_gateway.handlers.api.console import About, ConsoleOperations
from causeway_gateway.handlers.api.figures import FigureOperations
from causeway_gateway.handlers.api.inspecting import InspectOperations
from causeway_gateway.handlers.api.jobs import JobOperations
from causeway_gateway.handlers.api.looking import LookingOperations
from causeway_gateway.handlers.api.people import PeopleOperations
from causeway_gateway.handlers.api.streaming import Mailboxes, Streams
from causeway_gateway.handlers.api.tailing import ChannelTails
from causeway_gateway.handlers.api.users import UserMethods
from causeway_gateway.handlers.api.versions import VersionOperations
from causeway_gateway.handlers.api.webhooks import WebhookOperations
from causeway_gateway.handlers.attending import Attending
from causeway_gateway.handlers.calling import Calling
from causeway_gateway.handlers.clients import Surroundings
from causeway_gateway.handlers.cluster import Cluster, Local
from causeway_gateway.handlers.commands import Commands
from causeway_gateway.handlers.doors import Doors
from causeway_gateway.handlers.feeds import Feeds
from causeway_gateway.handlers.gate import Gate
from causeway_gateway.handlers.hooks import Hooks
from causeway_gateway.handlers.identity import Identity
from causeway_gateway.handlers.membership import Membership
from causeway_gateway.handlers.orders import Orders
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.handlers.registry import Registry
from causeway_gateway.handlers.subscribing import Subscribing

NODE = "n1"
KEY = "a key of the tests, long enough for every one of the three HMAC algorithms"
API_KEY = "api-key"
LIMITED_KEY = "limited-key"
LIMITED = ApiCaller("limited", frozenset({"publish", "channels"}), frozenset({"open"}))
INFO = NodeInfo(uid=NODE, name="gateway", version="test", num_clients=0, num_users=0, num_subs=0, num_channels=0, uptime=1)

OPEN = NamespaceSpec(
    name="open",
    allow_subscribe_for_client=True,
    allow_publish_for_client=True,
)
NEWS = NamespaceSpec(
    name="news",
    history_size=1000,
    history_ttl_ms=60_000,
    force_recovery=True,
    allow_subscribe_for_client=True,
    allow_publish_for_subscriber=True,
    allow_history_for_subscriber=True,
)
PERSONAL = NamespaceSpec(name="personal", allow_user_limited_channels=True)
PLAIN = NamespaceSpec(name="")
CHAT = NamespaceSpec(name="chat", history_size=100, history_ttl_ms=60_000, force_recovery=True, subscribe_hook=True)


def token(user: str, key: str = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """A connection token."""
    return jwt.encode({"sub": user, **claims}, key, algorithm)


def tokens() -> Tokens:
    """What verifies the tokens of the tests."""
    return Tokens(KEY)


@dataclass
class FakeLog:
    epoch: str = "e1"
    floor: int = 0
    publications: list[StoredPublication] = field(default_factory=list)

    @property
    def head(self) -> Head:
        last = self.publications[-1].offset if self.publications else self.floor
        return Head(epoch=self.epoch if last else "", head=last, floor=self.floor)


class FakeBus:
    """`ports.Storage`, `ports.FeedBus` and `ports.Unlogged` at once. `lose` says which feed messages never arrive."""

    def __init__(self) -> None:
        self.logs: defaultdict[str, FakeLog] = defaultdict(FakeLog)
        self.ids: dict[str, int] = {}
        self.listeners: defaultdict[str, list[Callable[[FeedPublication], None]]] = defaultdict(list)
        self.members: defaultdict[str, list[Callable[[FeedMembership], None]]] = defaultdict(list)
        self.lose: Callable[[FeedPublication], bool] = lambda _: False
        self.away = False
        self.page_size = 100
        self.history_reads = 0
        self.records: dict[str, NewRecord] = {}
        self.entities: dict[tuple[str, str, str], InspectReply] = {}
        self.audited: list[AuditRecord] = []
        self.heads_reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def _present(self) -> None:
        if self.away:
            raise unavailable("the fake is away")

    def put(self, channel: str, data: bytes, info: ClientInfo | None = None, tags: dict[str, str] | None = None) -> int:
        """Append and feed at once; returns the offset."""
        log = self.logs[channel]
        offset = log.head.head + 1
        log.publications.append(StoredPublication(offset=offset, data=data, time_ms=1, info=info, tags=tags))
        self.feed(FeedPublication(channel=channel, data=data, epoch=log.epoch, offset=offset, info=info, tags=tags))
        return offset

    def feed(self, message: FeedPublication, app: str = "") -> None:
        if not self.lose(message):
            for callback in list(self.listeners[f"{app}>{message.channel}" if app else message.channel]):
                callback(message)

    async def append(
        self, channel: str, rule: Rule, item: AppendItem, deadline: Deadline, *, skip_history: bool = False
    ) -> AppendReply:
        await self.gate.wait()
        self._present()
        if skip_history:
            await self.publish(channel, item.data, item.info, item.tags, delta=item.delta)
            return AppendReply(epoch="", offsets=[0], repeats=[False])
        repeat = item.id in self.ids
        if not repeat:
            self.ids[item.id] = self.put(channel, item.data, item.info, item.tags)
        return AppendReply(epoch=self.logs[channel].epoch, offsets=[self.ids[item.id]], repeats=[repeat])

    async def history(self, channel: str, *, since: int, limit: int, reverse: bool, deadline: Deadline) -> HistoryReply:
        self.history_reads += 1
        await asyncio.sleep(0)
        self._present()
        if since >= 2**53:
            raise bad_request("since is 0 to 9007199254740991")  # as storage
        log = self.logs[channel]
        if reverse:
            found = [each for each in reversed(log.publications) if not since or each.offset < since]
        else:
            found = [each for each in log.publications if each.offset > since]
        size = min(limit, self.page_size)
        return HistoryReply(head=log.head, publications=found[:size], more=bool(limit) and len(found) > size)

    async def remove(self, channel: str, deadline: Deadline) -> None:
        self._present()
        log = self.logs[channel]
        log.floor = log.head.head
        log.publications.clear()

    async def enqueue(self, record: NewRecord, deadline: Deadline) -> None:
        self._present()
        self.records.setdefault(record.id, record)

    async def inspect(self, request: InspectRequest, deadline: Deadline) -> InspectReply:
        self._present()
        return self.entities.get((request.app, request.kind, request.id), InspectReply(document=Document()))

    async def audit(self, record: AuditRecord, deadline: Deadline) -> None:
        self._present()
        self.audited.append(record)

    async def heads(self, channels: Sequence[str], deadline: Deadline) -> list[Head]:
        self.heads_reads += 1
        await asyncio.sleep(0)
        self._present()
        return [self.logs[channel].head for channel in channels]

    async def listen(
        self, channel: str, callback: Callable[[FeedPublication], None], *, logged: bool, app: str = ""
    ) -> FakeListener:
        key = f"{app}>{channel}" if app else channel  # where each hears
        self.listeners[key].append(callback)
        return FakeListener(self, key, callback)

    async def flush(self) -> None:
        self._present()

    async def claim(self, channel: str, key: str, deadline: Deadline) -> bool:
        self._present()
        new = f"{channel}/{key}" not in self.ids
        self.ids[f"{channel}/{key}"] = 0
        return new

    async def listen_members(self, channel: str, callback: Callable[[FeedMembership], None]) -> FakeListener:
        self.members[channel].append(callback)
        return FakeListener(self, channel, callback)

    def tell(self, membership: FeedMembership) -> None:
        self._present()
        for callback in list(self.members[membership.channel]):
            callback(membership)

    async def publish(
        self,
        channel: str,
        data: bytes,
        info: ClientInfo | None,
        tags: dict[str, str] | None,
        *,
        delta: bool = False,
        app: str = "",
    ) -> None:
        self._present()
        self.feed(FeedPublication(channel=channel, data=data, info=info, tags=tags, delta=delta), app)


@dataclass
class FakeListener:
    bus: FakeBus
    channel: str
    callback: Callable[[Any], None]

    async def close(self) -> None:
        for listeners in (self.bus.listeners[self.channel], self.bus.members[self.channel]):
            if self.callback in listeners:
                listeners.remove(self.callback)


Method = Callable[[RpcRequest], Awaitable[bytes]]


class FakeApps:
    """`ports.Apps` made of functions."""

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}
        self.members: set[str] = set()
        self.asked_to_connect: list[ConnectHookRequest] = []
        self.running = TaskGroup()

    async def call(self, app: str, method: str, request: RpcRequest, deadline: Deadline) -> bytes:
        run = self.methods.get(f"{app}.{method}")
        if run is None:
            raise unavailable("nobody answers")
        return await run(request)

    def begin_call(
        self,
        app: str,
        method: str,
        request: RpcRequest,
        deadline: Deadline,
        *,
        done: Callable[[RpcReply | CausewayError], None],
        parent: OpenSpan,
    ) -> None:
        async def run() -> None:
            try:
                answer: RpcReply | CausewayError = RpcReply(data=await self.call(app, method, request, deadline))
            except CausewayError as error:
                answer = error
            done(answer)

        self.running.spawn(run())

    async def may_subscribe(self, app: str, request: SubscribeHookRequest, deadline: Deadline) -> SubscribeHookReply:
        if request.user not in self.members:
            raise CausewayError(ErrorName.REJECTED, "members only", code=403)
        return SubscribeHookReply(data=b'{"welcome":true}', info=b'{"role":"member"}')

    async def may_connect(self, app: str, request: ConnectHookRequest, deadline: Deadline) -> ConnectHookReply:
        self.asked_to_connect.append(request)
        if request.data != b'"please"':
            raise CausewayError(ErrorName.REJECTED, "say please", code=401)
        return ConnectHookReply(user="guest", data=b'{"hello":1}')

    async def may_stay(self, app: str, request: RefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        return RefreshHookReply(expired=request.user not in self.members)

    async def may_stay_subscribed(self, app: str, request: SubRefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        return RefreshHookReply(expired=request.user not in self.members)

    async def may_publish(self, app: str, request: PublishHookRequest, deadline: Deadline) -> PublishHookReply:
        if request.user not in self.members:
            raise CausewayError(ErrorName.REJECTED, "members only", code=403)
        return PublishHookReply(data=b'{"checked":%s}' % request.data)


def catalogue(*specs: NamespaceSpec, apps: bool = True) -> Catalogue:
    """The namespaces of the tests; with `apps` also the app `chat` and its namespace."""
    found = Catalogue([PLAIN, *(specs or (OPEN, NEWS))], 255)
    if apps:
        methods = [MethodSpec(name="send"), MethodSpec(name="slow", concurrent=True)]
        manifest = Manifest(app="chat", version="1", methods=methods, namespaces=[CHAT], connect_hook=True, refresh_hook=True)
        found.update({"chat": manifest}, {"chat": ("chat", CHAT)}, lambda *_: None)
    return found


class FakeVersions:
    """`ports.AppVersions`: the app `chat` in two versions of which the higher lives."""

    def __init__(self) -> None:
        high = Manifest(app="chat", version="1.10.0", methods=[MethodSpec(name="send")], namespaces=[CHAT])
        low = Manifest(app="chat", version="1.9.0", methods=[])
        self.manifests = {"chat": high}
        self.living: dict[str, tuple[Living, ...]] = {"chat": (Living("1.10.0", 2, high),)}
        self.all = [high, low]

    def versions(self, app: str) -> list[Manifest]:
        return self.all if app == "chat" else []


class FakeRoutes:
    """`ports.Routes` that hold at once."""

    def __init__(self, routing: Routing) -> None:
        self._routing = routing

    async def set(self, route: Route, deadline: Deadline) -> None:
        self._routing.set_route(route.app, route.method, route)

    async def remove(self, app: str, method: str, deadline: Deadline) -> None:
        self._routing.set_route(app, method, None)


class Alone:
    """`ports.Gateways` of which there is one, and `ports.Revoker`."""

    def __init__(self) -> None:
        self.registry: Registry | None = None
        self.local: Local | None = None
        self.revocations: Revocations | None = None

    def __getattr__(self, verb: str) -> Any:
        """Every verb is answered by this gateway."""

        async def ask(node: str, request: Any, deadline: Deadline) -> Any:
            assert node == NODE
            return await getattr(self.local, verb)(request, deadline)

        return ask

    def living(self) -> list[str]:
        return [NODE]

    def database(self) -> str:
        return "sqlite"

    async def lift(self, ban: Revocation, deadline: Deadline) -> None:
        assert self.revocations is not None
        self.revocations.remove(ban)

    async def revoke(self, revocation: Revocation, deadline: Deadline) -> None:
        assert self.revocations is not None
        assert self.registry is not None
        self.revocations.add(revocation)
        self.registry.revoked(revocation)


class FakeAttendances:
    """`ports.Attendances`: what was told and taken. `away`, `cleared`: it says so; `refuses` names channels that it never takes."""

    def __init__(self) -> None:
        self.requests: list[AttendRequest] = []
        self.told: list[Attend] = []
        self.left: list[int] = []
        self.away = False
        self.cleared = False
        self.refuses = ""

    async def attend(self, request: AttendRequest, deadline: Deadline) -> AttendReply:
        self.requests.append(request)
        if self.away:
            raise unavailable("the fake is away")
        if self.cleared:
            return AttendReply(cleared=True)
        if self.refuses and any(change.channel == self.refuses for change in request.changes):
            raise bad_request("never")
        self.told += request.changes
        if request.leave_ms >= 0:
            self.left.append(request.leave_ms)
        return AttendReply()

    @property
    def seen(self) -> list[tuple[str, bool]]:
        return [(change.scope, change.held) for change in self.told]


@dataclass(frozen=True)
class FakeEvent:
    """`ports.KeptEvent`."""

    sequence: int
    body: bytes


class FakeDesk:
    """What operators look at: storage's records, timers and audit records, integrations' endpoints, the stream of events."""

    def __init__(self) -> None:
        self.webhook_calls: list[tuple[str, JsonMap]] = []
        self.webhook_answers: dict[str, JsonMap] = {}
        self.kept: dict[str, KeptRecord] = {}
        self.asked: list[RecordsRequest] = []
        self.asked_timers: list[TimersRequest] = []
        self.waiting = TimersReply(timers=[])
        self.audited: list[AuditRecord] = []
        self.events: list[bytes] = []

    async def records(self, request: RecordsRequest, deadline: Deadline) -> RecordsReply:
        self.asked.append(request)
        return RecordsReply(records=[each for each in self.kept.values() if each.record.state == request.state], more=True)

    async def record(self, id: str, deadline: Deadline) -> KeptRecord | None:
        return self.kept.get(id)

    async def redrive(self, ids: list[str], deadline: Deadline) -> list[str]:
        return [each for each in ids if each in self.kept]

    async def timers(self, request: TimersRequest, deadline: Deadline) -> TimersReply:
        self.asked_timers.append(request)
        return self.waiting

    async def audit_page(self, before: str, limit: int, deadline: Deadline) -> list[AuditRecord]:
        return [each for each in self.audited if not before or each.id < before][:limit]

    async def end(self) -> int:
        return len(self.events)

    async def messages(self, since: int | datetime) -> AsyncIterator[FakeEvent]:
        start = since if isinstance(since, int) else 0
        for sequence, body in enumerate(self.events[start:], start):
            yield FakeEvent(sequence, body)
        await asyncio.Event().wait()

    async def webhooks(self, operation: str, payload: JsonMap, deadline: Deadline) -> JsonMap:
        self.webhook_calls.append((operation, payload))
        return self.webhook_answers[operation]


class Gateway:
    """A whole gateway on a loopback port, its upstream fake."""

    def __init__(
        self,
        *,
        queue_max: int = 1_048_576,
        drain_ms: int = 200,
        specs: Sequence[NamespaceSpec] = (),
        lifecycle: bool = False,
        pause_ms: int = 0,
        transports: TransportSettings | None = None,
        user_limit: int = 0,
        pages: Pages | None = None,
        **options: Any,
    ) -> None:
        self.bus, self.apps, self.alone = FakeBus(), FakeApps(), Alone()
        self.timers, self.tasks = WheelTimers(), TaskGroup()
        self.catalogue = catalogue(*specs)
        self.feeds = Feeds(self.bus, self.bus, self.timers, self.tasks, self.catalogue.owner)
        self.registry = self.alone.registry = Registry(self.feeds, self.timers, user_limit=user_limit)
        self.alone.local = Local(self.registry, lambda: INFO)
        self.cluster = Cluster(self.alone, self.timers, presence_max=100)
        self.revocations = self.alone.revocations = Revocations()
        self.attendances = FakeAttendances()
        self.attending = Attending(
            self.attendances,
            self.timers,
            node=NODE,
            users=lifecycle,
            pause_ms=pause_ms,
            beat_ms=50,
            cleared=self.registry.reconnect_all,
        )
        reader = Reader(self.bus, recovery_limit=300, history_limit=300, max_bytes=queue_max // 2)
        self.publisher = Publisher(self.bus, self.bus)
        session_options = SessionOptions(version="test", **options)
        verifier = tokens()
        identity = Identity(
            connection=verifier,
            subscription=verifier,
            revocations=self.revocations,
            need_key=self._no_key,
            need_channel_key=self._no_key,
            wall=self.timers.wall,
        )
        hooks = Hooks(self.apps, self.catalogue, self.timers)
        calling = Calling(self.apps, self.catalogue, self.bus, self.tasks)
        subscribing = Subscribing(
            feeds=self.feeds, reader=reader, hooks=hooks, identity=identity, catalogue=self.catalogue, timers=self.timers
        )
        commands = Commands(
            options=session_options,
            catalogue=self.catalogue,
            identity=identity,
            subscribing=subscribing,
            reader=reader,
            publisher=self.publisher,
            hooks=hooks,
            calling=calling,
            presence=self.cluster,
            timers=self.timers,
        )
        around = self.around = Surroundings(
            options=session_options,
            catalogue=self.catalogue,
            feeds=self.feeds,
            commands=commands,
            membership=Membership(self.bus, self.cluster.changed, self.attending),
            attending=self.attending,
            registry=self.registry,
            timers=self.timers,
            tasks=self.tasks,
            new_client=new_id,
            random=lambda: 0.0,
        )
        self.broken: list[int] = []
        self.versions, self.routing, self.desk = FakeVersions(), Routing(), FakeDesk()
        self.routes = FakeRoutes(self.routing)
        self.caller = ApiCaller("tests")
        self.board, self.mailboxes = Board(self.timers.wall), Mailboxes()
        self.looking = LookingOperations(self.desk, self.desk, self.desk, self.mailboxes)
        self.tails = ChannelTails(
            catalogue=self.catalogue,
            feeds=self.bus,
            storage=self.bus,
            timers=self.timers,
            tasks=self.tasks,
            mailboxes=self.mailboxes,
        )
        self.api = ServerApi(
            catalogue=self.catalogue,
            publisher=self.publisher,
            reader=reader,
            storage=self.bus,
            keys=self.bus,
            cluster=self.cluster,
            users=UserMethods(
                catalogue=self.catalogue,
                orders=Orders(self.catalogue, self.cluster),
                revoker=self.alone,
                calling=calling,
                default_app="",
                wall=self.timers.wall,
                new_id=new_id,
            ),
            operations={
                **self.looking.table(),
                **ChannelOperations(self.catalogue, self.cluster, reader, self.bus).table(),
                **PeopleOperations(
                    cluster=self.cluster,
                    orders=Orders(self.catalogue, self.cluster),
                    revoker=self.alone,
                    bans=lambda: identity.bans,
                    wall=self.timers.wall,
                ).table(),
                **FigureOperations(self.board, self.versions, self.routing, self.timers.wall).table(),
                **ConsoleOperations(About("test", NODE), lambda: "sqlite", self.timers.wall).table(),
                **VersionOperations(self.versions, self.routing, self.routes).table(),
                **InspectOperations(self.versions, self.bus).table(),
                **JobOperations(self.desk).table(),
                **WebhookOperations(self.desk).table(),
            },
            streams=Streams({**self.tails.table(), **self.looking.streams()}),
            auditor=Auditor(self.bus, new_id, self.timers.wall),
            new_id=new_id,
        )
        self.server = PublicServer(
            bind("127.0.0.1", 0, reuse_port=False),
            Gate(around, NODE, new_id, self.cluster),
            self.api,
            KeyRing([(API_KEY, ApiCaller("tests")), (LIMITED_KEY, LIMITED)]),
            transports or TransportSettings(queue_max=queue_max, endpoints=Endpoints(http_stream=True, sse=True)),
            version="test",
            broken=self.broken.append,
            pages=pages,
        )
        self.doors = Doors(_Known(self), self.registry, lambda: True, drain_ms)
        self.port = 0

    async def _no_key(self, kid: str, deadline: Deadline) -> None:
        raise unavailable(f"no key {kid}")

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.timers.start()
        await self.attending.start()
        await self.doors.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.attending.leave()
        await self.doors.close()
        await self.attending.stop()
        await self.timers.stop()
        await self.tasks.stop()


class _Known:
    """The listener of a `Gateway`, which learns its port."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.stop_accepting = gateway.server.stop_accepting
        self.stop = gateway.server.stop

    async def start(self) -> int:
        self._gateway.port = await self._gateway.server.start()
        return self._gateway.port
