"""`ports.RecordsDesk` in memory."""

from __future__ import annotations

from msgspec.structs import replace

from causeway_common.contracts.messages import KeptRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.memory.database import MemoryDatabase, MemoryRecord
from causeway_storage.domain.record import after_of, connector_of, kept_record, operation_of, page_of, plan_redrive


class MemoryRecordsDesk:
    """The records as operators look at them."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database, self._records = database, database.records

    async def page(self, request: RecordsRequest) -> RecordsReply:
        """As the port says."""
        after = after_of(request)
        found = [each for each in self._records.values() if _asked(request, each)]
        found = sorted((each for each in found if _place(request, each) > after), key=lambda each: _place(request, each))
        brief = [_kept(each, brief=True) for each in found[: request.limit]]
        return page_of(brief, more=len(found) > request.limit, by_time=request.by_time)

    async def find(self, id: str) -> KeptRecord | None:
        """As the port says."""
        return _kept(self._records[id], brief=False) if id in self._records else None

    async def redrive(self, id: str, now_ms: int) -> bool:
        """As the port says."""
        found = self._records.get(id)
        life = plan_redrive(found.life, now_ms) if found else None
        if found is None or life is None:
            return False
        found.life = life
        if found.record.line:
            self._database.turn += 1
            found.record = replace(found.record, turn=self._database.turn)
        return True


def _place(request: RecordsRequest, each: MemoryRecord) -> tuple[str | int, ...]:
    return (each.created_ms, each.record.turn, each.record.id) if request.by_time else (each.record.id,)


def _asked(request: RecordsRequest, each: MemoryRecord) -> bool:
    record = each.record
    return (
        request.state in ("", _state(each))
        and request.app in ("", record.app)
        and (not request.connector or record.connector == connector_of(request.connector))
        and (not request.operation or operation_of(request.operation) == (record.connector, record.op))
        and each.created_ms >= request.since_ms
        and (not request.until_ms or each.created_ms <= request.until_ms)
    )


def _state(record: MemoryRecord) -> str:
    return "retrying" if record.life.state == "pending" and record.life.settled else record.life.state


def _kept(record: MemoryRecord, *, brief: bool) -> KeptRecord:
    return kept_record(record.record, record.created_ms, record.life, brief=brief)
