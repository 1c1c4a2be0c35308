"""What storage does on its own: the outboxes that a dead process left, and what is too old to keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from causeway_common.contracts.shards import entity_shard
from causeway_common.telemetry import Counters
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.log import ids_forgotten_before
from causeway_storage.handlers.timers import TimerSweep
from causeway_storage.ports import AuditLog, Clock, Entities, Logs, Records

SWEEP_PAGE: Final = 256
REMOVE_PAGE: Final = 1000
STRANGERS_PATIENCE: Final = 5
_counters = Counters("storage")
_swept: Final = _counters.counter("outboxes_swept", "outboxes that the sweep found waiting")
_sweeps: Final = _counters.counter("sweeps", "complete sweeps of the outboxes")
_removed: Final = _counters.counter(
    "removed", "what retention took away: ids, timers, tombstones, records, audit records", label="what"
)


class OutboxSweep:
    """Kicks the relay of each entity of this process's shards whose outbox waits longer than `patience_ms`.

    Of other processes' entities it takes up what waits `STRANGERS_PATIENCE` times as long; the first time, and after each change of
    the shards, whatever waits at all.

    Args:
        entities: whose outboxes they are.
        kick: begins an entity's relay.
        clock: the time of day.
        patience_ms: so long an outbox may wait for the process that committed.
        owned: whether requests for this shard come to this process first.

    Attributes:
        seen_ms: nothing older waited in any outbox when the last complete sweep looked; 0 before the first.
        age_ms: how long the oldest item that it saw had waited.
    """

    def __init__(
        self,
        entities: Entities,
        kick: Callable[[EntityKey], None],
        clock: Clock,
        *,
        patience_ms: int,
        owned: Callable[[int], bool] = lambda _shard: True,
    ) -> None:
        self._entities, self._kick, self._clock, self._patience_ms, self._owned = entities, kick, clock, patience_ms, owned
        self._at_once = True
        self.seen_ms = 0
        self.age_ms = 0

    def inherit(self) -> None:
        """In the next sweep take up each outbox that waits at all: whoever it waits for may be gone."""
        self._at_once = True

    async def step(self) -> float:
        """One whole sweep; the seconds until the next."""
        at_once, self._at_once = self._at_once, False
        try:
            await self._sweep(at_once=at_once)
        except BaseException:
            self._at_once |= at_once
            raise
        return self._patience_ms / 1000

    async def _sweep(self, *, at_once: bool) -> None:
        now = self._clock()
        older_than = now - (0 if at_once else self._patience_ms)
        seen, cursor = older_than, ""
        while True:
            page = await self._entities.pending(older_than, cursor, SWEEP_PAGE)
            for found in page.entities:
                seen = min(seen, found.oldest_ms)
                forgotten = now - found.oldest_ms >= self._patience_ms * STRANGERS_PATIENCE
                if at_once or forgotten or self._owned(entity_shard(found.key.app, found.key.kind, found.key.id)):
                    self._kick(found.key)
                    _swept.add()
            cursor = page.cursor
            if not cursor:
                break
        _sweeps.add()
        self.seen_ms = seen
        self.age_ms = now - seen if seen < older_than else 0


class Retention:
    """Removes expired publications, ids, fired timers and tombstones that no repeat can come for any more, and old finished and audit records."""

    def __init__(
        self,
        logs: Logs,
        entities: Entities,
        records: Records,
        sweep: OutboxSweep,
        clock: Clock,
        *,
        timers: TimerSweep,
        audit: AuditLog,
        interval_ms: int,
        keep_done_ms: int,
        keep_audit_ms: int,
    ) -> None:
        self._audit, self._keep_audit_ms = audit, keep_audit_ms
        self._logs, self._entities, self._records, self._timers = logs, entities, records, timers
        self._sweep, self._clock = sweep, clock
        self._interval_ms, self._keep_done_ms = interval_ms, keep_done_ms

    async def step(self) -> float:
        """One page of each; the seconds until the next step, 0 while there is more."""
        now = self._clock()
        expired = await self._logs.remove_expired(now, REMOVE_PAGE)
        unrepeated = ids_forgotten_before(now, self._sweep.seen_ms)
        ids = await self._logs.forget_ids(unrepeated, REMOVE_PAGE)
        timers = await self._timers.forget(unrepeated, REMOVE_PAGE)
        # An entity made anew begins at version 1: no timer that an old life cancelled may be left to refuse that.
        gone_before = 0 if timers == REMOVE_PAGE else unrepeated
        tombstones = await self._entities.remove_tombstones(gone_before, REMOVE_PAGE)
        # A timer whose mark is still to come finds its record there, however long nobody swept.
        records = await self._records.remove_done(min(now - self._keep_done_ms, self._timers.seen_ms), REMOVE_PAGE)
        operations = await self._audit.remove(now - self._keep_audit_ms, REMOVE_PAGE)
        _removed.add(operations, "audit records")
        _removed.add(ids, "ids")
        _removed.add(timers, "timers")
        _removed.add(tombstones, "tombstones")
        _removed.add(records, "records")
        return 0.0 if max(expired, ids, timers, tombstones, records, operations) == REMOVE_PAGE else self._interval_ms / 1000
