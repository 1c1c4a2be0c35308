"""What the handlers need from outside, and what each promises.

Shaped for a store whose only atomic act is a conditional update of one document: nothing here speaks of rows or transactions.
Every call may raise CausewayError: 100 unavailable (the store is away, or the outcome is unknown: asking again with the same ids
tells the truth and does no harm) or 111 overloaded (a queue stands at its bound; nothing was done). What a call answers is durable.
Times are times of day in ms, given by the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.contracts.messages import (
    AppendRequest,
    ClaimReply,
    ClaimRequest,
    Document,
    FeedMembership,
    Head,
    HistoryReply,
    HistoryRequest,
    LifecycleEvent,
    Manifest,
    NamespaceSpec,
    NewRecord,
    SettleRequest,
    StoredPublication,
    Trace,
)
from causeway_storage.domain.attendance import Change, Sending
from causeway_storage.domain.entity import Commit, Element, EntityKey
from causeway_storage.domain.query import Query
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.domain.stored import AnyEntry, Facts, Operation, Timer, Unreadable

Clock = Callable[[], int]
"""The time of day in ms."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A durable append: `offsets`, `repeats` and `skipped` per item as in AppendReply, `publications` the new ones, ascending.

    `deltas` are the offsets of those that may go as patches.
    """

    channel: str
    epoch: str
    offsets: tuple[int, ...]
    repeats: tuple[bool, ...]
    publications: tuple[StoredPublication, ...]
    skipped: tuple[bool, ...] = ()
    deltas: frozenset[int] = frozenset()


class Logs(Protocol):
    """The channels' logs.

    For each append that wrote something the adapter calls `on_appended` once, on the event loop, after it is durable and before
    `append` returns, in offset order per channel, also when nobody waits for the answer any more.
    """

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """All items or none, at the end of the log. An id seen before gets its first offset, also after its publication went."""
        ...

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """In the order asked; a channel never written is `Head()`."""
        ...

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """A page of consecutive offsets and the head, both of one moment. Nothing at or below the floor."""
        ...

    async def remove(self, channel: str) -> Head:
        """Remove every publication of a log; the head stays, the floor is at it. A channel never written is `Head()`."""
        ...

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """Remove what is older than its channel's ttl, in up to `limit` channels; how many were looked at. Epoch and head stay."""
        ...

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` ids seen before `before_ms`; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Committed:
    """Durable as `version`. `repeat`: it already was, and `document` is the current one."""

    version: int
    repeat: bool = False
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Nothing was written: another commit came first, `document` is the current one."""

    document: Document


@dataclass(frozen=True, slots=True)
class PendingEntity:
    """An entity with an outbox, and when the oldest element of it was committed."""

    key: EntityKey
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class PendingPage:
    """A page of them, oldest first. `cursor`: ask again with it for more; "" at the end."""

    entities: tuple[PendingEntity, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Found:
    """An entity that a query found, and its entry in the index of the query's order."""

    id: str
    document: Document
    entry: str


class Entities(Protocol):
    """Versioned documents that carry their outbox inside. Fields that this process does not know stay in them."""

    async def load(self, key: EntityKey) -> Document:
        """The entity; version 0 where there is none."""
        ...

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """State, version, outbox and commit id in one act, or nothing. A repeated id is answered as the first time.

        Raises:
            CausewayError: 111, the outbox stands at its bound.
        """
        ...

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """What waits to leave, oldest first."""
        ...

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """Take elements out of the outbox. The version does not change; ids that are not there do not matter."""
        ...

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """Entities whose outbox holds an element from before `older_than_ms`. A walk through all pages misses none."""
        ...

    async def query(self, query: Query) -> list[Found]:
        """Up to `limit` entities that are there and meet it, in its order, behind its `after`."""
        ...

    async def cursor_key(self) -> bytes:
        """What signs cursors: the same for every process on this database."""
        ...

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        """Who made the last versions, oldest first; also of a deleted entity, as long as its tombstone is there."""
        ...

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        """Remove tombstones of before `before_ms` whose outbox is empty; how many, of up to `limit` looked at."""
        ...


@dataclass(frozen=True, slots=True)
class DueRecord:
    """A record to deliver. `next_at_ms` names this delivery: it changes with each."""

    id: str
    connector: str
    op: str
    next_at_ms: int
    traceparent: str


@dataclass(frozen=True, slots=True)
class DuePage:
    """The records that are due, longest first, and when the next one will be (ms; None: none waits)."""

    records: tuple[DueRecord, ...]
    next_ms: int | None


class Records(Protocol):
    """Durable calls. A record is there from its commit on until it is done or dead."""

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """Create pending records, and dead ones of the parked items; all durable on return. Ids that exist are left as they are.

        Returns:
            The ids of the pending records that are new.
        """
        ...

    async def claim(self, request: ClaimRequest, now_ms: int) -> ClaimReply:
        """Take a record for one attempt; nobody else gets it before its lease is over."""
        ...

    async def settle(self, request: SettleRequest, now_ms: int) -> bool:
        """End an attempt; False where another one has the record. A repeat is answered as the first time."""
        ...

    async def due(self, now_ms: int, limit: int) -> DuePage:
        """What is pending and should be delivered (again)."""
        ...

    async def postpone(self, records: Collection[DueRecord], next_at_ms: int) -> None:
        """Deliver these again at `next_at_ms`, where their `next_at_ms` still is the one that was read."""
        ...

    async def remove_done(self, before_ms: int, limit: int) -> int:
        """Remove up to `limit` records done before then; how many. Dead ones stay."""
        ...


@dataclass(frozen=True, slots=True)
class TimerPage:
    """The timers that are due, longest first, and when the next one will be (ms; None: none waits)."""

    timers: tuple[Timer, ...]
    next_ms: int | None


class Timers(Protocol):
    """Timers by their key. What an entity's version set, an older version never changes, in whichever order they come."""

    async def put(self, timers: Sequence[Timer]) -> None:
        """Set, move or cancel (`at_ms` 0) these. One whose key was set by the same version or a later one has no effect."""
        ...

    async def due(self, now_ms: int, limit: int) -> TimerPage:
        """Those to fire. Each is told again until `fired`: what comes of it must be harmless twice, by key and version."""
        ...

    async def fired(self, timers: Sequence[Timer]) -> None:
        """What comes of these is durable; where another version set one meanwhile, that one stays."""
        ...

    async def forget(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` that fired or were cancelled and were set before `before_ms`; how many."""
        ...


class AuditLog(Protocol):
    """What was done by API, command line and console."""

    async def record(self, operations: Sequence[Operation]) -> None:
        """Keep these; ids that exist are left as they are."""
        ...

    async def page(self, before: str, limit: int) -> list[Operation]:
        """The newest first, from below the id `before` on ("": from the newest)."""
        ...

    async def remove(self, before_ms: int, limit: int) -> int:
        """Remove up to `limit` of before `before_ms`, oldest first; how many."""
        ...


class Inspection(Protocol):
    """Everything that is stored, to be looked at beside the processes that serve it. Writes nothing and takes nothing they wait for."""

    async def facts(self) -> Facts:
        """About the database."""
        ...

    def pages(self) -> AsyncIterator[Sequence[AnyEntry | Unreadable]]:
        """All entries in the order of `domain.stored`, each log as of one moment; at SQLite all of them."""
        ...


class Restoration(Protocol):
    """Fills an empty database with everything of another one. Nothing of it is served before `finish` returned."""

    async def begin(self) -> int:
        """Make ready; its generation so far.

        Raises:
            StartError: there is something in it already, or it is in use.
        """
        ...

    async def add(self, entries: Sequence[AnyEntry]) -> None:
        """Take the next entries, in the order of `domain.stored`."""
        ...

    async def finish(self, generation: int) -> None:
        """All were added: they are durable and to be served under this generation."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """One life of a gateway that has held something.

    Attributes:
        name: as `domain.attendance.holder_of` makes it.
        leave_at_ms: from then on it may be cleared, since it left in good order; None where it did not.
        cleared_ms: when it was cleared; None while it lives.
    """

    name: str
    leave_at_ms: int | None = None
    cleared_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PendingAttendance:
    """A key whose outbox holds something, oldest first."""

    key: str
    sendings: tuple[Sending, ...]


@dataclass(frozen=True, slots=True)
class AttendancePage:
    """A page of them, those that wait longest first. `cursor`: ask again with it for more; "" at the end."""

    pending: tuple[PendingAttendance, ...]
    cursor: str


class Attendances(Protocol):
    """Who holds what: a document for each key, and one for each holder. Each is written by itself, by a conditional update."""

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        """Apply changes, in order, each one all or nothing; numbers that a key has seen of this holder are passed over.

        The holder's own document is there, and says if it leaves, before any change is applied.

        Returns:
            False where nothing was applied: the holder was cleared, or is unknown and `first` is not 1.
        """
        ...

    async def holders(self) -> list[Holder]:
        """Every holder, the cleared ones too until they are forgotten."""
        ...

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        """Mark a holder cleared, durably, and then release up to `limit` of the keys that it holds; how many.

        Once it is marked no new `attend` of it is applied; one that was under way may still be, so that this is called again for a while.
        """
        ...

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        """Keys whose outbox holds something from before `older_than_ms`. A walk through all pages misses none."""
        ...

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        """Take elements out of the outboxes, by key."""
        ...

    async def forget(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` keys that nobody has held since `before_ms`, and holders cleared before then; how many keys."""
        ...


