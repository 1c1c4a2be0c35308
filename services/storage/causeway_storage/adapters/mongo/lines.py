"""Lines of records on MongoDB: who comes first, and whose turn it is. What is read here decides with the fence of the claim alone."""

from __future__ import annotations

from typing import Final

from pymongo import ReturnDocument

from causeway_common.contracts.errors import unavailable
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.ports import DueRecord
from causeway_storage.ports.records import WOKEN_LOOK_MS, WOKEN_MAX

RECORDS: Final = "records"
META: Final = "meta"
TURN: Final = "turn"
TRIES: Final = 20
PENDING: Final[Fields] = {"due": {"$gte": 0}}
"""Asked beside `lined`, `waits` and `held`: a process older than lines ends a record and leaves these."""


class Lines:
    """Lines of records."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def turns(self, count: int) -> int:
        """Take so many turns: the one before them. What was taken and not used is a gap that does no harm. Raises CausewayError."""

        async def work(collection: Collection) -> Fields:
            found: Fields = await collection.find_one_and_update(
                {"_id": TURN}, {"$inc": {"value": count}}, upsert=True, return_document=ReturnDocument.AFTER
            )
            return found

        for _ in range(TRIES):
            try:
                return int((await self._database.write(META, "turn", work))["value"]) - count
            except OutcomeUnknownError:
                continue
        raise unavailable("the database does not answer")

    async def must_wait(self, found: Fields, now_ms: int) -> bool:
        """Whether others come before this record."""
        if not found.get("behind") or found["state"] != "pending" or found["free_at_ms"] > now_ms:
            return False
        line, turn, behind = found["line"], found["turn"], found["behind"]
        before: list[Fields] = [
            {"lined": line, **PENDING, "turn": {"$lt": turn}},
            {"lined": line, **PENDING, "turn": turn, "_id": {"$lt": found["_id"]}},
            {"held": line, **PENDING, "free_at_ms": {"$gt": now_ms}, "_id": {"$ne": found["_id"]}},
        ]
        if behind != line:
            before.append({"lined": behind, **PENDING, "turn": {"$lt": turn}})

        async def work(collection: Collection) -> bool:
            for each in before:
                if await collection.find_one(each, {"_id": 1}) is not None:
                    return True
            return False

        return await self._database.read(RECORDS, "line", work)

    async def woken(self, ended: Fields, now_ms: int) -> tuple[DueRecord, ...]:
        """Those whose turn it may be now that an attempt of this record has ended, made due soon. Raises CausewayError: ask again."""
        line = ended.get("line")
        if not line:
            return ()
        fields = {"connector": 1, "op": 1, "trace": 1, "app": 1, "free_at_ms": 1, "due": 1}

        async def work(collection: Collection) -> list[Fields]:
            own = collection.find({"lined": line, **PENDING, "waits": {"$gt": ""}}, fields).sort([("turn", 1), ("_id", 1)]).limit(1)
            first = [each async for each in own] if ended.get("behind") else []
            others = (
                collection.find({"waits": line, **PENDING, "lined": {"$ne": line}}, fields).sort([("turn", 1)]).limit(WOKEN_MAX)
            )
            return [*first, *[each async for each in others]]

        found = [
            each
            for each in await self._database.read(RECORDS, "line", work)
            if each["_id"] != ended["_id"] and each["free_at_ms"] <= now_ms
        ]
        if found:
            at = now_ms + WOKEN_LOOK_MS
            wanted = {"_id": {"$in": [each["_id"] for each in found]}, **PENDING, "free_at_ms": {"$lte": now_ms}}
            change = {"$set": {"due": at, "next_at_ms": at}}
            try:
                await self._database.write(RECORDS, "wake", lambda collection: collection.update_many(wanted, change))
            except OutcomeUnknownError as error:
                raise unavailable("whether the next of the line was woken is unknown") from error
        return tuple(DueRecord(each["_id"], each["connector"], each["op"], now_ms, each["trace"], each["app"]) for each in found)
