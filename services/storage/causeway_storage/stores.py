"""The databases that storage runs on, opened by the settings: each with the ports on it. No logic."""

from __future__ import annotations

import secrets
import string
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from causeway_common.telemetry import Counters
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
from causeway_storage.config import StorageSettings
from causeway_storage.domain.log import EPOCH_LETTERS
from causeway_storage.ports import Appended, Attendances, AuditLog, Entities, Logs, Records, RecordsDesk, Snapshots, Timers


def new_letters() -> str:
    """The random part of a new epoch."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(EPOCH_LETTERS))


@dataclass(frozen=True, slots=True)
class Store:
    """A database and the ports on it.

    Attributes:
        name: of the kind of database.
        start: opens it.
        stop: writes what waits, closes it.
        healthy: whether it answered last.
        depth: writes that wait or are under way.
        logs: the port.
        entities: the port.
        snapshots: the port.
        records: the port.
        desk: the port.
        attendances: the port.
        timers: the port.
        audit: the port.
    """

    name: str
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    healthy: Callable[[], bool]
    depth: Callable[[], int]
    logs: Logs
    entities: Entities
    snapshots: Snapshots
    records: Records
    desk: RecordsDesk
    attendances: Attendances
    timers: Timers
    audit: AuditLog


def opened(settings: StorageSettings, on_appended: Callable[[Appended], None]) -> Store:
    """The store that the settings name."""
    return _mongo(settings, on_appended) if settings.uri.get_secret_value() else _sqlite(settings, on_appended)


def _sqlite(settings: StorageSettings, on_appended: Callable[[Appended], None]) -> Store:
    database = SqliteDatabase(
        settings.path,
        write_queue=settings.write_queue,
        write_queue_bytes=settings.write_queue_bytes,
        read_queue=settings.read_queue,
    )
    logs = SqliteLogs(database, new_letters, on_appended)
    Counters("storage").gauge(
        "database_bytes", "bytes of the database file and its write-ahead log", lambda: database.size, unit="By"
    )
    return Store(
        name="sqlite",
        start=database.start,
        stop=database.stop,
        healthy=lambda: database.healthy,
        depth=lambda: database.depth,
        logs=logs,
        entities=SqliteEntities(database, logs),
        snapshots=SqliteSnapshots(database),
        records=SqliteRecords(database),
        desk=SqliteRecordsDesk(database),
        attendances=SqliteAttendances(database),
        timers=SqliteTimers(database),
        audit=SqliteAuditLog(database),
    )


def _mongo(settings: StorageSettings, on_appended: Callable[[Appended], None]) -> Store:
    database = MongoDatabase(MongoOptions(**settings.mongo_options()))
    logs = MongoLogs(
        database, new_letters, on_appended, write_queue=settings.write_queue, write_queue_bytes=settings.write_queue_bytes
    )

    entities, records = MongoEntities(database), MongoRecords(database)

    async def stop() -> None:
        await logs.stop()
        await database.stop()

    return Store(
        name="mongodb",
        start=partial(open_database, database, apply=settings.migrate),
        stop=stop,
        healthy=lambda: database.healthy,
        depth=lambda: logs.depth + database.depth,
        logs=logs,
        entities=entities,
        snapshots=MongoSnapshots(entities, logs),
        records=records,
        desk=MongoRecordsDesk(database, records),
        attendances=MongoAttendances(database),
        timers=MongoTimers(database),
        audit=MongoAuditLog(database),
    )
