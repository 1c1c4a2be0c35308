"""The database of many machines: a replica set or a sharded cluster, whose only atomic act is an update of one document."""

from causeway_storage.adapters.mongo.attendances import MongoAttendances
from causeway_storage.adapters.mongo.database import MongoDatabase, MongoOptions
from causeway_storage.adapters.mongo.desk import MongoRecordsDesk
from causeway_storage.adapters.mongo.entities import MongoEntities
from causeway_storage.adapters.mongo.inspection import inspected
from causeway_storage.adapters.mongo.logs import MongoLogs
from causeway_storage.adapters.mongo.records import MongoRecords
from causeway_storage.adapters.mongo.restoration import restoring
from causeway_storage.adapters.mongo.schema import migrate, open_database, plan, raise_generation
from causeway_storage.adapters.mongo.snapshots import MongoSnapshots
from causeway_storage.adapters.mongo.timers import MongoAuditLog, MongoTimers

__all__ = [
    "MongoAttendances",
    "MongoAuditLog",
    "MongoDatabase",
    "MongoEntities",
    "MongoLogs",
    "MongoOptions",
    "MongoRecords",
    "MongoRecordsDesk",
    "MongoSnapshots",
    "MongoTimers",
    "inspected",
    "migrate",
    "open_database",
    "plan",
    "raise_generation",
    "restoring",
]
