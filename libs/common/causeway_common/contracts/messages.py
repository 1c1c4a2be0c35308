"""The typed messages of the bus. Bodies are msgpack maps; unknown keys are skipped, so that `v1` can only grow.

Golden bytes of every message here are committed under tests/contract and decoded by the tests. Durations and times of day
are whole milliseconds (`_ms`); times of day count from the Unix epoch. `bytes` fields called `data` or `info` hold exactly
one JSON value.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

JsonMap = dict[str, Any]
IndexValue = str | int | float | bool | None


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all bus messages: immutable, by name, defaults left out on the wire."""


class ClientInfo(Message, frozen=True):
    """Who published: `conn_info` and `chan_info` are JSON values or None."""

    user: str
    client: str
    conn_info: bytes | None = None
    chan_info: bytes | None = None


class Fault(Message, frozen=True):
    """An error reply: a row of the error table as it crosses the bus."""

    name: str
    code: int
    message: str
    temporary: bool = False


# --- storage: logs -----------------------------------------------------------------------------------------------------


class AppendItem(Message, frozen=True):
    """One publication to append; `id` carries its type in the prefix (contracts.ids).

    `delta` travels with the feed message. `version` above 0: left out where the channel has seen this version or a later one, unless
    `version_epoch` is another one than then.
    """

    id: str
    data: bytes
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False
    version: int = 0
    version_epoch: str = ""


class AppendRequest(Message, frozen=True):
    """Append to one channel's log: all items or none. `size` publications are kept, each for `ttl_ms`.

    `skip_history`: nothing is written; the items go on the channel's feed without a position, behind what was answered before.
    """

    channel: str
    size: int
    ttl_ms: int
    items: list[AppendItem]
    skip_history: bool = False


class AppendReply(Message, frozen=True):
    """Durable. `offsets[i]` belongs to `items[i]`; an id seen before gets its first offset (and `repeats[i]` is true).

    `skipped[i]`: its version was seen before, nothing was appended and its offset is the head's.
    """

    epoch: str
    offsets: list[int]
    repeats: list[bool]
    skipped: list[bool] = []


class StoredPublication(Message, frozen=True):
    """One publication of a log. `time_ms` is the storage clock at the append."""

    offset: int
    data: bytes
    time_ms: int
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None


class FeedPublication(Message, frozen=True):
    """What storage (logged: with epoch and offset) or a gateway (unlogged: without) puts on a channel's feed."""

    channel: str
    data: bytes
    epoch: str = ""
    offset: int = 0
    time_ms: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False


class FeedMembership(Message, frozen=True):
    """A client joined or left a channel. `id` is set where a dead gateway's leave is told by storage: repeats have the same one."""

    channel: str
    joined: bool
    info: ClientInfo
    id: str = ""


class Head(Message, frozen=True):
    """Where a log stands: last offset `head`, nothing at or below `floor` is served. A log never written: epoch "", 0, 0."""

    epoch: str = ""
    head: int = 0
    floor: int = 0


class HeadsRequest(Message, frozen=True):
    """Ask for the heads of up to 512 channels."""

    channels: list[str]


class HeadsReply(Message, frozen=True):
    """`heads[i]` belongs to `channels[i]`."""

    heads: list[Head]


class HistoryRequest(Message, frozen=True):
    """A page of a log.

    Forward (`reverse` false): offsets above `since` (0 = from the floor), ascending. Reverse: offsets below `since` (0 = from the
    head), descending. `limit` 0 asks for the head alone.
    """

    channel: str
    since: int = 0
    limit: int = 0
    reverse: bool = False


class HistoryReply(Message, frozen=True):
    """One page, at most 256 KiB of data, its offsets consecutive. `more`: the same question from the last offset has more."""

    head: Head
    publications: list[StoredPublication]
    more: bool = False


class RemoveRequest(Message, frozen=True):
    """Remove what a log holds; its epoch and head stay, so that who was behind is told."""

    channel: str


