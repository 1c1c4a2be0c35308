"""Entities: commits with their outbox, reads, queries."""

from __future__ import annotations

from typing import Literal

from causeway_common.contracts.messages.base import IndexValue, JsonMap, Message
from causeway_common.contracts.messages.logs import Head


class PublishItem(Message, frozen=True, tag_field="kind", tag="publish"):
    """An outbox item: one publication for a channel with history (`size`, `ttl_ms` are its namespace's)."""

    channel: str
    data: bytes
    size: int
    ttl_ms: int
    tags: dict[str, str] | None = None


class JobItem(Message, frozen=True, tag_field="kind", tag="job"):
    """An outbox item: one durable call of a connector. `payload` is a JSON-like map. `key`: its line; "": the entity's own."""

    connector: str
    op: str
    payload: JsonMap
    key: str = ""


class TaskItem(Message, frozen=True, tag_field="kind", tag="task"):
    """An outbox item: one durable call of the app itself, at once."""

    task: str
    payload: JsonMap


class ScheduleItem(Message, frozen=True, tag_field="kind", tag="schedule"):
    """An outbox item: one durable call of the app itself at a time of day. Sets the entity's timer of this name, or moves it."""

    name: str
    at_ms: int
    task: str
    payload: JsonMap


class CancelItem(Message, frozen=True, tag_field="kind", tag="cancel"):
    """An outbox item: cancels the entity's timer of this name, where there is one."""

    name: str


OutboxItem = PublishItem | JobItem | TaskItem | ScheduleItem | CancelItem


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


class SnapshotRequest(Message, frozen=True):
    """Load one entity of the caller's own app, and where a channel of its own stood with that version."""

    kind: str
    id: str
    channel: str


class SnapshotReply(Message, frozen=True):
    """What this version and those before it published has offsets up to `head.head`, what later ones publish has higher ones.

    Exact for a channel that only this entity feeds.
    """

    document: Document
    head: Head


class CommitRequest(Message, frozen=True):
    """One atomic change of one entity, with what leaves with it.

    `expected` is the version the change was computed on (0: it must not exist). `items` are encoded outbox items
    (`encode_item`): maps, so that a kind newer than this process survives it. `by` is the user for the audit trail. `indexes` are all
    values of the entity's declared indexes from now on. `delete`: `state` is empty, and nothing is left but the outbox on its way.
    `remember_ms`: a repeat may come for so long; 0: as long as a request may be sent again.
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
    remember_ms: int = 0


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
    """Who made the last versions of one entity of the caller's own app; the operator, who has none, names the `app`."""

    kind: str
    id: str
    app: str = ""


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


class InspectRequest(Message, frozen=True):
    """Everything about one entity of any app, for the operator."""

    app: str
    kind: str
    id: str


class WaitingItems(Message, frozen=True):
    """What leaves with one commit and has not left yet: encoded outbox items. `version` is what the commit made, 0 where that is not known."""

    items: list[JsonMap]
    at_ms: int
    version: int = 0
    traceparent: str = ""


class InspectReply(Message, frozen=True):
    """The entity as it is, who made its last 16 versions (oldest first), and its outbox (oldest first)."""

    document: Document
    versions: list[Trace] = []
    outbox: list[WaitingItems] = []
