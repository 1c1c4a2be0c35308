"""Entities: versioned documents that carry their outbox. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from causeway_common.contracts.messages import (
    AppendRequest,
    Document,
    Head,
    Trace,
)
from causeway_storage.domain.entity import Commit, Element, EntityKey
from causeway_storage.domain.query import Query


@dataclass(frozen=True, slots=True)
class Committed:
    """Durable as `version`. `repeat`: it already was, and `document` is the current one. `left`: nothing of it waits in the outbox."""

    version: int
    repeat: bool = False
    document: Document | None = None
    left: bool = False


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


@dataclass(frozen=True, slots=True)
class Look:
    """An entity and a channel as of one moment.

    Attributes:
        document: the entity.
        waiting: what its outbox still holds for the channel, in order; None where nothing waits.
        head: where the channel stood; None only where something waits.
    """

    document: Document
    waiting: AppendRequest | None
    head: Head | None


class Snapshots(Protocol):
    """Entities and the channels that they feed, seen together."""

    async def look(self, key: EntityKey, channel: str) -> Look:
        """Both as of one moment.

        Raises:
            CausewayError: 100, an item of a kind that is unknown here keeps back what waits, or both are written all the time.
        """
        ...


class Entities(Protocol):
    """Versioned documents that carry their outbox inside. Fields that this process does not know stay in them."""

    async def load(self, key: EntityKey) -> Document:
        """The entity; version 0 where there is none."""
        ...

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """State, version, outbox and commit id in one act, or nothing. A repeated id is answered as the first time.

        A store that can do so appends publications that nothing waits before (`domain.direct`) in the same act instead of putting
        them into the outbox, and feeds them as `Logs.append` does.

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
