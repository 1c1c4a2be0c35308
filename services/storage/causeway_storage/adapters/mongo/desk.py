"""`ports.RecordsDesk` on MongoDB."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import KeptRecord, NewRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.records import RECORDS, MongoRecords, life_fields, life_of
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.record import ANY_TASK, TASK, kept_record, plan_redrive

TRIES: Final = 20
_STATES: Final[dict[str, Fields]] = {
    "": {},
    "pending": {"state": "pending", "settled": 0},
    "retrying": {"state": "pending", "settled": {"$gt": 0}},
    "done": {"state": "done"},
    "dead": {"state": "dead"},
}


class MongoRecordsDesk:
    """The records as operators look at them.

    Args:
        database: the connection.
        records: changes them.
    """

    def __init__(self, database: MongoDatabase, records: MongoRecords) -> None:
        self._database, self._records = database, records

    async def page(self, request: RecordsRequest) -> RecordsReply:
        """As the port says."""
        wanted = {**_STATES[request.state], "_id": {"$gt": request.after}}
        if request.app:
            wanted["app"] = request.app
        if request.connector:
            wanted["connector"] = TASK if request.connector == ANY_TASK else request.connector

        async def work(collection: Collection) -> list[Fields]:
            return [each async for each in collection.find(wanted, {"payload": 0}).sort([("_id", 1)]).limit(request.limit + 1)]

        found = await self._database.read(RECORDS, "page", work)
        return RecordsReply(records=[_kept(each, brief=True) for each in found[: request.limit]], more=len(found) > request.limit)

    async def find(self, id: str) -> KeptRecord | None:
        """As the port says."""
        found = await self._records.document(id)
        return _kept(found, brief=False) if found else None

    async def redrive(self, id: str, now_ms: int) -> bool:
        """As the port says."""
        for _ in range(TRIES):
            found = await self._records.document(id)
            life = plan_redrive(life_of(found), now_ms) if found else None
            if found is None or life is None:
                return False
            if await self._records.change("redrive", found, life_fields(life)):
                return True
        raise unavailable("whether the record is delivered again is unknown")


def _kept(found: Fields, *, brief: bool) -> KeptRecord:
    record = NewRecord(
        id=found["_id"],
        app=found["app"],
        connector=found["connector"],
        op=found["op"],
        payload={} if brief else unpack(found["payload"]),
        traceparent=found["trace"],
    )
    return kept_record(record, found["created_ms"], life_of(found), brief=brief)
