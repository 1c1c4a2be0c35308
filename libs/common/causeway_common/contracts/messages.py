"""The typed messages of the bus. Bodies are msgpack maps; unknown keys are skipped, so that `v1` can only grow.

Golden bytes of every message here are committed under tests/contract and decoded by the tests. Durations and times of day
are whole milliseconds (`_ms`); times of day count from the Unix epoch. `bytes` fields called `data` or `info` hold exactly
one JSON value.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

JsonMap = dict[str, Any]


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
    """One publication to append; `id` carries its type in the prefix (contracts.ids)."""

    id: str
    data: bytes
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None


class AppendRequest(Message, frozen=True):
    """Append to one channel's log: all items or none. `size` publications are kept, each for `ttl_ms`."""

    channel: str
    size: int
    ttl_ms: int
    items: list[AppendItem]


class AppendReply(Message, frozen=True):
    """Durable. `offsets[i]` belongs to `items[i]`; an id seen before gets its first offset (and `repeats[i]` is true)."""

    epoch: str
    offsets: list[int]
    repeats: list[bool]


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
    """Load one entity of the caller's own app."""

    kind: str
    id: str


class GetReply(Message, frozen=True):
    """The entity, majority-durable."""

    document: Document


class CommitRequest(Message, frozen=True):
    """One atomic change of one entity, with what leaves with it.

    `expected` is the version the change was computed on (0: it must not exist). `items` are encoded outbox items
    (`encode_item`): maps, so that a kind newer than this process survives it. `by` is the user for the audit trail.
    """

    kind: str
    id: str
    expected: int
    commit_id: str
    state: JsonMap
    items: list[JsonMap] = []
    by: str = ""


class CommitReply(Message, frozen=True):
    """`committed`: durable as `version` (`repeat`: it already was). `conflict`: another commit came first; `document` is current."""

    outcome: Literal["committed", "conflict"]
    version: int
    repeat: bool = False
    document: Document | None = None


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


class SubscribeHookReply(Message, frozen=True):
    """Yes. `data` goes into the subscribe reply, `info` is the client's `chan_info` in this channel. A denial is an error reply."""

    data: bytes | None = None
    info: bytes | None = None


class MethodSpec(Message, frozen=True):
    """One RPC method of an app. `concurrent`: its calls of one connection need not keep their order."""

    name: str
    concurrent: bool = False


class NamespaceSpec(Message, frozen=True):
    """The options of one namespace, whoever declares it (TOML or app). Size and ttl both above 0 mean: it has history."""

    name: str
    history_size: int = 0
    history_ttl_ms: int = 0
    force_recovery: bool = False
    force_positioning: bool = False
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_anonymous: bool = False
    allow_publish_for_subscriber: bool = False
    allow_history_for_client: bool = False
    allow_history_for_anonymous: bool = False
    allow_history_for_subscriber: bool = False
    subscribe_hook: bool = False

    @property
    def has_history(self) -> bool:
        """Whether publications of this namespace are logged."""
        return self.history_size > 0 and self.history_ttl_ms > 0


class Manifest(Message, frozen=True):
    """What one version of an app announces in the KV bucket `cw_apps`."""

    app: str
    version: str
    methods: list[MethodSpec]
    namespaces: list[NamespaceSpec] = []


class CompareHeads(Message, frozen=True):
    """Storage tells the gateways that feed messages may have been lost: compare the heads of what you serve, soon."""
