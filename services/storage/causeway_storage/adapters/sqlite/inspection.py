"""`ports.Inspection` on SQLite: one read transaction on a connection that cannot write, beside the process that serves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from causeway_storage.adapters.sqlite.commits import whole
from causeway_storage.adapters.sqlite.files import faults_told, generation_of, read_only
from causeway_storage.adapters.sqlite.timers import read_operation, read_timer
from causeway_storage.domain.entity import DELETED, entries_of
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.stored import (
    AnyEntry,
    Attendance,
    Entity,
    Entry,
    Facts,
    Holder,
    Log,
    Operation,
    Publication,
    Record,
    SeenId,
    Timer,
    Unreadable,
    tag_of,
)

PAGE: Final = 1000
Found = AnyEntry | Unreadable
Row = tuple[Any, ...]

_TABLES: Final[dict[type[Entry], str]] = {
    Log: "heads",
    Publication: "publications",
    SeenId: "ids",
    Entity: "entities",
    Record: "records",
    Attendance: "attendances",
    Holder: "holders",
    Timer: "timers",
    Operation: "operations",
}
"""The table whose rows are the entries of a kind."""
READ_TABLES: Final = frozenset({*_TABLES.values(), "meta", "versions", "holds", "commits", "entity_indexes"})
"""All the tables there are; a test compares them with the schema, so that a new one is not forgotten here."""

_LOGS: Final = (
    "SELECT number, channel, letters, head, floor, ttl_ms, expires_ms, coalesce(version, 0), coalesce(epoch, '') "
    "FROM heads LEFT JOIN versions USING (number) ORDER BY channel"
)
_HELD: Final = (
    "SELECT position AS at, 0 AS kind, id, position, time_ms FROM ids WHERE number = ? "
    "UNION ALL SELECT position, 1, position, time_ms, body FROM publications WHERE number = ? ORDER BY at, kind, id"
)
_ENTITIES: Final = "SELECT app, kind, id, version, document, oldest_ms, serial, deleted_ms FROM entities ORDER BY app, kind, id"
_STRAY_COMMITS: Final = (
    "SELECT DISTINCT app, kind, entity FROM commits "
    "WHERE NOT EXISTS (SELECT 1 FROM entities WHERE entities.app = commits.app AND entities.kind = commits.kind AND entities.id = entity)"
)
_STRAY_INDEXES: Final = "SELECT DISTINCT serial FROM entity_indexes WHERE serial NOT IN (SELECT serial FROM entities)"
_ATTENDANCES: Final = (
    "SELECT key, document, oldest_ms, idle_ms, "
    "(SELECT json_group_array(holder) FROM holds WHERE holds.key = attendances.key) FROM attendances ORDER BY key"
)
_HOLDERS: Final = "SELECT holder, leave_at_ms, cleared_ms FROM holders ORDER BY holder"
_STRAY_HOLDS: Final = "SELECT holder, key FROM holds WHERE key NOT IN (SELECT key FROM attendances)"
_FIELDS: Final = {kind: tuple(field.name for field in msgspec.structs.fields(kind)) for kind in _TABLES}
_RECORDS: Final = f"SELECT {', '.join(_FIELDS[Record])} FROM records ORDER BY id"  # noqa: S608 - names of our own


@asynccontextmanager
async def inspected(path: Path) -> AsyncIterator[SqliteInspection]:
    """Look at a database for the block.

    Raises:
        StartError: there is none, it is none of ours, or of another version.
    """
    with faults_told(path), closing(read_only(path)) as connection:
        connection.execute("BEGIN")
        yield SqliteInspection(connection)


class SqliteInspection:
    """Everything that is stored, as of one moment.

    Args:
        connection: within a read transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def facts(self) -> Facts:
        """As the port says."""
        counts = {tag_of(kind): self._count(table) for kind, table in _TABLES.items()}
        return Facts("sqlite", self._generation() or 0, counts)

    async def pages(self) -> AsyncIterator[list[Found]]:
        """As the port says; first what SQLite itself finds damaged."""
        entries = self._entries()
        while page := list(islice(entries, PAGE)):
            yield page
            await asyncio.sleep(0)  # lets Ctrl-C in

    def _count(self, table: str) -> int:
        with suppress(sqlite3.DatabaseError):  # damage is found when the entries are read
            return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - names of our own
        return 0

    def _generation(self) -> int | None:
        """None where there is none that can be."""
        with suppress(sqlite3.DatabaseError, TypeError):
            found = generation_of(self._connection)
            return found if found > 0 else None
        return None

    def _entries(self) -> Iterator[Found]:
        if self._generation() is None:
            yield Unreadable("database.generation", "database", "its generation is missing")
        try:
            for (found,) in self._connection.execute("PRAGMA integrity_check"):
                if found != "ok":
                    yield Unreadable("database.damaged", "database", f"SQLite says: {found}")
            yield from self._logs()
            yield from self._entities()
            for key in self._connection.execute(_STRAY_COMMITS):
                yield Unreadable(
                    "commit.stray", f"entity {'/'.join(map(str, key))}", "there are commit ids of it, but it is not there"
                )
            yield from map(_record, self._connection.execute(_RECORDS))
            yield from map(_attendance, self._connection.execute(_ATTENDANCES))
            for holder, key in self._connection.execute(_STRAY_HOLDS):
                yield Unreadable("attendance.stray", f"attendance {key}", f"{holder} holds it, but it is not there")
            yield from (_made(Holder, "holder", row) for row in self._connection.execute(_HOLDERS))
            timers = self._connection.execute("SELECT key, body, at_ms FROM timers ORDER BY key")
            yield from (_decoded("timer", key, partial(read_timer, body, at_ms)) for key, body, at_ms in timers)
            operations = self._connection.execute("SELECT id, body FROM operations ORDER BY id")
            yield from (_decoded("operation", name, partial(read_operation, body)) for name, body in operations)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # a text that is none has no code
            if code & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            yield Unreadable("database.damaged", "database", f"SQLite cannot read on: {error}")

    def _entity(self, row: Row) -> Found:
        *key, version, document, oldest = row
        where = "/".join(map(str, key))
        try:
            return _made(
                Entity, "entity", (*key, version, whole(self._connection, (key[0], key[1], key[2]), _map(document)), oldest)
            )
        except (TypeError, ValueError) as error:
            return Unreadable("entity.document", f"entity {where}", f"its document cannot be read: {error}")

    def _entities(self) -> Iterator[Found]:
        for *row, serial, deleted in self._connection.execute(_ENTITIES):
            found = self._entity(tuple(row))
            yield found
            if isinstance(found, Entity):
                yield from self._misplaced(found, serial, deleted)
        for (serial,) in self._connection.execute(_STRAY_INDEXES):
            yield Unreadable("entity.misplaced", f"entity number {serial}", "there are index entries of it, but it is not there")

    def _misplaced(self, entity: Entity, serial: int, deleted: int | None) -> Iterator[Found]:
        """What queries and the removal of tombstones find it by, where that is not what its document says."""
        beside = dict(self._connection.execute("SELECT name, entry FROM entity_indexes WHERE serial = ?", (serial,)).fetchall())
        if (beside, deleted) != (entries_of(entity.document, entity.id), entity.document.get(DELETED)):
            where = f"entity {entity.app}/{entity.kind}/{entity.id}"
            yield Unreadable(
                "entity.misplaced", where, "it is not found by what its document says: index entries, or when it was deleted"
            )

    def _logs(self) -> Iterator[Found]:
        for number, channel, *head in self._connection.execute(_LOGS):
            yield _made(Log, "log", (channel, *head))
            for _, kind, *row in self._connection.execute(_HELD, (number, number)):
                yield _made(SeenId if kind == 0 else Publication, "log", (channel, *row))
        for table in ("publications", "ids", "versions"):
            query = f"SELECT DISTINCT number FROM {table} WHERE number NOT IN (SELECT number FROM heads)"  # noqa: S608 - as above
            for (number,) in self._connection.execute(query):
                yield Unreadable("log.stray", f"log number {number}", f"there are rows of it in {table}, but no head")