class RemoveReply(Message, frozen=True):
    """Removed, durably."""

    head: Head


# --- storage: entities -------------------------------------------------------------------------------------------------


class PublishItem(Message, frozen=True, tag_field="kind", tag="publish"):
    """An outbox item: one publication for a channel with history (`size`, `ttl_ms` are its namespace's)."""

    channel: str
    data: bytes
    size: int
    ttl_ms: int
    tags: dict[str, str] | None = None


class JobItem(Message, frozen=True, tag_field="kind", tag="job"):
    """An outbox item: one durable call of a connector. `payload` is a JSON-like map."""

    connector: str
    op: str
    payload: JsonMap


OutboxItem = PublishItem | JobItem


class Document(Message, frozen=True):
    """An entity as loaded: its version (1, 2, 3…) and its state. A deleted or absent entity has version 0 and no state."""

    version: int = 0
    state: JsonMap | None = None


class GetRequest(Message, frozen=True):
    """Load one entity of the caller's own app, at version `at_least` or a later one (a deleted one is absent at any)."""

    kind: str
    id: str
    at_least: int = 0


class GetReply(Message, frozen=True):
    """The entity, majority-durable."""

    document: Document


class CommitRequest(Message, frozen=True):
    """One atomic change of one entity, with what leaves with it.

    `expected` is the version the change was computed on (0: it must not exist). `items` are encoded outbox items
    (`encode_item`): maps, so that a kind newer than this process survives it. `by` is the user for the audit trail. `indexes` are all
    values of the entity's declared indexes from now on. `delete`: `state` is empty, and nothing is left but the outbox on its way.
    """

    kind: str
    id: str
    expected: int
    commit_id: str
    state: JsonMap
    items: list[JsonMap] = []
    by: str = ""
    indexes: dict[str, IndexValue] = {}
    delete: bool = False


class CommitReply(Message, frozen=True):
    """`committed`: durable as `version` (`repeat`: it already was). `conflict`: another commit came first; `document` is current."""

    outcome: Literal["committed", "conflict"]
    version: int
    repeat: bool = False
    document: Document | None = None


class Condition(Message, frozen=True):
    """What an index's value must be. Only values of the same type (none, boolean, number, text) are compared. `in` has a list."""

    index: str
    op: Literal["eq", "lt", "lte", "gt", "gte", "in"]
    value: IndexValue | list[IndexValue] = None


class QueryRequest(Message, frozen=True):
    """Entities of one kind of the caller's own app, over declared indexes (and `id`, which each has).

    All of `where` must hold. Sorted by `order` ("": by id); `cursor` is a reply's, for the page behind it. `fields` are those of the
    state's top level that are wanted; empty: all.
    """

    kind: str
    where: list[Condition] = []
    order: str = ""
    descending: bool = False
    limit: int = 50
    cursor: str = ""
    fields: list[str] = []


class FoundEntity(Message, frozen=True):
    """One entity of a query's answer."""

    id: str
    document: Document


class QueryReply(Message, frozen=True):
    """A page of at most 256 KiB. `cursor` "" : there is nothing behind it."""

    entities: list[FoundEntity]
    cursor: str = ""


class TrailRequest(Message, frozen=True):
    """Who made the last versions of one entity of the caller's own app."""

    kind: str
    id: str


class Trace(Message, frozen=True):
    """Who made a version, when, and in which trace. `deleted`: the version is the deletion."""

    version: int
    by: str
    at_ms: int
    traceparent: str
    deleted: bool = False


class TrailReply(Message, frozen=True):
    """Oldest first; the last 16."""

    versions: list[Trace]


# --- storage: records --------------------------------------------------------------------------------------------------


class NewRecord(Message, frozen=True):
    """A record to create; an id that exists already is left as it is."""

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    traceparent: str = ""


class EnqueueRequest(Message, frozen=True):
    """Create records, all or none, and have them delivered."""

    records: list[NewRecord]


class EnqueueReply(Message, frozen=True):
    """Durable. How many were new."""

    created: int


