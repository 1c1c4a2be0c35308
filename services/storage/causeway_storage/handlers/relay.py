"""The relay: takes what a commit carries out to the logs, the records and the timers, one relay per entity and process.

It works only from the list as read: all of a channel's items in one append, channels in parallel, the next round after every
acknowledgement. Ids make whatever is done twice harmless, so a process may die anywhere in it; the sweep picks up what it left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, get_logger, names, span
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.relay import Append, RelayRound, plan_relay
from causeway_storage.handlers.background import Tasks
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.handlers.timers import TimerSweep
from causeway_storage.ports import Clock, Entities, Logs

log = get_logger("storage")
_counters = Counters("storage")
_rounds: Final = _counters.counter("relay_rounds", "rounds of the relay by outcome: ok, failed, postponed")
_parked: Final = _counters.counter("relay_parked", "outbox items parked as dead: none should ever be")
_blocked: Final = _counters.counter("relay_blocked", "rounds that stopped at an item of a kind unknown here")

RELAYS_MAX: Final = 1024


class Relay:
    """All relays of this process.

    Args:
        entities: whose outboxes they are.
        logs: where publications go.
        delivery: where records go.
        timers: sets timers.
        clock: the time of day.
    """

    def __init__(self, entities: Entities, logs: Logs, delivery: Delivery, timers: TimerSweep, clock: Clock) -> None:
        self._entities, self._logs, self._delivery, self._timers, self._clock = entities, logs, delivery, timers, clock
        self._tasks = Tasks(RELAYS_MAX)
        self._running: dict[EntityKey, bool] = {}
        """The entities whose relay runs, and whether something came after its last look."""

    @property
    def running(self) -> int:
        """How many relays run."""
        return len(self._running)

    def kick(self, key: EntityKey) -> None:
        """Relay this entity's outbox; at the bound it is left to the sweep."""
        if key in self._running:
            self._running[key] = True
        elif self._tasks.full:
            _rounds.add(1, "postponed")
        else:
            self._running[key] = True
            self._tasks.spawn(self._relay(key))

    async def stop(self) -> None:
        """Finish the rounds under way."""
        await self._tasks.stop()

    async def _relay(self, key: EntityKey) -> None:
        try:
            while self._running[key]:
                self._running[key] = False
                while await self._round(key):
                    pass
        except CausewayError as error:
            _rounds.add(1, "failed")
            log.warning("a relay will go on with the next sweep", app=key.app, kind=key.kind, reason=error.message)
        finally:
            del self._running[key]

    async def _round(self, key: EntityKey) -> bool:
        """One round; whether there may be more to do."""
        outbox = await self._entities.outbox(key)
        if not outbox:
            return False
        work = plan_relay(key, outbox)
        if work.unknown_kind:
            _blocked.add()
            log.error(
                "the relay stops at an item of a kind that a newer version must know",
                app=key.app,
                kind=key.kind,
                item_kind=work.unknown_kind,
            )
        if not work.elements:
            return False
        first, *others = work.traces
        links = tuple(set(others) - {first, ""})
        attributes = {names.ENTITY_KIND: key.kind}
        with span(names.SPAN_RELAY.format(kind=key.kind), parent=first, links=links, attributes=attributes):
            failures = await self._performed(work)
            fault_point("storage.relay.before_clear")
            if finished := work.finished(elements for elements, _ in failures):
                await self._entities.clear(key, finished)
            fault_point("storage.relay.after_clear")
        for item in work.parked:
            _parked.add()
            log.error("an outbox item can never leave and is parked as dead", id=item.id, app=item.app, reason=item.reason)
        if failures:
            raise failures[0][1]
        _rounds.add(1, "ok")
        return True

    async def _performed(self, work: RelayRound) -> list[tuple[frozenset[str], CausewayError]]:
        """Everything of a round in parallel; what failed, with the elements it serves."""
        parts: list[tuple[frozenset[str], Coroutine[Any, Any, None]]] = [
            (append.elements, self._append(append)) for append in work.appends
        ]
        if work.records or work.parked:
            parts.append((work.record_elements, self._records(work)))
        if work.timers:
            parts.append((work.timer_elements, self._set(work)))
        if len(parts) == 1:  # the usual one needs no task of its own
            try:
                await parts[0][1]
            except CausewayError as error:
                return [(parts[0][0], error)]
            return []
        outcomes = await asyncio.gather(*(part for _, part in parts), return_exceptions=True)
        failures: list[tuple[frozenset[str], CausewayError]] = []
        for (elements, _), outcome in zip(parts, outcomes, strict=True):
            if isinstance(outcome, CausewayError):
                failures.append((elements, outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
        return failures

    async def _append(self, append: Append) -> None:
        fault_point("storage.relay.before_append")
        await self._logs.append(append.request, self._clock())

    async def _records(self, work: RelayRound) -> None:
        fault_point("storage.relay.before_record")
        await self._delivery.put(work.records, work.parked)
        fault_point("storage.relay.after_record")

    async def _set(self, work: RelayRound) -> None:
        fault_point("storage.relay.before_timer")
        await self._timers.put(work.timers)
        fault_point("storage.relay.after_timer")