class Events(Protocol):
    """Where lifecycle events go. They may be doubled there within reason: each has its id."""

    async def tell(self, event: LifecycleEvent) -> None:
        """Returns once it is durable there."""
        ...


class Leaves(Protocol):
    """How joins and leaves are told to gateways: at most once."""

    def tell(self, membership: FeedMembership) -> None:
        """Hand it to the bus."""
        ...

    async def flush(self) -> None:
        """The bus has what was handed to it."""
        ...


class Liveness(Protocol):
    """Which processes are silent."""

    def silent(self, node: str) -> bool:
        """Whether nothing was heard of it for so long that it counts as dead, while this process heard its own heartbeat all that time."""
        ...


class WorkQueue(Protocol):
    """What carries records to integrations. It may lose and double deliveries; the record decides."""

    async def deliver(self, record: DueRecord) -> None:
        """Returns once the queue has it. The same delivery again within two minutes is dropped there."""
        ...


class Apps(Protocol):
    """The apps' manifests, as far as they are known right now."""

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """By app."""
        ...

    @property
    def namespaces(self) -> Mapping[str, tuple[str, NamespaceSpec]]:
        """Namespace to the app that owns it and its options."""
        ...


class Shards(Protocol):
    """The shards whose requests come to this process first. Every other request comes too, to whichever process is free."""

    @property
    def held(self) -> frozenset[int]:
        """Those served now."""
        ...

    async def take(self, shards: frozenset[int]) -> None:
        """Serve these too."""
        ...

    async def release(self, shards: frozenset[int]) -> None:
        """Serve these no more. What was sent here before is answered."""
        ...