class Record(Message, frozen=True):
    """One durable call and all that became of it. `attempts` counts the claims, this one included."""

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    state: Literal["pending", "done", "dead"]
    attempts: int
    created_ms: int
    traceparent: str = ""
    note: str = ""


class JobDelivery(Message, frozen=True):
    """What the work queue carries: the id alone; the record is the truth."""

    id: str


class ClaimRequest(Message, frozen=True):
    """Take a record for one attempt; for `lease_ms` nobody else gets it, then it is delivered again."""

    id: str
    node: str
    lease_ms: int


class ClaimReply(Message, frozen=True):
    """`run`: go ahead with `record`. Anything else: there is nothing to do, acknowledge the delivery."""

    outcome: Literal["run", "done", "dead", "leased", "missing"]
    record: Record | None = None


class SettleRequest(Message, frozen=True):
    """End one attempt: `done`, `dead` (given up), or `retry` after `delay_ms`. `attempt` is the claim's; an older one is refused."""

    id: str
    attempt: int
    outcome: Literal["done", "retry", "dead"]
    delay_ms: int = 0
    note: str = ""


class SettleReply(Message, frozen=True):
    """`settled` false: the lease was lost to another attempt, whose outcome counts."""

    settled: bool


# --- storage: attendance -----------------------------------------------------------------------------------------------


class Attend(Message, frozen=True):
    """A gateway begins (`held`) or ends to hold a key.

    `scope` says what is held: `user` (a user's connections; `client` is set where the user is anonymous), `subscription` (likewise in
    `channel`), `channel` (its subscribers), or `member` (`client` in `channel`, with its `info`).
    """

    scope: str
    held: bool
    user: str = ""
    channel: str = ""
    client: str = ""
    info: ClientInfo | None = None


class AttendRequest(Message, frozen=True):
    """What one life of a gateway holds from now on.

    Changes are numbered 1, 2, 3… over that life, `first` is the number of the first one here: one that was seen is passed over.
    `leave_ms` of 0 or more: the gateway leaves in good order, what it still holds may be cleared after so long.
    """

    node: str
    life: int
    first: int
    changes: list[Attend] = []
    leave_ms: int = -1


class AttendReply(Message, frozen=True):
    """Durable; or nothing of it, since storage has `cleared` that life: everything it held was released."""

    cleared: bool = False


class LifecycleEvent(Message, frozen=True):
    """An event of the stream CW_EVENTS. Events of one key alternate and keep their order; a repeat has the same `id`.

    `type`: connected, disconnected (a user; an anonymous one by its `client`), subscribed, unsubscribed (likewise, in a `channel`),
    first_join, last_leave (a channel).
    """

    id: str
    type: str
    time_ms: int
    user: str = ""
    client: str = ""
    channel: str = ""
    namespace: str = ""


# --- apps --------------------------------------------------------------------------------------------------------------


class RpcRequest(Message, frozen=True):
    """One client's call of one method. `info` is the connection's own JSON value from its token."""

    user: str
    client: str
    data: bytes
    info: bytes | None = None


class RpcReply(Message, frozen=True):
    """The method's answer, one JSON value."""

    data: bytes


class SubscribeHookRequest(Message, frozen=True):
    """May this client watch this channel?"""

    user: str
    client: str
    channel: str
    data: bytes | None = None
    info: bytes | None = None


class Override(Message, frozen=True):
    """Options of the namespace that one subscription has otherwise; None leaves the namespace's."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


class SubscribeHookReply(Message, frozen=True):
    """Yes. `data` goes into the subscribe reply, `info` is the client's `chan_info` in this channel. A denial is an error reply."""

    data: bytes | None = None
    info: bytes | None = None
    expire_at_ms: int = 0
    override: Override | None = None


class HookSubscription(Message, frozen=True):
    """A server-side subscription that a connect hook gives."""

    info: bytes | None = None
    data: bytes | None = None
    override: Override | None = None


