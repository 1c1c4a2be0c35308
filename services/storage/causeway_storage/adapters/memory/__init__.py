"""A store in memory, for tests of other parts and for `AppTester`: the same rules, nothing durable."""

from causeway_storage.adapters.memory.attendances import MemoryAttendances
from causeway_storage.adapters.memory.database import MemoryDatabase
from causeway_storage.adapters.memory.desk import MemoryRecordsDesk
from causeway_storage.adapters.memory.entities import MemoryEntities
from causeway_storage.adapters.memory.logs import MemoryLogs
from causeway_storage.adapters.memory.records import MemoryRecords
from causeway_storage.adapters.memory.snapshots import MemorySnapshots
from causeway_storage.adapters.memory.timers import MemoryAuditLog, MemoryTimers

__all__ = [
    "MemoryAttendances",
    "MemoryAuditLog",
    "MemoryDatabase",
    "MemoryEntities",
    "MemoryLogs",
    "MemoryRecords",
    "MemoryRecordsDesk",
    "MemorySnapshots",
    "MemoryTimers",
]
