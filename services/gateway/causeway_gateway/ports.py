"""What the gateway needs from outside, as promises. Handlers are written against these, adapters keep them, `app.py` joins them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    AppendItem,
    AppendReply,
    AttendReply,
    AttendRequest,
    AuditRecord,
    ChannelsReply,
    ChannelsRequest,
    ClientInfo,
    ConnectHookReply,
    ConnectHookRequest,
    Control,
    ControlReply,
    ControlRequest,
    EmulateReply,
    EmulateRequest,
    FeedMembership,
    FeedPublication,
    Head,
    HistoryReply,
    InspectReply,
    InspectRequest,
    JsonMap,
    JwksReply,
    KeptRecord,
    Manifest,
    NewRecord,
    NodeInfo,
    NodeInfoRequest,
    PresenceReply,
    PresenceRequest,
    PresenceStatsReply,
    PresenceStatsRequest,
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
    SubRefreshHookRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
)
from causeway_common.telemetry import OpenSpan
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.namespaces import Rule
from causeway_gateway.domain.routing import Alive
from causeway_gateway.domain.wheel import Entry


class Storage(Protocol):
    """The logs of the channels. Everything raises CausewayError: 100 unavailable where storage cannot answer in time."""

    async def append(
        self, channel: str, rule: Rule, item: AppendItem, deadline: Deadline, *, skip_history: bool = False
    ) -> AppendReply:
        """Append; returns once it is durable. The item's id makes a repeat harmless.

        With `skip_history` it is only fed, at most once and without a position, behind what was answered before.
        """
        ...

    async def history(self, channel: str, *, since: int, limit: int, reverse: bool, deadline: Deadline) -> HistoryReply:
        """A page as contracts.messages.HistoryRequest says, with the head at that moment, majority-durable."""
        ...

    async def remove(self, channel: str, deadline: Deadline) -> None:
        """Remove what a channel's log holds; its position stays. Gateways forget it when they compare heads, within a second."""
        ...

    async def heads(self, channels: Sequence[str], deadline: Deadline) -> list[Head]:
        """The heads of up to 512 channels, in their order."""
        ...


class AuditTrail(Protocol):
    """Where audit records of operations go."""

    async def audit(self, record: AuditRecord, deadline: Deadline) -> None:
        """Returns once it is durable. Raises CausewayError: 100 unavailable where storage cannot answer in time."""
        ...


class NobodyError(CausewayError):
    """100 unavailable: no instance of an app is there, nothing was asked."""


class Records(Protocol):
    """Where calls are kept that nobody answers now."""

    async def enqueue(self, record: NewRecord, deadline: Deadline) -> None:
        """Keep it, durably; one whose id is there already changes nothing. Raises CausewayError: 100 unavailable, 107 too large."""
        ...


class AppVersions(Protocol):
    """The apps' versions as this gateway knows them."""

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """What exists of each app."""
        ...

    @property
    def living(self) -> Mapping[str, Sequence[Alive]]:
        """Each app's living versions, the highest first."""
        ...

    def versions(self, app: str) -> Sequence[Manifest]:
        """All versions of an app that are known of, the highest first."""
        ...


class EntityInspection(Protocol):
    """Looks into entities, for operators."""

    async def inspect(self, request: InspectRequest, deadline: Deadline) -> InspectReply:
        """One entity of any app. Raises CausewayError: 107, 100 unavailable."""
        ...


class RecordsDesk(Protocol):
    """Jobs, tasks and inbound events, for operators. Raises CausewayError: 107, 100 unavailable."""

    async def records(self, request: RecordsRequest, deadline: Deadline) -> RecordsReply:
        """A page of those in one state."""
        ...

    async def record(self, id: str, deadline: Deadline) -> KeptRecord | None:
        """One; None where it is not there."""
        ...

    async def redrive(self, ids: list[str], deadline: Deadline) -> list[str]:
        """Have those of these that are dead delivered again; which were."""
        ...


class WebhookDesk(Protocol):
    """The endpoints of webhooks, kept by integrations."""

    async def webhooks(self, operation: str, payload: JsonMap, deadline: Deadline) -> JsonMap:
        """What integrations answer to one of `WEBHOOK_OPERATIONS`. Raises CausewayError: 104, 107, 113, 100 unavailable."""
        ...


class Routes(Protocol):
    """Where the shares of canaries are kept."""

    async def set(self, route: Route, deadline: Deadline) -> None:
        """Keep it, durably; every gateway hears of it. Raises CausewayError: 100 unavailable."""
        ...

    async def remove(self, app: str, method: str, deadline: Deadline) -> None:
        """Keep it no more, likewise."""
        ...


