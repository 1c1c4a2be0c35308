"""`ports.RecordsDesk` in memory."""

from __future__ import annotations

from causeway_common.contracts.messages import KeptRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.memory.database import MemoryDatabase, MemoryRecord
from causeway_storage.domain.record import ANY_TASK, TASK, kept_record, plan_redrive


class MemoryRecordsDesk:
    """The records as operators look at them."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._records = database.records

    async def page(self, request: RecordsRequest) -> RecordsReply:
        """As the port says."""
        names = [name for name in sorted(self._records) if name > request.after and _is_wanted(self._records[name], request)]
        found = [_kept(self._records[name], brief=True) for name in names[: request.limit]]
        return RecordsReply(records=found, more=len(names) > request.limit)

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
        return True


def _is_wanted(found: MemoryRecord, request: RecordsRequest) -> bool:
    connector = TASK if request.connector == ANY_TASK else request.connector
    return (
        request.state in ("", _state(found))
        and request.app in ("", found.record.app)
        and (not request.connector or found.record.connector == connector)
    )


def _state(record: MemoryRecord) -> str:
    return "retrying" if record.life.state == "pending" and record.life.settled else record.life.state


def _kept(record: MemoryRecord, *, brief: bool) -> KeptRecord:
    return kept_record(record.record, record.created_ms, record.life, brief=brief)
