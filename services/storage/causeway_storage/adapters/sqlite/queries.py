"""What entities are found by beside their key: index entries, tombstones. The entries stand in a table of their own."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable

from causeway_common.contracts.messages import JsonMap
from causeway_storage.domain.entity import EntityKey, entries_of, loaded, same_entries
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.query import Query
from causeway_storage.ports import Found


def write_entries(connection: sqlite3.Connection, changes: Iterable[tuple[EntityKey, JsonMap | None, JsonMap]]) -> None:
    """Put the index entries of entities that are written right.

    Args:
        connection: the writer's.
        changes: per entity, its document before (None: there was none) and now.
    """
    old: list[tuple[str, ...]] = []
    new: list[tuple[str, ...]] = []
    for key, before, now in changes:
        if before is not None and same_entries(before, now):
            continue
        had, has = {} if before is None else entries_of(before, key.id), entries_of(now, key.id)
        if had == has:
            continue
        old += [(key.app, key.kind, name, entry) for name, entry in had.items() if has.get(name) != entry]
        new += [
            (key.app, key.kind, name, entry, key.app, key.kind, key.id) for name, entry in has.items() if had.get(name) != entry
        ]
    if old:
        connection.executemany("DELETE FROM entity_indexes WHERE app = ? AND kind = ? AND name = ? AND entry = ?", old)
    if new:
        connection.executemany(
            "INSERT INTO entity_indexes SELECT ?, ?, ?, ?, serial FROM entities WHERE app = ? AND kind = ? AND id = ?", new
        )


def found_by(connection: sqlite3.Connection, query: Query) -> list[Found]:
    """The entities of a query."""
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
            clauses.append(f"EXISTS (SELECT 1 FROM entity_indexes WHERE serial = found.serial AND name = ? AND ({ranges}))")  # noqa: S608 - comparisons with question marks
            values.append(each.index)
        values += [end for one in each.ranges for end in (one.first, one.end)]
    rows = connection.execute(
        "SELECT id, document, found.entry FROM entity_indexes AS found JOIN entities USING (serial) "  # noqa: S608 - only question marks
        f"WHERE {' AND '.join(['found.app = ?', 'found.kind = ?', 'found.name = ?', *clauses])} "
        f"ORDER BY found.entry {direction} LIMIT ?",
        (*values, query.limit),
    )
    return [Found(name, loaded(unpack(document)), entry) for name, document, entry in rows]


def made_cursor_key(connection: sqlite3.Connection) -> bytes:
    """The key of cursors, made where there is none yet."""
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('cursor_key', ?)", (secrets.token_bytes(32),))
    key: bytes = connection.execute("SELECT value FROM meta WHERE key = 'cursor_key'").fetchone()[0]
    return key


def removed_tombstones(connection: sqlite3.Connection, before_ms: int, limit: int) -> list[EntityKey]:
    """Remove old tombstones, and what is remembered of their commits; which."""
    rows = connection.execute(
        "DELETE FROM entities WHERE serial IN (SELECT serial FROM entities WHERE deleted_ms < ? AND oldest_ms IS NULL LIMIT ?) "
        "RETURNING app, kind, id",
        (before_ms, limit),
    ).fetchall()
    connection.executemany("DELETE FROM commits WHERE app = ? AND kind = ? AND entity = ?", rows)
    return [EntityKey(*row) for row in rows]