class ConnectHookRequest(Message, frozen=True):
    """May this client connect? `headers` are the emulated ones of the client itself: not to be trusted."""

    client: str
    transport: str = ""
    name: str = ""
    version: str = ""
    data: bytes | None = None
    headers: dict[str, str] = {}


class ConnectHookReply(Message, frozen=True):
    """Yes, as this user. `expire_at_ms` 0: for ever. A denial is an error reply."""

    user: str = ""
    info: bytes | None = None
    data: bytes | None = None
    meta: bytes | None = None
    expire_at_ms: int = 0
    subs: dict[str, HookSubscription] = {}


class RefreshHookRequest(Message, frozen=True):
    """A connection that a hook let in is about to expire. May it stay?"""

    user: str
    client: str
    meta: bytes | None = None


class RefreshHookReply(Message, frozen=True):
    """Until when (`expire_at_ms`, 0: for ever), or not (`expired`)."""

    expired: bool = False
    expire_at_ms: int = 0
    info: bytes | None = None


class SubRefreshHookRequest(Message, frozen=True):
    """A subscription that a hook let in is about to expire. May it stay?"""

    user: str
    client: str
    channel: str
    meta: bytes | None = None


class PublishHookRequest(Message, frozen=True):
    """May this client publish `data` here?"""

    user: str
    client: str
    channel: str
    data: bytes
    info: bytes | None = None


class PublishHookReply(Message, frozen=True):
    """Yes; `data` takes the place of what the client sent."""

    data: bytes | None = None


class MethodSpec(Message, frozen=True):
    """One RPC method of an app. `concurrent`: its calls of one connection need not keep their order."""

    name: str
    concurrent: bool = False


class NamespaceSpec(Message, frozen=True):
    """The options of one namespace, whoever declares it (TOML or app). Size and ttl both above 0 mean: it has history.

    `force_recovery_mode` is `stream` or `cache`, `slow_reader` is `close`, `drop` or `conflate` (to the latest per value of the tag
    `conflate_tag`, per channel without one). `publish_rate_limit` counts publications of one connection in a second, 0 is no limit.
    """

    name: str
    history_size: int = 0
    history_ttl_ms: int = 0
    history_meta_ttl_ms: int = 0
    force_recovery: bool = False
    force_recovery_mode: str = "stream"
    force_positioning: bool = False
    presence: bool = False
    join_leave: bool = False
    force_push_join_leave: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_anonymous: bool = False
    allow_presence_for_subscriber: bool = False
    allow_user_limited_channels: bool = False
    channel_regex: str = ""
    allowed_delta_types: list[str] = []
    delta_publish: bool = False
    allow_tags_filter: bool = False
    binary: bool = False
    publish_rate_limit: int = 0
    slow_reader: str = "close"
    conflate_tag: str = ""
    lifecycle_events: bool = False
    occupancy_events: bool = False
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_anonymous: bool = False
    allow_publish_for_subscriber: bool = False
    allow_history_for_client: bool = False
    allow_history_for_anonymous: bool = False
    allow_history_for_subscriber: bool = False
    subscribe_hook: bool = False
    sub_refresh_hook: bool = False
    publish_hook: bool = False

    @property
    def has_history(self) -> bool:
        """Whether publications of this namespace are logged."""
        return self.history_size > 0 and self.history_ttl_ms > 0


class Manifest(Message, frozen=True):
    """What one version of an app announces in the KV bucket `cw_apps`. `indexes`: by kind of entity, those that may be asked for."""

    app: str
    version: str
    methods: list[MethodSpec]
    namespaces: list[NamespaceSpec] = []
    connect_hook: bool = False
    refresh_hook: bool = False
    indexes: dict[str, list[str]] = {}


class CompareHeads(Message, frozen=True):
    """Storage tells the gateways that feed messages may have been lost: compare the heads of what you serve, soon."""


# --- gateways: control and presence ------------------------------------------------------------------------------------


