"""`ports.Entities` on SQLite. The document is one msgpack map; version and oldest element stand beside it for the fence and the sweep."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from causeway_common.contracts.messages import Document, Trace
from causeway_common.telemetry import names
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.documents import Changed, Documents, read_document
from causeway_storage.adapters.sqlite.logs import SqliteLogs
from causeway_storage.adapters.sqlite.queries import found_by, made_cursor_key, removed_tombstones
from causeway_storage.domain.entity import Commit, Element, EntityKey, loaded, outbox_of, trail_of
from causeway_storage.domain.query import Query
from causeway_storage.ports import Committed, Conflicted, Found, PendingEntity, PendingPage

COLLECTION: Final = "entities"
OUTBOXES_MAX: Final = 4096
OUTBOX_KEPT_MAX_ITEMS: Final = 16


class SqliteEntities:
    """The entities.

    The outboxes of those written lately are known without reading: a relay asks for them right after the commit, and again after it has
    cleared them. They are kept once durable, in the order of the writes, so that they are what a read would find, or a later one.

    Args:
        database: where they are.
        logs: of the same database: what a commit publishes is appended in its own transaction, where nothing waits before it. None: all
            of it goes through the outbox, as on a store that cannot do both in one act.
    """

    def __init__(self, database: SqliteDatabase, logs: SqliteLogs | None = None) -> None:
        self._database, self._logs = database, logs
        self._cursor_key = b""
        self._documents = Documents(None if logs is None else logs.appended_by)
        self._change = self._documents.work
        self._outboxes: dict[EntityKey, tuple[Element, ...]] = {}
        database.on_undone(self._documents.clear)
        database.on_failed(self._outboxes.clear)

    async def load(self, key: EntityKey) -> Document:
        """As the port says."""
        return await self._database.read(COLLECTION, "load", lambda connection: loaded(read_document(connection, key)), small=True)

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """As the port says."""
        cost = commit.items_bytes + commit.state_bytes
        changed = await self._database.write_kind(
            COLLECTION, "commit", self._change, (key, commit), cost=cost, then=self._changed, describe=_appends
        )
        assert changed.answer is not None  # noqa: S101 - a commit's outcome has one
        return changed.answer

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """As the port says."""
        known = self._outboxes.get(key)
        if known is not None:
            return known
        return await self._database.read(
            COLLECTION, "outbox", lambda connection: outbox_of(read_document(connection, key)), small=True
        )

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """As the port says."""
        await self._database.write_kind(COLLECTION, "clear", self._change, (key, ids), then=self._changed)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """As the port says."""
        return await self._database.read(
            COLLECTION, "pending", lambda connection: _pending(connection, older_than_ms, cursor, limit)
        )

    def _changed(self, changed: Changed) -> None:
        """On the event loop, in the order of the writes, each durable."""
        for each in changed.appended:
            if self._logs is not None:
                self._logs.told(each)
        if changed.outbox is None:
            return
        self._outboxes.pop(changed.key, None)
        if sum(len(element.items) for element in changed.outbox) <= OUTBOX_KEPT_MAX_ITEMS:
            self._outboxes[changed.key] = changed.outbox
            if len(self._outboxes) > OUTBOXES_MAX:
                del self._outboxes[next(iter(self._outboxes))]

    async def query(self, query: Query) -> list[Found]:
        """As the port says."""
        return await self._database.read(COLLECTION, "query", lambda connection: found_by(connection, query))

    async def cursor_key(self) -> bytes:
        """As the port says."""
        if not self._cursor_key:
            self._cursor_key = await self._database.write("meta", "cursor_key", made_cursor_key)
        return self._cursor_key

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        """As the port says."""
        return await self._database.read(COLLECTION, "trail", lambda connection: trail_of(read_document(connection, key)))

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> int:
            gone = removed_tombstones(connection, before_ms, limit)
            self._documents.forget(gone)
            return len(gone)

        return await self._database.write(COLLECTION, "remove", work)


def _appends(changed: Changed) -> Mapping[str, int]:
    """The publications that were appended in the commit's own transaction."""
    count = sum(len(each.publications) for each in changed.appended)
    return {names.COMMIT_APPENDS: count} if count else {}


def _pending(connection: sqlite3.Connection, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
    # An entity's oldest element only gets younger, so whoever moves during the walk moves ahead of it and is met again.
    after_ms, after_serial = (int(part) for part in cursor.split(":")) if cursor else (-1, -1)
    rows = connection.execute(
        "SELECT app, kind, id, oldest_ms, serial FROM entities "
        "WHERE oldest_ms IS NOT NULL AND oldest_ms <= ? AND (oldest_ms, serial) > (?, ?) ORDER BY oldest_ms, serial LIMIT ?",
        (older_than_ms, after_ms, after_serial, limit),
    ).fetchall()
    found = tuple(PendingEntity(EntityKey(*row[:3]), row[3]) for row in rows)
    return PendingPage(found, f"{rows[-1][3]}:{rows[-1][4]}" if len(rows) == limit else "")