class Apps(Protocol):
    """The apps. All raise CausewayError: the app's own error, or NobodyError at once. Which version is asked is theirs to know."""

    async def call(self, app: str, method: str, request: RpcRequest, deadline: Deadline) -> bytes:
        """Call a method; its answer is one JSON value."""
        ...

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
        """As `call`, but `done` is called once with the answer or the error, never before this returns; it does not raise.

        Where this raises itself, nothing was called and `done` is not.
        """
        ...

    async def may_subscribe(self, app: str, request: SubscribeHookRequest, deadline: Deadline) -> SubscribeHookReply:
        """Ask the subscribe hook; a denial is an error."""
        ...

    async def may_connect(self, app: str, request: ConnectHookRequest, deadline: Deadline) -> ConnectHookReply:
        """Ask the connect hook; a denial is an error."""
        ...

    async def may_stay(self, app: str, request: RefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        """Ask the refresh hook."""
        ...

    async def may_stay_subscribed(self, app: str, request: SubRefreshHookRequest, deadline: Deadline) -> RefreshHookReply:
        """Ask the sub_refresh hook."""
        ...

    async def may_publish(self, app: str, request: PublishHookRequest, deadline: Deadline) -> PublishHookReply:
        """Ask the publish hook; a denial is an error."""
        ...


class Subscription(Protocol):
    """A feed that is listened to."""

    async def close(self) -> None:
        """Listen no more."""
        ...


class FeedBus(Protocol):
    """The connection that carries the feeds."""

    async def listen(
        self, channel: str, callback: Callable[[FeedPublication], None], *, logged: bool, app: str = ""
    ) -> Subscription:
        """Hear a channel's feed, from the next `flush` on; kept over reconnects, where messages may be missed.

        Without history it is the feed of the `app` that owns the channel's namespace ("": none does).
        """
        ...

    async def listen_members(self, channel: str, callback: Callable[[FeedMembership], None]) -> Subscription:
        """Hear a channel's joins and leaves, as `listen`."""
        ...

    async def flush(self) -> None:
        """After it the broker has every `listen` before it. Raises CausewayError: 100 unavailable."""
        ...


class Unlogged(Protocol):
    """Publishing into channels without history."""

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
        """At most once, to every gateway with subscribers; `app` owns the channel's namespace ("": none does).

        Raises CausewayError: 100 unavailable, 107 too large.
        """
        ...


class Members(Protocol):
    """Joins and leaves."""

    def tell(self, membership: FeedMembership) -> None:
        """At most once, to every gateway with watchers, in order. Raises CausewayError: 100 unavailable."""
        ...


class Attendances(Protocol):
    """What this gateway holds, as storage knows it."""

    async def attend(self, request: AttendRequest, deadline: Deadline) -> AttendReply:
        """Tell it, durably; a repeat is harmless. Raises CausewayError: 100 unavailable, 107 for what it never takes."""
        ...


class Timers(Protocol):
    """Coarse timers; the process's monotonic and wall clocks."""

    def now(self) -> int:
        """Monotonic milliseconds, those of the event loop."""
        ...

    def wall(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        """Call back at `when` (monotonic ms) or a little later."""
        ...


class Tasks(Protocol):
    """Background work that ends with the process."""

    def spawn(self, work: Awaitable[None]) -> None:
        """Run `work`; what it raises is logged."""
        ...


class Link(Protocol):
    """A client's connection as the handlers see it."""

    def send(self, frame: bytes) -> None:
        """Queue one frame of this connection's transport; never waits, nothing after `shut`."""
        ...

    def shut(self, code: int, reason: str) -> None:
        """Flush (but not for SLOW) and close. A stream just ends: its client was told by a push."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes that wait to be read by the client, here and in the socket's buffer."""
        ...

    def call_drained(self) -> None:
        """Have the peer told `drained` once, as soon as what is queued now was written and little of it waits in the socket's buffer."""
        ...


class Peer(Protocol):
    """The gateway as a transport sees it: one per connection."""

    @property
    def busy(self) -> bool:
        """Whether it still has to do with a message: the next one may wait, so that the others have their turn."""
        ...

    def received(self, frame: bytes) -> None:
        """A message of the client."""
        ...

    def gone(self) -> None:
        """The connection is over; may be called more than once."""
        ...

    def overflowed(self) -> None:
        """The client reads too slowly: its bound of queued bytes is passed."""
        ...

    def drained(self) -> None:
        """What waited above the transport's high-water mark has been written."""
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """What a transport knows of who comes: the transport's name, the address, the native WebSocket pings it asked for."""

    transport: str
    address: str = ""
    native_pings: bool = False


class Gate(Protocol):
    """Where transports bring their clients."""

    def open(self, link: Link, codec: Codec, visit: Visit) -> Peer:
        """A new connection."""
        ...

    async def emulate(self, node: str, session: str, data: bytes) -> None:
        """A frame for the connection with this session, on whichever gateway it is.

        Raises:
            LookupError: no such gateway.
            CausewayError: 100 unavailable.
        """
        ...


class Registry(Protocol):
    """This gateway's own clients, as the control plane sees them."""

    async def obey(self, command: Control, deadline: Deadline) -> int:
        """Carry out a command; returns how many connections it met."""
        ...

    def revoked(self, revocation: Revocation) -> None:
        """Close the connections that came with what is good no more."""
        ...

    def presence(self, channel: str) -> Iterable[ClientInfo]:
        """The subscribers of a channel."""
        ...

    def channels(self) -> Mapping[str, int]:
        """Each channel with subscribers, and how many."""
        ...

    def emulated(self, session: str, data: bytes) -> bool:
        """A frame of an emulated connection; whether it is here."""
        ...

    @property
    def num_clients(self) -> int:
        """Connections."""
        ...

    @property
    def num_users(self) -> int:
        """Different users."""
        ...

    @property
    def num_subs(self) -> int:
        """Subscriptions."""
        ...

    @property
    def num_channels(self) -> int:
        """Channels with subscribers."""
        ...


class GoneError(CausewayError):
    """100 unavailable: no responder, this gateway and its clients are gone."""


class Gateways(Protocol):
    """One gateway at a time, by its node id. All raise GoneError, or CausewayError: 100, no answer in time."""

    def living(self) -> Sequence[str]:
        """The node ids of the gateways that live, this one included."""
        ...

    def database(self) -> str:
        """What storage keeps its data in, `sqlite` or `mongodb`; "" while no storage process was heard of."""
        ...

    async def control(self, node: str, request: ControlRequest, deadline: Deadline) -> ControlReply:
        """Carry out a command there."""
        ...

    async def presence(self, node: str, request: PresenceRequest, deadline: Deadline) -> PresenceReply:
        """Who is subscribed there."""
        ...

    async def presence_stats(self, node: str, request: PresenceStatsRequest, deadline: Deadline) -> PresenceStatsReply:
        """How many are subscribed there."""
        ...

    async def channels(self, node: str, request: ChannelsRequest, deadline: Deadline) -> ChannelsReply:
        """A page of the channels there."""
        ...

    async def info(self, node: str, request: NodeInfoRequest, deadline: Deadline) -> NodeInfo:
        """How it is."""
        ...

    async def emulate(self, node: str, request: EmulateRequest, deadline: Deadline) -> EmulateReply:
        """A frame for a connection there."""
        ...


class Revoker(Protocol):
    """Where revocations are kept."""

    async def revoke(self, revocation: Revocation, deadline: Deadline) -> None:
        """Keep it, durably; every gateway hears of it. Raises CausewayError: 100 unavailable."""
        ...


class Keys(Protocol):
    """Idempotency keys of publications into channels without history, over all gateways."""

    async def claim(self, channel: str, key: str, deadline: Deadline) -> bool:
        """Whether this key was not there in the last five minutes; now it is. Raises CausewayError: 100 unavailable."""
        ...


class KeySource(Protocol):
    """Key sets of whoever signs tokens."""

    async def fetch(self, url: str, deadline: Deadline) -> JwksReply:
        """The document. Raises CausewayError: 100 unavailable, 103, 107."""
        ...


class Emulation(Protocol):
    """Carries frames of emulated clients between gateways."""

    async def emulate(self, node: str, session: str, data: bytes, deadline: Deadline) -> None:
        """Hand it over. Raises LookupError: no such gateway; CausewayError: 100 unavailable."""
        ...


class Presence(Protocol):
    """Presence over all gateways. Both raise CausewayError: 100 where a living gateway does not answer."""

    async def presence(self, channel: str, deadline: Deadline) -> Mapping[str, ClientInfo]:
        """Client id to client."""
        ...

    async def presence_stats(self, channel: str, deadline: Deadline) -> tuple[int, int]:
        """Clients, different users."""
        ...
