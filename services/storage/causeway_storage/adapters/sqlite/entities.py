"""`ports.Entities` on SQLite. The document is one msgpack map; version and oldest element stand beside it for the fence and the sweep."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, assert_never

from causeway_common.contracts.errors import CausewayError, overloaded
from causeway_common.contracts.messages import Document, JsonMap
from causeway_common.runtime import fault_point
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.domain.entity import (
    Busy,
    Commit,
    Conflict,
    Element,
    EntityKey,
    Repeat,
    Write,
    cleared,
    loaded,
    oldest_ms,
    outbox_of,
    plan_commit,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.ports import Committed, Conflicted, PendingEntity, PendingPage

COLLECTION: Final = "entities"


class SqliteEntities:
    """The entities."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def load(self, key: EntityKey) -> Document:
        """As the port says."""
        return await self._database.read(COLLECTION, "load", lambda connection: loaded(_document(connection, key)))

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """As the port says."""
        cost = commit.items_bytes + commit.state_bytes
        outcome: Committed | Conflicted = await self._database.write_with(_commits, (key, commit), COLLECTION, "commit", cost=cost)
        return outcome

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """As the port says."""
        return await self._database.read(COLLECTION, "outbox", lambda connection: outbox_of(_document(connection, key)))

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """As the port says."""
        await self._database.write_with(_clears, (key, ids), COLLECTION, "clear")

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """As the port says."""
        return await self._database.read(
            COLLECTION, "pending", lambda connection: _pending(connection, older_than_ms, cursor, limit)
        )


def _document(connection: sqlite3.Connection, key: EntityKey) -> JsonMap | None:
    query = "SELECT document FROM entities WHERE app = ? AND kind = ? AND id = ?"
    row = connection.execute(query, (key.app, key.kind, key.id)).fetchone()
    return None if row is None else unpack(row[0])


def _commits(
    connection: sqlite3.Connection, commits: Sequence[tuple[EntityKey, Commit]]
) -> list[Committed | Conflicted | CausewayError]:
    return [_commit(connection, key, commit) for key, commit in commits]


def _clears(connection: sqlite3.Connection, clears: Sequence[tuple[EntityKey, frozenset[str]]]) -> list[None]:
    for key, ids in clears:
        _clear(connection, key, ids)
    return [None] * len(clears)


def _commit(connection: sqlite3.Connection, key: EntityKey, commit: Commit) -> Committed | Conflicted | CausewayError:
    document = _document(connection, key)
    match plan_commit(key, document, commit):
        case Write(written, version):
            fault_point("storage.commit.before_write")
            connection.execute(
                "INSERT INTO entities (app, kind, id, version, document, oldest_ms) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET version = excluded.version, document = excluded.document, oldest_ms = excluded.oldest_ms",
                (key.app, key.kind, key.id, version, pack(written), oldest_ms(written)),
            )
            return Committed(version)
        case Repeat(version):
            return Committed(version, repeat=True, document=loaded(document))
        case Conflict():
            return Conflicted(loaded(document))
        case Busy(why):
            return overloaded(f"busy: {why}")
        case other:
            assert_never(other)


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
