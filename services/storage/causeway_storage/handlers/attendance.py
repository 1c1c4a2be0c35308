"""attend, what leaves with it, and the release of what dead gateways hold.

The outboxes are relayed by one loop for each process, woken by each `attend` and every clearing: what it sends twice (a process died, or
two of them looked at once) has the same id, which JetStream and the gateways pass over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import AttendReply, AttendRequest, FeedMembership
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, get_logger
from causeway_storage.domain.attendance import check_attend, node_of
from causeway_storage.handlers.access import GATEWAY, Access
from causeway_storage.ports import Attendances, Clock, Events, Holder, Leaves, Liveness, PendingAttendance

log = get_logger("storage")
_counters = Counters("storage")
_changes: Final = _counters.counter("attend_changes", "changes of what gateways hold, by outcome: ok, cleared")
_told: Final = _counters.counter("lifecycle_told", "what left with them, by type: the events', leave", label="type")
_failed: Final = _counters.counter("lifecycle_failed", "keys whose events could not be told and wait")
_cleared: Final = _counters.counter(
    "holders_cleared", "keys released since their gateway was gone, by reason: silent, left", label="reason"
)

RELAY_PAGE: Final = 256
CLEAR_PAGE: Final = 256
FORGET_PAGE: Final = 1000
AGAIN_MS: Final = 120_000
"""For so long after a clearing more of the holder may turn up: twice what a request may take."""
FORGET_EVERY: Final = 30
"""Clearing steps between two looks for what may be forgotten."""


class AttendanceHandlers:
    """The verb.

    Args:
        attendances: where they are.
        access: who may.
        clock: the time of day.
        wake: makes the relay look.
    """

    def __init__(self, attendances: Attendances, access: Access, clock: Clock, wake: Callable[[], None]) -> None:
        self._attendances, self._access, self._clock, self._wake = attendances, access, clock, wake

    async def attend(self, request: AttendRequest, call: Call) -> AttendReply:
        """Changes with their events in one act each; then the relay takes the events on."""
        self._access.service(call, GATEWAY)
        holder, changes = check_attend(request)
        now = self._clock()
        leave_at = now + request.leave_ms if request.leave_ms >= 0 else None
        if not await self._attendances.attend(holder, request.first, changes, now, leave_at):
            _changes.add(len(changes), "cleared")
            return AttendReply(cleared=True)
        _changes.add(len(changes), "ok")
        if changes:
            fault_point("storage.attend.after_write")
            self._wake()
        return AttendReply()


class AttendanceRelay:
    """Carries out what waits in the outboxes.

    Args:
        attendances: whose outboxes they are.
        events: takes events, durably.
        leaves: takes the leaves of dead gateways' clients.
        clock: the time of day.
        patience_ms: between two looks that nobody asked for.
    """

    def __init__(self, attendances: Attendances, events: Events, leaves: Leaves, clock: Clock, *, patience_ms: int) -> None:
        self._attendances, self._events, self._leaves = attendances, events, leaves
        self._clock, self._patience_ms = clock, patience_ms

    async def step(self) -> float:
        """One walk through all that waits; the seconds until the next.

        Raises:
            CausewayError: the store, or the bus, is away. What was sent and not taken out of its outbox is sent again.
        """
        cursor, failure = "", None
        while True:
            page = await self._attendances.pending(self._clock(), cursor, RELAY_PAGE)
            failure = await self._relayed(page.pending) or failure
            cursor = page.cursor
            if not cursor:
                break
        if failure is not None:
            raise failure
        return self._patience_ms / 1000

    async def _relayed(self, pending: Sequence[PendingAttendance]) -> CausewayError | None:
        outcomes = await asyncio.gather(*map(self._told, pending))
        done = {each.key: ids for each, (ids, _) in zip(pending, outcomes, strict=True) if ids}
        if done:
            await self._leaves.flush()
            fault_point("storage.attend.before_clear")
            await self._attendances.sent(done, self._clock())
        failures = [error for _, error in outcomes if error is not None]
        _failed.add(len(failures))
        return failures[0] if failures else None

    async def _told(self, pending: PendingAttendance) -> tuple[frozenset[str], CausewayError | None]:
        """A key's outbox, in order, up to the first that fails; the ids of what was told."""
        ids: set[str] = set()
        for sending in pending.sendings:
            event = sending.event
            try:
                if sending.info is None:
                    await self._events.tell(event)
                else:
                    self._leaves.tell(FeedMembership(channel=event.channel, joined=False, info=sending.info, id=event.id))
            except CausewayError as error:
                return frozenset(ids), error
            ids.add(event.id)
            _told.add(1, event.type)
        return frozenset(ids), None


class Clearing:
    """Releases what gateways hold that are silent, or left in good order; and forgets what nobody has held for long.

    Args:
        attendances: who holds what.
        liveness: who is silent.
        clock: the time of day.
        wake: makes the relay look.
        interval_ms: between two looks.
    """

    def __init__(
        self, attendances: Attendances, liveness: Liveness, clock: Clock, wake: Callable[[], None], *, interval_ms: int
    ) -> None:
        self._attendances, self._liveness, self._clock, self._wake = attendances, liveness, clock, wake
        self._interval_ms = interval_ms
        self._steps = 0
        self._released: set[str] = set()
        """Cleared long enough ago, and seen by this process to hold nothing."""

    async def step(self) -> float:
        """One look; the seconds until the next."""
        holders = await self._attendances.holders()
        self._released &= {holder.name for holder in holders}
        for holder in holders:
            if reason := self._reason(holder):
                await self._clear(holder, reason)
        self._steps += 1
        if self._steps % FORGET_EVERY == 0:
            while await self._attendances.forget(self._clock() - ID_LIFETIME_MS, FORGET_PAGE) == FORGET_PAGE:
                continue
        return self._interval_ms / 1000

    def _reason(self, holder: Holder) -> str:
        """Why it is to be cleared; "" where it is not.

        A cleared one is looked at again: whoever began to clear it may have died, and an `attend` may have been under way.
        """
        if holder.cleared_ms is None and holder.leave_at_ms is not None and holder.leave_at_ms <= self._clock():
            return "left"
        if holder.cleared_ms is not None:
            return "" if holder.name in self._released else "silent"
        return "silent" if self._liveness.silent(node_of(holder.name)) else ""

    async def _clear(self, holder: Holder, reason: str) -> None:
        if holder.cleared_ms is None:
            log.info("a gateway is gone, what it held is released", holder=holder.name, reason=reason)
        while True:
            count = await self._attendances.clear(holder.name, self._clock(), CLEAR_PAGE)
            fault_point("storage.clear.after_page")
            _cleared.add(count, reason)
            if count:
                self._wake()
            if count < CLEAR_PAGE:
                break
        if holder.cleared_ms is not None and holder.cleared_ms <= self._clock() - AGAIN_MS:
            self._released.add(holder.name)
