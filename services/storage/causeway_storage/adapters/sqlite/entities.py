"""`ports.Entities` on SQLite. The document is one msgpack map; version and oldest element stand beside it for the fence and the sweep."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final, assert_never

from causeway_common.contracts.errors import overloaded
from causeway_common.contracts.messages import Document, JsonMap, Trace
from causeway_common.runtime import fault_point
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.entity import (
    DELETED,
    VERSION,
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

COLLECTION: Final = "entities"


class SqliteEntities:
    """The entities."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._cursor_key = b""

    async def load(self, key: EntityKey) -> Document:
        """As the port says."""
        return await self._database.read(COLLECTION, "load", lambda connection: loaded(_document(connection, key)))

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """As the port says."""
        cost = commit.items_bytes + commit.state_bytes
        return await self._database.write(COLLECTION, "commit", lambda connection: _commit(connection, key, commit), cost=cost)

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """As the port says."""
        return await self._database.read(COLLECTION, "outbox", lambda connection: outbox_of(_document(connection, key)))

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """As the port says."""
        await self._database.write(COLLECTION, "clear", lambda connection: _clear(connection, key, ids))

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """As the port says."""
        return await self._database.read(
            COLLECTION, "pending", lambda connection: _pending(connection, older_than_ms, cursor, limit)
        )

    async def query(self, query: Query) -> list[Found]:
        """As the port says."""
        return await self._database.read(COLLECTION, "query", lambda connection: _query(connection, query))

    async def cursor_key(self) -> bytes:
        """As the port says."""
        if not self._cursor_key:
            self._cursor_key = await self._database.write("meta", "cursor_key", _cursor_key)
        return self._cursor_key

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        """As the port says."""
        return await self._database.read(COLLECTION, "trail", lambda connection: trail_of(_document(connection, key)))

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._database.write(COLLECTION, "remove", lambda connection: _remove_tombstones(connection, before_ms, limit))


def _document(connection: sqlite3.Connection, key: EntityKey) -> JsonMap | None:
    query = "SELECT document FROM entities WHERE app = ? AND kind = ? AND id = ?"
    row = connection.execute(query, (key.app, key.kind, key.id)).fetchone()
    return None if row is None else unpack(row[0])


def _commit(connection: sqlite3.Connection, key: EntityKey, commit: Commit) -> Committed | Conflicted:
    document = _document(connection, key)
    match plan_commit(key, document, commit):
        case Write(written, version):
            fault_point("storage.commit.before_write")
            write_entity(connection, key, written)
            return Committed(version)
        case Repeat(version):
            return Committed(version, repeat=True, document=loaded(document))
        case Conflict():
            return Conflicted(loaded(document))
        case Busy(why):
            raise overloaded(f"busy: {why}")
        case other:
            assert_never(other)


def write_entity(connection: sqlite3.Connection, key: EntityKey, document: JsonMap) -> None:
    """Write a document with all that stands beside it to be found by."""
    found = (document[VERSION], pack(document), oldest_ms(document), document.get(DELETED))
    ((serial,),) = connection.execute(
        "INSERT INTO entities (app, kind, id, version, document, oldest_ms, deleted_ms) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET version = excluded.version, document = excluded.document, oldest_ms = excluded.oldest_ms, "
        "deleted_ms = excluded.deleted_ms RETURNING serial",
        (key.app, key.kind, key.id, *found),
    ).fetchall()
    entries = entries_of(document, key.id)
    there = dict(connection.execute("SELECT name, entry FROM entity_indexes WHERE serial = ?", (serial,)))
    old = [(key.app, key.kind, name, entry) for name, entry in there.items() if entries.get(name) != entry]
    connection.executemany("DELETE FROM entity_indexes WHERE app = ? AND kind = ? AND name = ? AND entry = ?", old)
    new = [(key.app, key.kind, name, entry, serial) for name, entry in entries.items() if there.get(name) != entry]
    connection.executemany("INSERT INTO entity_indexes VALUES (?, ?, ?, ?, ?)", new)


def _query(connection: sqlite3.Connection, query: Query) -> list[Found]:
    comparison, direction = ("<", "DESC") if query.descending else (">", "ASC")
    clauses, values = [], [query.app, query.kind, query.order]
    if query.after:
        clauses.append(f"found.entry {comparison} ?")
        values.append(query.after)
    for each in query.where:
        ranges = " OR ".join("(entry >= ? AND entry < ?)" for _ in each.ranges) or "FALSE"
        if each.index == query.order:
            clauses.append(f"({ranges.replace('entry', 'found.entry')})")
        else:
            clauses.append(f"EXISTS (SELECT 1 FROM entity_indexes WHERE serial = found.serial AND name = ? AND ({ranges}))")  # noqa: S608
            values.append(each.index)
        values += [end for one in each.ranges for end in (one.first, one.end)]
    rows = connection.execute(
        "SELECT id, document, found.entry FROM entity_indexes AS found JOIN entities USING (serial) "  # noqa: S608 - only question marks
        f"WHERE {' AND '.join(['found.app = ?', 'found.kind = ?', 'found.name = ?', *clauses])} "
        f"ORDER BY found.entry {direction} LIMIT ?",
        (*values, query.limit),
    )
    return [Found(name, loaded(unpack(document)), entry) for name, document, entry in rows]


def _cursor_key(connection: sqlite3.Connection) -> bytes:
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('cursor_key', ?)", (secrets.token_bytes(32),))
    key: bytes = connection.execute("SELECT value FROM meta WHERE key = 'cursor_key'").fetchone()[0]
    return key


def _remove_tombstones(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    return connection.execute(
        "DELETE FROM entities WHERE serial IN (SELECT serial FROM entities WHERE deleted_ms < ? AND oldest_ms IS NULL LIMIT ?)",
        (before_ms, limit),
    ).rowcount


def _clear(connection: sqlite3.Connection, key: EntityKey, ids: frozenset[str]) -> None:
    document = _document(connection, key)
    if document is None:
        return
    rest = cleared(document, ids)
    connection.execute(
        "UPDATE entities SET document = ?, oldest_ms = ? WHERE app = ? AND kind = ? AND id = ?",
        (pack(rest), oldest_ms(rest), key.app, key.kind, key.id),
    )


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