def _decoded(what: str, name: str, read: Callable[[], Timer | Operation]) -> Found:
    """What stands as a whole in one column."""
    try:
        return read()
    except (msgspec.MsgspecError, TypeError) as error:
        return Unreadable(f"{what}.row", f"{what} {name!r:.80}", f"a row cannot be read: {error}")


def _made(kind: type[AnyEntry], what: str, values: Row) -> Found:
    """The entry of a row, its types checked: SQLite's columns take any."""
    try:
        return msgspec.convert(dict(zip(_FIELDS[kind], values, strict=True)), kind)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        return Unreadable(f"{tag_of(kind)}.row", f"{what} {values[0]!r:.80}", f"a row cannot be read: {error}")


def _record(row: Row) -> Found:
    index = _FIELDS[Record].index("payload")
    try:
        return _made(Record, "record", (*row[:index], _map(row[index]), *row[index + 1 :]))
    except ValueError as error:
        return Unreadable("record.payload", f"record {row[0]}", f"its payload cannot be read: {error}")


def _attendance(row: Row) -> Found:
    key, document, oldest, idle, holders = row
    try:
        return _made(Attendance, "attendance", (key, _map(document), oldest, idle, msgspec.json.decode(holders)))
    except ValueError as error:
        return Unreadable("attendance.document", f"attendance {key}", f"its document cannot be read: {error}")


def _map(packed: Any) -> Any:
    """Raises ValueError where it is none."""
    try:
        value = unpack(packed)
    except Exception as error:  # msgpack's own errors have no common base below this one
        raise ValueError(str(error) or type(error).__name__) from error
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}")  # noqa: TRY004 - one error for all that is wrong with it
    return value
