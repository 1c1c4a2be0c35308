"""The embedded database: one machine, one storage process with an exclusive lock on its file."""

from causeway_storage.adapters.sqlite.attendances import SqliteAttendances
from causeway_storage.adapters.sqlite.backup import back_up
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.desk import SqliteRecordsDesk
from causeway_storage.adapters.sqlite.entities import SqliteEntities
from causeway_storage.adapters.sqlite.inspection import inspected
from causeway_storage.adapters.sqlite.logs import SqliteLogs
from causeway_storage.adapters.sqlite.records import SqliteRecords
from causeway_storage.adapters.sqlite.restoration import raise_generation, restoring
from causeway_storage.adapters.sqlite.snapshots import SqliteSnapshots
from causeway_storage.adapters.sqlite.timers import SqliteAuditLog, SqliteTimers

__all__ = [
    "SqliteAttendances",
    "SqliteAuditLog",
    "SqliteDatabase",
    "SqliteEntities",
    "SqliteLogs",
    "SqliteRecords",
    "SqliteRecordsDesk",
    "SqliteSnapshots",
    "SqliteTimers",
    "back_up",
    "inspected",
    "raise_generation",
    "restoring",
]
