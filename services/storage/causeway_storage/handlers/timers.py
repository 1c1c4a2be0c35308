"""Timers: set by the relay, and fired by a sweep that makes a task of each one that is due.

First the task's record, then the mark that it fired. Whoever dies between the two, or fires the same one beside another process, makes
no second record: its id comes from the timer's key and version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import msgpack

from causeway_common.bus import Call
from causeway_common.contracts.messages import TimersReply, TimersRequest, WaitingTimer
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters
from causeway_storage.domain import checks
from causeway_storage.domain.relay import fired_record
from causeway_storage.domain.stored import Timer
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.delivery import LOOK_AGAIN_MAX_S, LOOK_AGAIN_MIN_S, Delivery
from causeway_storage.ports import Clock, Timers

TIMERS_PAGE: Final = 128
PAGES_LOOKED_AT: Final = 16
PAGE_BYTES: Final = 128 * 1024
_fired: Final = Counters("storage").counter("timers_fired", "due timers that became tasks")


class TimerSweep:
    """Sets timers and fires those that are due.

    The time of day alone decides: set forward it fires what is due by it, set back it fires later, and neither fires anything twice.

    Args:
        timers: where they are.
        delivery: where the tasks go.
        clock: the time of day.

    Attributes:
        seen_ms: no timer of before this waited to fire when the sweep last had done all; 0 before the first time.
    """

    def __init__(self, timers: Timers, delivery: Delivery, clock: Clock) -> None:
        self._timers, self._delivery, self._clock = timers, delivery, clock
        self._next_ms: float = 0
        self._wake: Callable[[], None] = _nobody
        self.seen_ms = 0

    def on_earlier(self, wake: Callable[[], None]) -> None:
        """Call this when a timer is set that is due before the next look."""
        self._wake = wake

    async def put(self, timers: Sequence[Timer]) -> None:
        """Set, move or cancel these, durably."""
        await self._timers.put(timers)
        if any(0 < timer.at_ms < self._next_ms for timer in timers):
            self._wake()

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        return await self._timers.forget(before_ms, limit)

    async def step(self) -> float:
        """Fire a page of what is due; the seconds until the next look."""
        self._next_ms = math.inf  # what is set while this looks, it may not have seen
        now = self._clock()
        page = await self._timers.due(now, TIMERS_PAGE)
        if page.timers:
            fault_point("storage.timers.before_record")
            await self._delivery.put([fired_record(timer) for timer in page.timers], ())
            fault_point("storage.timers.after_record")
            await self._timers.fired(page.timers)
            fault_point("storage.timers.after_fired")
            _fired.add(len(page.timers))
            return 0.0
        self.seen_ms = now
        wait = math.inf if page.next_ms is None else (page.next_ms - self._clock()) / 1000
        wait = min(max(wait, LOOK_AGAIN_MIN_S), LOOK_AGAIN_MAX_S)
        self._next_ms = self._clock() + wait * 1000
        return wait


class TimerHandlers:
    """The verb of the timers that operators look through.

    Args:
        timers: where they are.
        access: who may.
    """

    def __init__(self, timers: Timers, access: Access) -> None:
        self._timers, self._access = timers, access

    async def timers(self, request: TimersRequest, call: Call) -> TimersReply:
        """A page, shorter than asked for where few of those looked at are wanted, or they are large."""
        self._access.operates(call)
        place = checks.check_timers(request)
        found: list[WaitingTimer] = []
        size = 0
        for _ in range(PAGES_LOOKED_AT):
            page = await self._timers.waiting(place, TIMERS_PAGE)
            for timer in page:
                place = (timer.at_ms, timer.key)
                if not _is_wanted(timer, request):
                    continue
                found.append(_shown(timer))
                size += len(msgpack.encode(timer))
                if len(found) >= request.limit or size > PAGE_BYTES:
                    return _reply(found, place)
            if len(page) < TIMERS_PAGE:
                return TimersReply(timers=found)
        return _reply(found, place)


def _is_wanted(timer: Timer, request: TimersRequest) -> bool:
    asked = ((request.app, timer.app), (request.kind, timer.kind), (request.entity, timer.entity))
    return all(wanted in ("", there) for wanted, there in asked)


def _shown(timer: Timer) -> WaitingTimer:
    return WaitingTimer(**{name: getattr(timer, name) for name in WaitingTimer.__struct_fields__})


def _reply(found: list[WaitingTimer], place: tuple[int, str]) -> TimersReply:
    return TimersReply(timers=found, cursor=f"{place[0]}:{place[1]}")


def _nobody() -> None:
    """Nobody is to be woken."""
