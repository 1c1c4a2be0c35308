"""Every adapter of storage's ports, opened for the suites."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from causeway_storage.adapters.memory import (
    MemoryAttendances,
    MemoryAuditLog,
    MemoryDatabase,
    MemoryEntities,
    MemoryLogs,
    MemoryRecords,
    MemoryRecordsDesk,
    MemorySnapshots,
    MemoryTimers,
)
from causeway_storage.adapters.mongo import (
    MongoAttendances,
    MongoAuditLog,
    MongoDatabase,
    MongoEntities,
    MongoLogs,
    MongoOptions,
    MongoRecords,
    MongoRecordsDesk,
    MongoSnapshots,
    MongoTimers,
    open_database,
)
from causeway_storage.adapters.sqlite import (
    SqliteAttendances,
    SqliteAuditLog,
    SqliteDatabase,
    SqliteEntities,
    SqliteLogs,
    SqliteRecords,
    SqliteRecordsDesk,
    SqliteSnapshots,
    SqliteTimers,
)
from causeway_storage.ports import Appended, Attendances, AuditLog, Entities, Logs, Records, RecordsDesk, Snapshots, Timers
from support.mongo import SERVERS, server


@dataclass(slots=True)
class Clock:
    """The time of day of a store, as the test sets it."""

    now_ms: int = 0

    def __call__(self) -> int:
        return self.now_ms


@dataclass(slots=True)
class Store:
    """An open store, its clock, and the feed that it told."""

    logs: Logs
    entities: Entities
    records: Records
    attendances: Attendances
    timers: Timers
    audit: AuditLog
    snapshots: Snapshots
    desk: RecordsDesk
    clock: Clock
    fed: list[Appended] = field(default_factory=list)


Opener = Callable[[Path], AbstractAsyncContextManager[Store]]
"""Opens the store of a directory; the same one again is the same store."""


def letters() -> Callable[[], str]:
    """Makes letters of epochs."""
    numbers = count()
    return lambda: f"{next(numbers):08}"


@asynccontextmanager
async def open_sqlite(directory: Path, *, direct: bool = False) -> AsyncIterator[Store]:
    """The embedded database; `direct`: publications leave with their commit where they can, as they do where it serves."""
    database = SqliteDatabase(directory / "s.sqlite3", write_queue=10_000, write_queue_bytes=1 << 28, read_queue=10_000)
    fed: list[Appended] = []
    clock = Clock()
    await database.start()
    try:
        logs = SqliteLogs(database, letters(), fed.append, clock)
        yield Store(
            logs,
            SqliteEntities(database, logs if direct else None),
            SqliteRecords(database),
            SqliteAttendances(database),
            SqliteTimers(database),
            SqliteAuditLog(database),
            SqliteSnapshots(database, clock),
            SqliteRecordsDesk(database),
            clock,
            fed,
        )
    finally:
        await database.stop()


in_memory: dict[Path, MemoryDatabase] = {}


@asynccontextmanager
async def open_memory(directory: Path) -> AsyncIterator[Store]:
    """The store in memory."""
    database = in_memory.setdefault(directory, MemoryDatabase())
    fed: list[Appended] = []
    clock = Clock()
    yield Store(
        MemoryLogs(database, letters(), fed.append, clock),
        MemoryEntities(database),
        MemoryRecords(database),
        MemoryAttendances(database),
        MemoryTimers(database),
        MemoryAuditLog(database),
        MemorySnapshots(database, clock),
        MemoryRecordsDesk(database),
        clock,
        fed,
    )


def mongo_uri(name: str, directory: Path) -> str:
    """A database of its own for each directory."""
    digest = hashlib.blake2b(str(directory).encode(), digest_size=8).hexdigest()
    return urlunsplit(urlsplit(server(name))._replace(path=f"/cw_{digest}"))


@asynccontextmanager
async def open_mongo(directory: Path, *, name: str) -> AsyncIterator[Store]:
    """MongoDB's wire."""
    database = MongoDatabase(MongoOptions(mongo_uri(name, directory)))
    fed: list[Appended] = []
    clock = Clock()
    try:
        await open_database(database, apply=True)
        logs = MongoLogs(database, letters(), fed.append, clock, forget_slack_ms=0)
        entities = MongoEntities(database)
        yield Store(
            logs,
            entities,
            MongoRecords(database),
            MongoAttendances(database),
            MongoTimers(database),
            MongoAuditLog(database),
            MongoSnapshots(entities, logs),
            MongoRecordsDesk(database, MongoRecords(database)),
            clock,
            fed,
        )
        await logs.stop()
    finally:
        await database.stop()


OPENERS: dict[str, Opener] = {
    "sqlite": open_sqlite,
    "memory": open_memory,
    **{name: partial(open_mongo, name=name) for name in SERVERS},
}
"""Those whose commits leave everything in the outbox."""
ALL_OPENERS: dict[str, Opener] = {**OPENERS, "sqlite-direct": partial(open_sqlite, direct=True)}
