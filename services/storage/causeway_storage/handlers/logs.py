"""append, heads, history."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.messages import (
    AppendReply,
    AppendRequest,
    HeadsReply,
    HeadsRequest,
    HistoryReply,
    HistoryRequest,
    RemoveReply,
    RemoveRequest,
)
from causeway_common.telemetry import Counters
from causeway_storage.domain import checks
from causeway_storage.handlers.access import GATEWAY, Access
from causeway_storage.handlers.latency import durable
from causeway_storage.ports import Clock, Logs

CLIENT_IDS: Final = ("c:", "k:")
"""Ids that come over the bus; `o:` is made by our own relay alone, which does not ask over it."""

_items: Final = Counters("storage").counter("append_items", "items appended over the bus, by outcome: new, repeat, passed")


class LogHandlers:
    """The verbs of the logs. `passed` feeds what skips the history."""

    def __init__(self, logs: Logs, access: Access, clock: Clock, passed: Callable[[AppendRequest, int], None]) -> None:
        self._logs, self._access, self._clock, self._passed = logs, access, clock, passed

    async def append(self, request: AppendRequest, call: Call) -> AppendReply:
        """All items or none; answered once durable and fed. What skips the history is fed alone."""
        self._access.reaches(call, request.channel)
        checked, now = checks.check_append(request, prefixes=CLIENT_IDS), self._clock()
        if checked.skip_history:
            self._passed(checked, now)
            _items.add(len(checked.items), "passed")
            return AppendReply(epoch="", offsets=[0] * len(checked.items), repeats=[False] * len(checked.items))
        started = perf_counter_ns()
        appended = await self._logs.append(checked, now)
        durable(started, "append")
        _items.add(len(appended.publications), "new")
        _items.add(sum(appended.repeats), "repeat")
        return AppendReply(
            epoch=appended.epoch,
            offsets=list(appended.offsets),
            repeats=list(appended.repeats),
            skipped=list(appended.skipped) if any(appended.skipped) else [],
        )

    async def remove(self, request: RemoveRequest, call: Call) -> RemoveReply:
        """Remove what a log holds."""
        self._access.service(call, GATEWAY)
        checks.check_channel(request.channel)
        return RemoveReply(head=await self._logs.remove(request.channel))

    async def heads(self, request: HeadsRequest, call: Call) -> HeadsReply:
        """Where these logs stand."""
        self._access.service(call, GATEWAY)
        checks.check_heads(request)
        return HeadsReply(heads=await self._logs.heads(request.channels))

    async def history(self, request: HistoryRequest, call: Call) -> HistoryReply:
        """A page of a log."""
        checks.check_history(request)
        self._access.reaches(call, request.channel)
        return await self._logs.history(request)
