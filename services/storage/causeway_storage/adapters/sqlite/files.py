"""The database's files: the exclusive lock, connections with their pragmas, the schema, the generation."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from causeway_common.runtime import StartError

SCHEMA: Final = 8
CHECKPOINT_PAGES: Final = 4096
"""The write-ahead log is brought into the main file when it has so many, 16 MiB: a page that is written often is then copied once."""
CLEARED_LONG_AGO_MS: Final = 1

_VERSIONS: Final = "CREATE TABLE versions (number INTEGER PRIMARY KEY, version INTEGER NOT NULL, epoch TEXT NOT NULL);"
_ATTENDANCES: Final = """
CREATE TABLE attendances (key TEXT PRIMARY KEY, document BLOB NOT NULL, oldest_ms INTEGER, idle_ms INTEGER) WITHOUT ROWID;
CREATE INDEX attendances_pending ON attendances (oldest_ms, key) WHERE oldest_ms IS NOT NULL;
CREATE INDEX attendances_idle ON attendances (idle_ms) WHERE idle_ms IS NOT NULL;
CREATE TABLE holds (holder TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (holder, key)) WITHOUT ROWID;
CREATE TABLE holders (holder TEXT PRIMARY KEY, leave_at_ms INTEGER, cleared_ms INTEGER) WITHOUT ROWID;
"""
_COMMITS: Final = """
CREATE TABLE commits (
    app TEXT NOT NULL, kind TEXT NOT NULL, entity TEXT NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    PRIMARY KEY (app, kind, entity, id)) WITHOUT ROWID;
