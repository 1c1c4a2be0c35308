"""The client protocol's messages as values (reference/centrifuge-protocol.md, sections 3 and 4), the same for every codec.

Field names are the protocol's JSON names. A payload is a `Raw`: one value as it came, never decoded here. Fields with a default
are left out when they hold it; those without one are always written, which is the protocol's own list of such fields.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec import Raw as Raw  # noqa: PLC0414 - a payload is part of this vocabulary

from causeway_common.contracts.messages import ClientInfo as BusClientInfo
from causeway_common.contracts.messages import FeedPublication, StoredPublication

Payload = Raw | UnsetType
CommandId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]

FLAG_REJECT_UNRECOVERED: Final = 2
DELTA_FOSSIL: Final = "fossil"
COMMANDS_A_FRAME: Final = 4096
"""More than any client has to say at once; beyond, a frame is none."""


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all protocol messages: immutable, by name, defaults left out."""


def payload(data: bytes | None) -> Payload:
    """Bytes of the bus as a payload; None is an absent one."""
    return UNSET if data is None else Raw(data)


def payload_bytes(data: Payload) -> bytes | None:
    """A payload as bytes for the bus; None where it is absent."""
    return None if data is UNSET else bytes(data)


class Error(Value, frozen=True):
    """An error reply (section 11)."""

    code: int
    message: str
    temporary: bool = False


class ClientInfo(Value, frozen=True):
    """Who a client is."""

    user: str
    client: str
    conn_info: Payload = UNSET
    chan_info: Payload = UNSET


class Publication(Value, frozen=True):
    """One publication; `offset` only in channels with history. `delta`: `data` is a patch of the publication before it."""

    data: Raw
    info: ClientInfo | None = None
    offset: int = 0
    tags: dict[str, str] | None = None
    delta: bool = False


class StreamPosition(Value, frozen=True):
    """A place in a channel's log."""

    offset: Offset = 0
    epoch: str = ""


class FilterNode(Value, frozen=True):
    """A filter of publications by their tags: a leaf compares one tag, `and`, `or` and `not` combine (section 7)."""

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: list[str] = []
    nodes: list[FilterNode] = []


class SubscribeRequest(Value, frozen=True):
    """A client wants to watch a channel."""

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: Offset = 0
    data: Payload = UNSET
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: FilterNode | None = None
    flag: int = 0
    type: int = 0


class SubscribeResult(Value, frozen=True):
    """The subscription stands; `ttl` in seconds."""

    expires: bool = False
    ttl: int = 0
    recoverable: bool = False
    epoch: str = ""
    publications: list[Publication] = []
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    data: Payload = UNSET
    was_recovering: bool = False
    delta: bool = False


class ConnectRequest(Value, frozen=True):
    """The first command of a connection."""

    token: str = ""
    data: Payload = UNSET
    subs: dict[str, SubscribeRequest] = {}
    name: str = ""
    version: str = ""
    headers: dict[str, str] = {}
    flag: int = 0


class ConnectResult(Value, frozen=True):
    """The connection stands; `ping` and `ttl` in seconds, `time` in milliseconds since the Unix epoch."""

    client: str
    version: str
    expires: bool = False
    ttl: int = 0
    data: Payload = UNSET
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: int = 0


class RefreshRequest(Value, frozen=True):
    """A new connection token."""

    token: str = ""


class RefreshResult(Value, frozen=True):
    """The connection lives on; `ttl` in seconds."""

    expires: bool = False
    ttl: int = 0


class SubRefreshRequest(Value, frozen=True):
    """A new subscription token."""

    channel: str = ""
    token: str = ""


class SubRefreshResult(Value, frozen=True):
    """The subscription lives on; `ttl` in seconds."""

    expires: bool = False
    ttl: int = 0


class ChannelRequest(Value, frozen=True):
    """A request that names a channel and nothing more."""

    channel: str = ""


class PublishRequest(Value, frozen=True):
    """Publish `data` into a channel."""

    channel: str = ""
    data: Payload = UNSET
    type: int = 0


