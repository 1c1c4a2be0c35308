"""Storage in this process: its own domain code and handlers over the adapters in memory, all that runs by time included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from causeway_common.bus import Call
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import overloaded
from causeway_common.contracts.messages import AppendRequest, Head, HistoryReply, HistoryRequest, Manifest, NamespaceSpec
from causeway_storage.adapters.memory import (
    MemoryDatabase,
    MemoryEntities,
    MemoryLogs,
    MemoryRecords,
    MemorySnapshots,
    MemoryTimers,
)
from causeway_storage.domain.record import TASK
from causeway_storage.domain.stored import Timer
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.background import Tasks
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.handlers.entities import EntityHandlers
from causeway_storage.handlers.logs import LogHandlers
from causeway_storage.handlers.records import RecordHandlers
from causeway_storage.handlers.relay import Relay
from causeway_storage.handlers.snapshots import SnapshotHandlers
from causeway_storage.handlers.sweeps import OutboxSweep
from causeway_storage.handlers.timers import TimerSweep
from causeway_storage.ports import Appended, DueRecord, Logs
from causeway_testing.clock import Clock, Ids
from causeway_testing.loop import VirtualLoop
from causeway_testing.steps import ACTIVITY, Steps

CURSOR_KEY: Final = bytes(32)
REDELIVER_AFTER_MS: Final = 30_000
DELIVERIES_MAX: Final = 256
PATIENCE_MS: Final = 2_000
REMOVE_PAGE: Final = 1_000
Handler = Callable[[Any, Call], Awaitable[Any]]


class Known:
    """`ports.Apps`: the one app there is."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifests: Mapping[str, Manifest] = {manifest.app: manifest}
        self.namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {each.name: (manifest.app, each) for each in manifest.namespaces}


class SteppingLogs:
    """`ports.Logs` as the relay has them: an append is a step, so that it may come late."""

    def __init__(self, logs: Logs, steps: Steps) -> None:
        self._logs, self._steps = logs, steps

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """As the port says."""
        ACTIVITY.set("storage")
        await self._steps.take(f"the relay appends to {request.channel}")
        return await self._logs.append(request, now_ms)

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """As the port says."""
        return await self._logs.heads(channels)

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """As the port says."""
        return await self._logs.history(request)

    async def remove(self, channel: str) -> Head:
        """As the port says."""
        return await self._logs.remove(channel)

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._logs.remove_expired(now_ms, limit)

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._logs.forget_ids(before_ms, limit)


class TaskQueue:
    """`ports.WorkQueue`: a task goes to its app, a job waits until the test runs it."""

    def __init__(self, deliver: Callable[[DueRecord], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._tasks = Tasks(DELIVERIES_MAX)

    async def deliver(self, record: DueRecord) -> None:
        """As the port says."""
        if record.connector == TASK:
            await self._deliver(record)

    def send(self, record: DueRecord) -> None:
        """As the port says."""
        if self._tasks.full:
            raise overloaded("too many deliveries are under way")
        self._tasks.spawn(self.deliver(record))


class NoticedTimers(MemoryTimers):
    """`ports.Timers` that tell of what is due already when it is set: no time needs to pass for it."""

    def __init__(self, database: MemoryDatabase, look: Callable[[], None]) -> None:
        super().__init__(database)
        self._look = look

    async def put(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        await super().put(timers)
        self._look()


class LocalStorage:
    """One storage process.

    Args:
        manifest: of the app.
        loop: where it runs.
        clock: the time of day.
        ids: makes epochs.
        steps: of its relay.
        appended: told of what is new in a log.
        passed: told of what skips the history.
        deliver: takes a task to its app.
    """

    def __init__(
        self,
        manifest: Manifest,
        loop: VirtualLoop,
        clock: Clock,
        ids: Ids,
        steps: Steps,
        *,
        appended: Callable[[Appended], None],
        passed: Callable[[AppendRequest, int], None],
        deliver: Callable[[DueRecord], Awaitable[None]],
    ) -> None:
        self._loop, self._clock = loop, clock
        now_ms = clock.now_ms
        database = self.database = MemoryDatabase(cursor_key=CURSOR_KEY)
        self.logs, self.entities = MemoryLogs(database, ids.letters, appended, now_ms), MemoryEntities(database)
        self.records = MemoryRecords(database)
        self._timers = NoticedTimers(database, self._look)
        self.delivery = Delivery(self.records, TaskQueue(deliver), now_ms, redeliver_after_ms=REDELIVER_AFTER_MS)
        self._timer_sweep = TimerSweep(self._timers, self.delivery, now_ms)
        relay = self._relay = Relay(self.entities, SteppingLogs(self.logs, steps), self.delivery, self._timer_sweep, now_ms)
        self._outboxes = OutboxSweep(self.entities, relay.kick, now_ms, patience_ms=PATIENCE_MS)
        self._sweeping = False
        access = Access(Known(manifest))
        log_handlers = LogHandlers(self.logs, access, now_ms, passed)
        entity_handlers = EntityHandlers(self.entities, access, relay.kick, now_ms)
        snapshots = SnapshotHandlers(MemorySnapshots(database, now_ms), self.logs, access, relay.kick, now_ms)
        record_handlers = RecordHandlers(self.records, self.delivery, access, now_ms, self._look)
        self.served: dict[str, Handler] = {
            verbs.APPEND.name: log_handlers.append,
            verbs.HEADS.name: log_handlers.heads,
            verbs.HISTORY.name: log_handlers.history,
            verbs.REMOVE.name: log_handlers.remove,
            verbs.GET.name: entity_handlers.get,
            verbs.SNAPSHOT.name: snapshots.snapshot,
            verbs.COMMIT.name: entity_handlers.commit,
            verbs.QUERY.name: entity_handlers.query,
            verbs.TRAIL.name: entity_handlers.trail,
            verbs.ENQUEUE.name: record_handlers.enqueue,
            verbs.CLAIM.name: record_handlers.claim,
            verbs.SETTLE.name: record_handlers.settle,
        }

    # --- a source of the loop: what is due at some time

    def next_at(self) -> float | None:
        """When the next timer fires or task is due; jobs wait for the test."""
        if self._sweeping:
            return None
        due = [each.at_ms for each in self.database.timers.values() if each.at_ms]
        due += [
            each.life.next_at_ms
            for each in self.database.records.values()
            if each.life.state == "pending" and each.record.connector == TASK
        ]
        return self._clock.seconds(min(due)) if due else None

    def _look(self) -> None:
        """Something may be due without any time passing."""
        due = self.next_at()
        if due is not None and due <= self._loop.time():
            self.fire()

    def fire(self) -> None:
        """Do what is due."""
        self._sweeping = True
        self._loop.spawn(self._sweep())

    async def retain(self) -> None:
        """Remove what has outlived its namespace's time, as storage does each second."""
        while await self.logs.remove_expired(self._clock.now_ms(), REMOVE_PAGE) == REMOVE_PAGE:
            pass

    async def _sweep(self) -> None:
        try:
            while await self._timer_sweep.step() == 0.0:
                pass
            while await self.delivery.sweep() == 0.0:
                pass
            await self._outboxes.step()
        finally:
            self._sweeping = False
        self._look()
