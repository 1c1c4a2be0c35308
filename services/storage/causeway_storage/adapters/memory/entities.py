"""`ports.Entities` in memory. What callers give and get is packed and unpacked on its way, so that none shares a map with the store.

The rest of a document is never changed in place (`domain.entity` makes a new one), and so need not be copied: the ids of 512 commits would
be most of the work of a test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from causeway_common.contracts.errors import overloaded
from causeway_common.contracts.messages import Document, JsonMap, Trace
from causeway_storage.adapters.memory.database import MemoryDatabase
from causeway_storage.domain.entity import (
    DELETED,
    OUTBOX,
    Busy,
    Commit,
    Conflict,
    Element,
    EntityKey,
    Repeat,
    Write,
    cleared,
    entries_of,
    loaded,
    oldest_ms,
    outbox_of,
    plan_commit,
    trail_of,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.domain.query import Query
from causeway_storage.ports import Committed, Conflicted, Found, PendingEntity, PendingPage


class MemoryEntities:
    """The entities."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def load(self, key: EntityKey) -> Document:
        """As the port says."""
        return _given(self._document(key))

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """As the port says."""
        document = self._document(key)
        own = replace(commit, state=_copy(commit.state), items=tuple(map(_copy, commit.items)))
        match plan_commit(key, document, own):
            case Write(written, version):
                self._database.entities[key] = written
                return Committed(version)
            case Repeat(version):
                return Committed(version, repeat=True, document=_given(document))
            case Conflict():
                return Conflicted(_given(document))
            case Busy(why):
                raise overloaded(f"busy: {why}")
            case other:
                assert_never(other)

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """As the port says."""
        return tuple(replace(each, items=tuple(map(_copy, each.items))) for each in outbox_of(self._document(key)))

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """As the port says."""
        if document := self._database.entities.get(key):
            self._database.entities[key] = cleared(document, ids)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """As the port says."""
        waiting = sorted(
            (oldest, position, key)
            for position, (key, document) in enumerate(self._database.entities.items())
            if (oldest := oldest_ms(document)) is not None and oldest <= older_than_ms
        )
        after = tuple(int(part) for part in cursor.split(":")) if cursor else (-1, -1)
        page = [each for each in waiting if each[:2] > after][:limit]
        found = tuple(PendingEntity(key, oldest) for oldest, _, key in page)
        return PendingPage(found, f"{page[-1][0]}:{page[-1][1]}" if len(page) == limit else "")

    async def query(self, query: Query) -> list[Found]:
        """As the port says."""
        found = []
        for key, document in self._database.entities.items():
            if (key.app, key.kind) != (query.app, query.kind):
                continue
            entries = entries_of(document, key.id)
            meets = all(any(one.holds(entries.get(each.index, "")) for one in each.ranges) for each in query.where)
            entry = entries.get(query.order)
            behind = not query.after or (entry is not None and (entry < query.after if query.descending else entry > query.after))
            if entry is not None and meets and behind:
                found.append(Found(key.id, _given(document), entry))
        return sorted(found, key=lambda each: each.entry, reverse=query.descending)[: query.limit]

    async def cursor_key(self) -> bytes:
        """As the port says."""
        return self._database.cursor_key

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        """As the port says."""
        return trail_of(self._document(key))

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        old = [key for key, each in self._database.entities.items() if DELETED in each and each[DELETED] < before_ms]
        gone = [key for key in old[:limit] if not self._database.entities[key][OUTBOX]]
        for key in gone:
            del self._database.entities[key]
        return len(gone)

    def _document(self, key: EntityKey) -> JsonMap | None:
        return self._database.entities.get(key)


def _copy(value: JsonMap) -> JsonMap:
    return unpack(pack(value))


def _given(document: JsonMap | None) -> Document:
    """The document as an app sees it, its state its own."""
    found = loaded(document)
    return Document(version=found.version, state=_copy(found.state)) if found.state else found
