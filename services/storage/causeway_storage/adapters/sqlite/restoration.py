"""`ports.Restoration` on SQLite: a file beside the database is filled and takes its place at the end, or nothing has happened."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final, assert_never

from causeway_common.runtime import StartError, now_ms
from causeway_storage.adapters.sqlite.files import faults_told, generation_of, locked, open_writer, set_generation, synced_in_place
from causeway_storage.adapters.sqlite.queries import write_entries
from causeway_storage.adapters.sqlite.timers import KEEP_OPERATION, operation_row, timer_row
from causeway_storage.domain.entity import DELETED, EntityKey, oldest_ms
from causeway_storage.domain.log import next_generation
from causeway_storage.domain.packing import pack
from causeway_storage.domain.stored import AnyEntry, Attendance, Entity, Holder, Log, Operation, Publication, Record, SeenId, Timer

SUFFIX: Final = ".importing"


def raise_generation(path: Path, now_ms: int, record: Operation | None = None) -> int:
    """Give every log of a restored database a new epoch, and leave an audit record of it; the new generation.

    Raises:
        StartError: there is no such database, it is in use, or it is none of ours.
    """
    if not path.is_file():
        raise StartError(f"there is no database {path}")
    with locked(path), faults_told(path), closing(open_writer(path)) as connection:
        generation = next_generation(generation_of(connection), now_ms)
        connection.execute("BEGIN IMMEDIATE")
        set_generation(connection, generation)
        if record is not None:
            connection.execute(KEEP_OPERATION, operation_row(record))
        connection.execute("COMMIT")
        return generation


@asynccontextmanager
async def restoring(path: Path) -> AsyncIterator[SqliteRestoration]:
    """Fill the database of this name, under its lock, for the block. A block that does not finish leaves nothing behind.

    Raises:
        StartError: it is in use, or cannot be written.
    """
    filled = path.with_name(path.name + SUFFIX)
    with locked(path), faults_told(path):
        _remove(filled)  # of an import that was killed
        try:
            with closing(open_writer(filled)) as connection:
                yield SqliteRestoration(path, filled, connection)
        finally:
            _remove(filled)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class SqliteRestoration:
    """An empty database that is filled.

    Args:
        path: what it will be.
        filled: what it is until then.
        connection: the writer of `filled`.
    """

    def __init__(self, path: Path, filled: Path, connection: sqlite3.Connection) -> None:
        self._path, self._filled, self._connection = path, filled, connection
        self._number = 0

    async def begin(self) -> int:
        """As the port says."""
        if not self._path.exists():
            return 0
        with closing(open_writer(self._path)) as there:
            tables = [name for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta'")]
            for table in tables:
                if there.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608 - names of the schema
                    raise StartError(f"{self._path} is not empty ({table} has rows): move it away, or name another place")
            return generation_of(there)

    async def add(self, entries: Sequence[AnyEntry]) -> None:
        """As the port says."""
        self._connection.execute("BEGIN")
        for entry in entries:
            self._add(entry)
        self._connection.execute("COMMIT")

    async def finish(self, generation: int) -> None:
        """As the port says."""
        set_generation(self._connection, generation)
        self._connection.close()  # brings the write-ahead log into the file, and removes it
        synced_in_place(self._filled, self._path)

    def _add(self, entry: AnyEntry) -> None:
        match entry:
            case Log():
                self._number += 1
                self._insert("heads", self._number, entry.channel, *_head_of(entry), now_ms())
                if entry.version:
                    self._insert("versions", self._number, entry.version, entry.version_epoch)
            case Publication():
                self._insert("publications", self._number, entry.offset, entry.time_ms, entry.body)
            case SeenId():
                self._insert("ids", self._number, entry.id, entry.offset, entry.time_ms)
            case Entity():
                document = pack(entry.document)
                beside = oldest_ms(entry.document), entry.document.get(DELETED)
                self._insert("entities", None, entry.app, entry.kind, entry.id, entry.version, document, *beside)
                write_entries(self._connection, [(EntityKey(entry.app, entry.kind, entry.id), None, entry.document)])
            case other:
                self._add_beside(other)

    def _add_beside(self, entry: Record | Attendance | Holder | Timer | Operation) -> None:
        match entry:
            case Record():
                self._insert("records", *_record_of(entry))
                if entry.turn:
                    self._connection.execute("UPDATE meta SET value = max(value, ?) WHERE key = 'turn'", (entry.turn,))
            case Attendance():
                self._insert("attendances", entry.key, pack(entry.document), entry.oldest_ms, entry.idle_ms)
                for holder in entry.holders:
                    self._insert("holds", holder, entry.key)
            case Holder():
                self._insert("holders", entry.name, entry.leave_at_ms, entry.cleared_ms)
            case Timer():
                self._insert("timers", *timer_row(entry))
            case Operation():
                self._insert("operations", *operation_row(entry))
            case other:
                assert_never(other)

    def _insert(self, table: str, *values: str | int | bytes | None) -> None:
        marks = ",".join("?" * len(values))
        self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - names of our own and question marks


def _head_of(log: Log) -> tuple[str | int | None, ...]:
    return log.letters, log.head, log.floor, log.ttl_ms, log.expires_ms


def _record_of(record: Record) -> tuple[str | int | bytes | None, ...]:
    return (
        record.id,
        record.app,
        record.connector,
        record.op,
        pack(record.payload),
        record.traceparent,
        record.created_ms,
        record.state,
        record.attempts,
        record.settled,
        record.free_at_ms,
        record.next_at_ms,
        record.note,
        record.ended_ms,
        record.node,
        record.log,
        record.line,
        record.turn,
        record.behind,
    )
