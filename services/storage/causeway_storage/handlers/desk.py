"""records, record, redrive: what operators look at and have delivered again."""

from __future__ import annotations

from collections.abc import Callable

from causeway_common.bus import Call
from causeway_common.contracts.messages import (
    RecordReply,
    RecordRequest,
    RecordsReply,
    RecordsRequest,
    RedriveReply,
    RedriveRequest,
)
from causeway_storage.domain import checks
from causeway_storage.handlers.access import GATEWAY, Access
from causeway_storage.ports import Clock, RecordsDesk


class DeskHandlers:
    """The verbs that gateways ask for operators.

    Args:
        desk: the records.
        access: who may.
        clock: the time of day.
        wake: makes the sweep of due records look again.
    """

    def __init__(self, desk: RecordsDesk, access: Access, clock: Clock, wake: Callable[[], None]) -> None:
        self._desk, self._access, self._clock, self._wake = desk, access, clock, wake

    async def records(self, request: RecordsRequest, call: Call) -> RecordsReply:
        """A page of the records in one state."""
        self._access.desk(call)
        checks.check_records(request)
        return await self._desk.page(request)

    async def record(self, request: RecordRequest, call: Call) -> RecordReply:
        """One record."""
        self._access.desk(call)
        checks.check_record_id(request.id)
        return RecordReply(record=await self._desk.find(request.id))

    async def redrive(self, request: RedriveRequest, call: Call) -> RedriveReply:
        """Have dead records delivered again."""
        self._access.service(call, GATEWAY)
        checks.check_redrive(request)
        now = self._clock()
        redriven = [each for each in request.ids if await self._desk.redrive(each, now)]
        if redriven:
            self._wake()
        return RedriveReply(redriven=redriven)