class HistoryRequest(Value, frozen=True):
    """A page of a channel's log; `limit` 0 asks for the position alone."""

    channel: str = ""
    limit: Int32 = 0
    since: StreamPosition | None = None
    reverse: bool = False


class HistoryResult(Value, frozen=True):
    """A page of a channel's log and its position."""

    publications: list[Publication]
    epoch: str
    offset: int


class PresenceResult(Value, frozen=True):
    """Who is subscribed, by client id."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Value, frozen=True):
    """How many are subscribed."""

    num_clients: int
    num_users: int


class RpcRequest(Value, frozen=True):
    """Call an app's method."""

    data: Payload = UNSET
    method: str = ""


class RpcResult(Value, frozen=True):
    """An app's answer."""

    data: Raw


class SendRequest(Value, frozen=True):
    """A message without an answer."""

    data: Payload = UNSET


class Empty(Value, frozen=True):
    """A result without fields; it is still written, as `{}`."""


class Command(Value, frozen=True):
    """What a client sends: an id and one request."""

    id: CommandId = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: ChannelRequest | None = None
    publish: PublishRequest | None = None
    presence: ChannelRequest | None = None
    presence_stats: ChannelRequest | None = None
    history: HistoryRequest | None = None
    rpc: RpcRequest | None = None
    send: SendRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


class Unsubscribe(Value, frozen=True):
    """The server ends a subscription."""

    code: int
    reason: str


class Member(Value, frozen=True):
    """A join or a leave."""

    info: ClientInfo


class MessagePush(Value, frozen=True):
    """Data of the server outside of any channel."""

    data: Raw


class SubscribePush(Value, frozen=True):
    """The server began a subscription."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    data: Payload = UNSET


class ConnectPush(Value, frozen=True):
    """The connection of a unidirectional client stands."""

    client: str
    version: str
    data: Payload = UNSET
    subs: dict[str, SubscribeResult] = {}
    expires: bool = False
    ttl: int = 0
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: int = 0


class DisconnectPush(Value, frozen=True):
    """The connection ends."""

    code: int
    reason: str


class Push(Value, frozen=True):
    """What the server says unasked."""

    channel: str = ""
    pub: Publication | None = None
    join: Member | None = None
    leave: Member | None = None
    unsubscribe: Unsubscribe | None = None
    message: MessagePush | None = None
    subscribe: SubscribePush | None = None
    connect: ConnectPush | None = None
    disconnect: DisconnectPush | None = None
    refresh: RefreshResult | None = None


class Reply(Value, frozen=True):
    """What the server sends: an answer (id), a push (no id), or with nothing set a ping."""

    id: int = 0
    error: Error | None = None
    push: Push | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    publish: Empty | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None


PING: Final = Reply()


class ProtocolError(Exception):
    """A frame that is none of the protocol: the connection closes with 3501."""


def publication_of(message: FeedPublication | StoredPublication) -> Publication:
    """A publication of the bus as clients see it, but that `delta` is still its publisher's wish."""
    info = None if message.info is None else client_info(message.info)
    wish = isinstance(message, FeedPublication) and message.delta
    return Publication(data=Raw(message.data), offset=message.offset, tags=message.tags, info=info, delta=wish)


def weight(publication: Publication | StoredPublication) -> int:
    """Its bytes: of its data, of who published it and of its tags, which may be the most of it."""
    size, info = memoryview(publication.data).nbytes, publication.info
    if info is not None:
        parts = (info.conn_info, info.chan_info)
        size += len(info.user) + len(info.client) + sum(memoryview(part).nbytes for part in parts if isinstance(part, bytes | Raw))
    if publication.tags:
        size += sum(len(name) + len(value) for name, value in publication.tags.items())
    return size


def client_info(info: BusClientInfo) -> ClientInfo:
    """A client of the bus as clients see it."""
    return ClientInfo(user=info.user, client=info.client, conn_info=payload(info.conn_info), chan_info=payload(info.chan_info))


def bus_info(info: ClientInfo) -> BusClientInfo:
    """A publisher as the bus carries it."""
    return BusClientInfo(
        user=info.user, client=info.client, conn_info=payload_bytes(info.conn_info), chan_info=payload_bytes(info.chan_info)
    )
