"""What the handlers need from outside, and what each promises.

Shaped for a store whose only atomic act is a conditional update of one document: nothing here speaks of rows or transactions.
Every call may raise CausewayError: 100 unavailable (the store is away, or the outcome is unknown: asking again with the same ids
tells the truth and does no harm) or 111 overloaded (a queue stands at its bound; nothing was done). What a call answers is durable.
Times are times of day in ms, given by the caller.
"""

from collections.abc import Callable

from causeway_storage.ports.attendances import AttendancePage, Attendances, Events, Holder, Leaves, Liveness, PendingAttendance
from causeway_storage.ports.entities import Committed, Conflicted, Entities, Found, Look, PendingEntity, PendingPage, Snapshots
from causeway_storage.ports.inspection import Inspection, Restoration
from causeway_storage.ports.logs import Appended, Logs
from causeway_storage.ports.outside import Apps, Shards, WorkQueue
from causeway_storage.ports.records import AuditLog, DuePage, DueRecord, Ending, Records, RecordsDesk, TimerPage, Timers

Clock = Callable[[], int]
"""The time of day in ms."""

__all__ = [
    "Appended",
    "Apps",
    "AttendancePage",
    "Attendances",
    "AuditLog",
    "Clock",
    "Committed",
    "Conflicted",
    "DuePage",
    "DueRecord",
    "Ending",
    "Entities",
    "Events",
    "Found",
    "Holder",
    "Inspection",
    "Leaves",
    "Liveness",
    "Logs",
    "Look",
    "PendingAttendance",
    "PendingEntity",
    "PendingPage",
    "Records",
    "RecordsDesk",
    "Restoration",
    "Shards",
    "Snapshots",
    "TimerPage",
    "Timers",
    "WorkQueue",
]
