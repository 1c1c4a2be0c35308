"""`ports.RecordsDesk` on MongoDB."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import KeptRecord, NewRecord, RecordsReply, RecordsRequest
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.lines import RECORDS
from causeway_storage.adapters.mongo.records import MongoRecords, life_fields, life_of
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.record import after_of, connector_of, kept_record, operation_of, page_of, plan_redrive

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
        wanted, by_time = _wanted(request), request.by_time
        order = [("created_ms", 1), ("turn", 1), ("_id", 1)] if by_time else [("_id", 1)]

        async def work(collection: Collection) -> list[Fields]:
            return [each async for each in collection.find(wanted, {"payload": 0}).sort(order).limit(request.limit + 1)]

        found = await self._database.read(RECORDS, "page", work)
        kept = [_kept(each, brief=True) for each in found[: request.limit]]
        return page_of(kept, more=len(found) > request.limit, by_time=by_time)

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
            place = {"turn": await self._records.lines.turns(1) + 1} if found.get("line") else {}
            if await self._records.change("redrive", found, {**life_fields(life), **place}):
                return True
        raise unavailable("whether the record is delivered again is unknown")


def _wanted(request: RecordsRequest) -> Fields:
    """What must hold. A record without a line has no turn, and comes before those of its time that have one."""
    made: Fields = {
        **({"$gte": request.since_ms} if request.since_ms else {}),
        **({"$lte": request.until_ms} if request.until_ms else {}),
    }
    wanted: Fields = {
        **_STATES[request.state],
        **({"created_ms": made} if made else {}),
        **({"app": request.app} if request.app else {}),
    }
    if request.connector:
        wanted["connector"] = connector_of(request.connector)
    if request.operation:
        wanted |= dict(zip(("connector", "op"), operation_of(request.operation), strict=True))
    if not request.by_time:
        return {**wanted, "_id": {"$gt": request.after}}
    at, turn, name = after_of(request)
    same_turn: Fields = {"turn": turn} if turn else {"turn": {"$exists": False}}
    later: list[Fields] = [
        {"created_ms": {"$gt": at}},
        {"created_ms": at, "turn": {"$gt": turn}},
        {"created_ms": at, **same_turn, "_id": {"$gt": name}},
    ]
    return {"$and": [wanted, {"$or": later}]}


def _kept(found: Fields, *, brief: bool) -> KeptRecord:
    record = NewRecord(
        id=found["_id"],
        app=found["app"],
        connector=found["connector"],
        op=found["op"],
        payload={} if brief else unpack(found["payload"]),
        traceparent=found["trace"],
        line=found.get("line", ""),
        turn=found.get("turn", 0),
    )
    return kept_record(record, found["created_ms"], life_of(found), brief=brief)