class SubscribeUser(Message, frozen=True, tag_field="do", tag="subscribe"):
    """Subscribe connections of a user. `client` or `session` narrow it to one; `recover` from `offset` in `epoch`."""

    user: str
    channel: str
    client: str = ""
    session: str = ""
    info: bytes | None = None
    data: bytes | None = None
    recover: bool = False
    offset: int = 0
    epoch: str = ""
    expire_at_ms: int = 0
    override: Override | None = None


class UnsubscribeUser(Message, frozen=True, tag_field="do", tag="unsubscribe"):
    """End a subscription of connections of a user."""

    user: str
    channel: str
    client: str = ""
    session: str = ""


class DisconnectUser(Message, frozen=True, tag_field="do", tag="disconnect"):
    """Close connections of a user, but for the client ids of `whitelist`."""

    user: str
    client: str = ""
    session: str = ""
    whitelist: list[str] = []
    code: int = 3503
    reason: str = "force disconnect"


class RefreshUser(Message, frozen=True, tag_field="do", tag="refresh"):
    """Change when connections of a user expire (`expire_at_ms`, 0: never), or expire them now."""

    user: str
    client: str = ""
    session: str = ""
    expired: bool = False
    expire_at_ms: int = 0
    info: bytes | None = None


Control = SubscribeUser | UnsubscribeUser | DisconnectUser | RefreshUser


class ControlRequest(Message, frozen=True):
    """Do this with the connections of one gateway."""

    command: Control


class ControlReply(Message, frozen=True):
    """Done. How many connections it met."""

    clients: int


class PresenceRequest(Message, frozen=True):
    """Who is subscribed to a channel on one gateway; at most `limit` are listed."""

    channel: str
    limit: int


class PresenceReply(Message, frozen=True):
    """The clients of one gateway, `total` of them."""

    clients: list[ClientInfo]
    total: int


class PresenceStatsRequest(Message, frozen=True):
    """How many are subscribed to a channel on one gateway."""

    channel: str


class PresenceStatsReply(Message, frozen=True):
    """Clients, and the users' 8-byte digests (contracts.ids.user_digest) so that a user on two gateways counts once."""

    clients: int
    users: list[bytes]


class ChannelsRequest(Message, frozen=True):
    """The channels of one gateway that match a glob ("" is all), `after` this name in order."""

    pattern: str = ""
    after: str = ""


class ChannelsReply(Message, frozen=True):
    """One page, in order: name to number of clients. `more`: ask again after the last name."""

    channels: dict[str, int]
    more: bool = False


class NodeInfoRequest(Message, frozen=True):
    """How is this gateway?"""


class NodeInfo(Message, frozen=True):
    """One gateway as the server API's `info` shows it; `uptime` in seconds, `cpu` in percent of one core, `rss` in bytes."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int
    uptime: int
    cpu: float = 0.0
    rss: int = 0


class EmulateRequest(Message, frozen=True):
    """A frame of a client whose stream is at this gateway."""

    session: str
    data: bytes


class EmulateReply(Message, frozen=True):
    """`found` false: there is no such session any more."""

    found: bool


class NodeBeat(Message, frozen=True):
    """A process in the KV bucket `cw_nodes`; an empty value means that it has left. `database`: what a storage process keeps data in."""

    node: str
    service: str
    version: str
    started_ms: int
    at_ms: int
    database: str = ""


class Revocation(Message, frozen=True):
    """Tokens that are good no more, in the KV bucket `cw_revocations`. One of user, client and jti is set.

    Tokens of `user` issued before `issued_before_ms` (0: all of them), a client id, or one token by its `jti`, until `expire_at_ms`.
    """

    user: str | None = None
    client: str = ""
    jti: str = ""
    issued_before_ms: int = 0
    expire_at_ms: int = 0


# --- calls of integrations ---------------------------------------------------------------------------------------------


class JwksRequest(Message, frozen=True):
    """Fetch a key set (RFC 7517)."""

    url: str


class JwksReply(Message, frozen=True):
    """The JSON document, and how long it may be kept."""

    document: bytes
    max_age_ms: int