CREATE INDEX commits_by_age ON commits (time_ms);
"""
_QUERIES: Final = """
ALTER TABLE entities ADD COLUMN deleted_ms INTEGER;
CREATE INDEX entities_deleted ON entities (deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE TABLE entity_indexes (
    app TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, entry TEXT NOT NULL, serial INTEGER NOT NULL,
    PRIMARY KEY (app, kind, name, entry)) WITHOUT ROWID;
CREATE INDEX entity_indexes_of ON entity_indexes (serial, name);
CREATE TABLE timers (
    key TEXT PRIMARY KEY, version INTEGER NOT NULL, set_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX timers_due ON timers (at_ms, key) WHERE at_ms > 0;
CREATE INDEX timers_over ON timers (set_ms) WHERE at_ms = 0;
CREATE TABLE operations (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
"""
_ID_ENTRIES: Final = (
    "INSERT INTO entity_indexes SELECT app, kind, 'id', '3' || lower(hex(id)) || '!' || lower(hex(id)), serial FROM entities;"
)
"""As `domain.query.index_entries` makes them; entities of before have no other indexes."""
_QUIET: Final = (
    "ALTER TABLE heads ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX heads_quiet ON heads (at_ms) WHERE expires_ms IS NULL;"
)
"""When each log was last appended to."""
_ATTEMPTS: Final = "ALTER TABLE records ADD COLUMN log BLOB NOT NULL DEFAULT x'';"
"""What became of each attempt of a record."""
_LINES: Final = """
ALTER TABLE records ADD COLUMN line TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN behind TEXT NOT NULL DEFAULT '';
CREATE INDEX records_lines ON records (line, turn, id) WHERE line != '' AND state = 'pending';
CREATE INDEX records_behind ON records (behind, turn) WHERE behind != '' AND state = 'pending';
CREATE INDEX records_running ON records (line) WHERE line != '' AND state = 'pending' AND attempts > settled;
CREATE INDEX records_by_time ON records (app, connector, op, created_ms);
INSERT INTO meta VALUES ('turn', 0);
"""
"""Which records wait for which; and each operation's in the order in which they were made."""
_QUIET_FROM_NOW: Final = "UPDATE heads SET at_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;"
_UPGRADES: Final = {
    1: "BEGIN;" + _VERSIONS + "UPDATE meta SET value = 2 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    2: "BEGIN;" + _ATTENDANCES + "UPDATE meta SET value = 3 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    3: "BEGIN;" + _COMMITS + "UPDATE meta SET value = 4 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    4: "BEGIN;" + _QUERIES + _ID_ENTRIES + "UPDATE meta SET value = 5 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    5: "BEGIN;" + _QUIET + _QUIET_FROM_NOW + "UPDATE meta SET value = 6 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    6: "BEGIN;" + _ATTEMPTS + "UPDATE meta SET value = 7 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
    7: "BEGIN;" + _LINES + "UPDATE meta SET value = 8 WHERE key = 'schema';COMMIT;",  # noqa: S608 - constants
}
"""From each older schema to the next one, in one transaction."""

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 8), ('generation', 1);

CREATE TABLE heads (
    number INTEGER PRIMARY KEY, channel TEXT NOT NULL UNIQUE, letters TEXT NOT NULL, head INTEGER NOT NULL, floor INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL, expires_ms INTEGER);
CREATE INDEX heads_expiring ON heads (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE publications (
    number INTEGER NOT NULL, position INTEGER NOT NULL, time_ms INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (number, position));
CREATE TABLE ids (
    number INTEGER NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY (number, id)
) WITHOUT ROWID;
CREATE INDEX ids_by_age ON ids (time_ms);

CREATE TABLE entities (
    serial INTEGER PRIMARY KEY, app TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    document BLOB NOT NULL, oldest_ms INTEGER, UNIQUE (app, kind, id));
CREATE INDEX entities_pending ON entities (oldest_ms, serial) WHERE oldest_ms IS NOT NULL;

CREATE TABLE records (
    id TEXT PRIMARY KEY, app TEXT NOT NULL, connector TEXT NOT NULL, op TEXT NOT NULL, payload BLOB NOT NULL,
    traceparent TEXT NOT NULL, created_ms INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, settled INTEGER NOT NULL,
    free_at_ms INTEGER NOT NULL, next_at_ms INTEGER NOT NULL, note TEXT NOT NULL, ended_ms INTEGER NOT NULL, node TEXT NOT NULL);
CREATE INDEX records_waiting ON records (next_at_ms) WHERE state = 'pending';
CREATE INDEX records_done ON records (ended_ms) WHERE state = 'done';
"""


class FileLock:
    """An exclusive lock beside the database, held until `release` or the process's end."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it, making the directory where it is missing.

        Raises:
            StartError: another process has it, or the directory cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"{self._path} cannot be made ({error.strerror}); storage.path names the database") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StartError(
                f"another storage process uses the database {self._database}; stop it, or name another storage.path"
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes, its transactions its user's own.

    What was written before is brought into the main file and synced first: after a commit that failed half way, nothing may be served
    that stands only in the system's cache.

    Raises:
        StartError: the file is not ours, or of a newer version.
        sqlite3.Error: the disk's own troubles.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
    try:
        _require_wal(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk there
        connection.execute("PRAGMA cache_size = -32768")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        _ensure_schema(connection, path)
        _checkpoint(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads. It sees a commit once that is synced."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -32768")
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, beside whoever serves the database.

    Raises:
        StartError: there is none, it is none of ours, or of another version.
        sqlite3.Error: the disk's own troubles.
    """
    if not path.is_file():
        raise StartError(f"there is no database {path}")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    try:
        _require_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def generation_of(connection: sqlite3.Connection) -> int:
    """The database's generation, a part of every epoch."""
    return int(connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0])


def set_generation(connection: sqlite3.Connection, generation: int) -> None:
    """Every epoch is another one from now on, and no gateway holds anything: what they have told since is not here, so they begin anew."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (generation,))
    connection.execute("UPDATE holders SET cleared_ms = ? WHERE cleared_ms IS NULL", (CLEARED_LONG_AGO_MS,))


def synced_in_place(made: Path, path: Path) -> None:
    """Give a closed database file its name, durably: all of it is there under this name, or nothing."""
    _sync(made)
    made.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the database's lock; raises StartError where somebody else does."""
    lock = FileLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def faults_told(path: Path) -> Iterator[None]:
    """SQLite's faults become StartError, naming the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StartError(f"{path} cannot be used: {error}") from error


def _require_wal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StartError(f"{path} cannot have a write-ahead log (journal mode {mode}); it must lie on a local disk")


def _checkpoint(connection: sqlite3.Connection) -> None:
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the checkpoint was kept waiting by a reader")


def _ensure_schema(connection: sqlite3.Connection, path: Path) -> None:
    if not _tables(connection):
        connection.executescript(f"BEGIN;{_TABLES}{_VERSIONS}{_ATTENDANCES}{_COMMITS}{_QUERIES}{_QUIET}{_ATTEMPTS}{_LINES}COMMIT;")
        return
    for schema in range(_schema(connection, path), SCHEMA):
        connection.executescript(_UPGRADES[schema])


def _require_schema(connection: sqlite3.Connection, path: Path) -> None:
    if (found := _schema(connection, path)) < SCHEMA:
        raise StartError(
            f"{path} was written by an older Causeway (schema {found}, this one is {SCHEMA}): start storage once with it"
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _schema(connection: sqlite3.Connection, path: Path) -> int:
    meta = "meta" in _tables(connection)
    found = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() if meta else None
    if found is None:
        raise StartError(f"{path} is no database of Causeway")
    if found[0] > SCHEMA:
        raise StartError(f"{path} was written by a newer Causeway (schema {found[0]}, this one knows {SCHEMA})")
    return int(found[0])
