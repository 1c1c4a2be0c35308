"""`ports.Attendances` on MongoDB: a document for each key and one for each holder, each written by a conditional update.

attendances    _id      the key
               v        counts its writes, the fence of each
               body     the document as the domain knows it, one msgpack value: holders' names are never fields here
               held     who holds it
               oldest   the oldest element of its outbox; absent where that is empty
               idle     since when nobody holds it and nothing waits; absent where that is not so
holders        _id      its name
               leave    from then on it may be cleared, since it left in good order; absent where it did not
               cleared  when it was; absent while it lives

Every change tells by itself whether it was applied before, so a write whose outcome nobody knows is read again and planned again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from bson.binary import Binary
from pymongo import InsertOne, UpdateOne
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import JsonMap
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.domain.attendance import (
    Change,
    holders_of,
    idle_since_ms,
    oldest_ms,
    plan_change,
    plan_clear,
    sendings_of,
    sent,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.ports import AttendancePage, Holder, PendingAttendance

ATTENDANCES: Final = "attendances"
HOLDERS: Final = "holders"
CLEARED_LONG_AGO_MS: Final = 1
TRIES: Final = 40
PAUSE_S: Final = 0.05
HOLDERS_PAGE: Final = 1000
Plan = Callable[[JsonMap | None], JsonMap | None]
"""What a key's document becomes; None where nothing is to be written."""


class MongoAttendances:
    """The attendances."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        """As the port says. Changes of one key are written together, keys in the order of their first change."""
        if not await self._admitted(holder, first, leave_at_ms):
            return False
        by_key: dict[str, list[Change]] = {}
        for change in changes:
            by_key.setdefault(change.key, []).append(change)
        await self._apply({key: partial(_changed, holder=holder, changes=its, now_ms=now_ms) for key, its in by_key.items()})
        return True

    async def holders(self) -> list[Holder]:
        """As the port says."""

        async def work(collection: Collection) -> list[Holder]:
            return [read_holder(each) async for each in collection.find({})]

        return await self._database.read(HOLDERS, "find", work)

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        """As the port says."""
        await self._mark(holder, now_ms)

        async def work(collection: Collection) -> list[str]:
            # $in, since nx-27017 compares a list with a bare value as a whole.
            held = collection.find({"held": {"$in": [holder]}}, {"_id": 1}).sort([("_id", 1)]).limit(limit)
            return [each["_id"] async for each in held]

        keys = await self._database.read(ATTENDANCES, "held", work)
        await self._apply(dict.fromkeys(keys, lambda document: plan_clear(document, holder, now_ms)))
        return len(keys)

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        """As the port says."""
        # A key's oldest element only gets younger, so whoever moves during the walk moves ahead of it and is met again.
        after_ms, _, after_key = cursor.partition(":")
        place: Fields = {"oldest": {"$lte": older_than_ms}}
        if cursor:
            at = int(after_ms)
            place["$or"] = [{"oldest": {"$gt": at}}, {"oldest": at, "_id": {"$gt": after_key}}]

        async def work(collection: Collection) -> list[Fields]:
            return [each async for each in collection.find(place).sort([("oldest", 1), ("_id", 1)]).limit(limit)]

        found = await self._database.read(ATTENDANCES, "pending", work)
        pending = tuple(PendingAttendance(each["_id"], sendings_of(unpack(each["body"]))) for each in found)
        return AttendancePage(pending, f"{found[-1]['oldest']}:{found[-1]['_id']}" if len(found) == limit else "")

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        """As the port says."""
        await self._apply({key: partial(_sent, ids=ids, now_ms=now_ms) for key, ids in done.items()})

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        await self._forget_holders(before_ms)

        async def work(collection: Collection) -> list[str]:
            return [each["_id"] async for each in collection.find({"idle": {"$lt": before_ms}}, {"_id": 1}).limit(limit)]

        keys = await self._database.read(ATTENDANCES, "idle", work)
        if keys:
            wanted = {"_id": {"$in": keys}, "idle": {"$lt": before_ms}}
            await self._quiet(ATTENDANCES, "forget", lambda collection: collection.delete_many(wanted))
        return len(keys)

    async def _forget_holders(self, before_ms: int) -> None:
        async def work(collection: Collection) -> list[str]:
            return [each["_id"] async for each in collection.find({"cleared": {"$lt": before_ms}}, {"_id": 1}).limit(HOLDERS_PAGE)]

        for name in await self._database.read(HOLDERS, "cleared", work):
            holds = partial(_holds, holder=name)
            if not await self._database.read(ATTENDANCES, "held", holds):
                gone = {"_id": name, "cleared": {"$lt": before_ms}}
                await self._quiet(HOLDERS, "forget", partial(_delete, wanted=gone))

    async def _admitted(self, holder: str, first: int, leave_at_ms: int | None) -> bool:
        """Whether this holder may change anything; it is there then, and says if it leaves."""
        leave = {} if leave_at_ms is None else {"leave": leave_at_ms}
        living = {"_id": holder, "cleared": {"$exists": False}}
        for _ in range(TRIES):
            found = await self._database.read(HOLDERS, "find", lambda collection: collection.find_one({"_id": holder}))
            if found is None:
                if first != 1:
                    return False
                await self._tried(HOLDERS, "attend", lambda collection: collection.insert_one({"_id": holder, **leave}))
            elif "cleared" in found:
                return False
            elif leave and found.get("leave") != leave_at_ms:
                await self._tried(HOLDERS, "attend", lambda collection: collection.update_one(living, {"$set": leave}))
            else:
                return True
        raise unavailable("whether the holder is there is unknown")

    async def _mark(self, holder: str, now_ms: int) -> None:
        fence, change = {"_id": holder, "cleared": {"$exists": False}}, {"$set": {"cleared": now_ms}}
        await self._quiet(HOLDERS, "clear", lambda collection: collection.update_one(fence, change))

    async def _apply(self, plans: Mapping[str, Plan]) -> None:
        """Write what the plans make of their keys' documents, in their order, until each has nothing to write any more.

        Raises:
            CausewayError: 100, the outcome is unknown, or others write these keys all the time.
        """
        for _ in range(TRIES):
            found = await self._read(plans)
            operations = list(_operations(plans, found))
            if not operations or await self._written(operations):
                return
            await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - apart from another process that tries the same
        raise unavailable("what became of the changes is unknown")

    async def _read(self, keys: Iterable[str]) -> dict[str, Fields]:
        wanted = {"_id": {"$in": list(keys)}}

        async def work(collection: Collection) -> dict[str, Fields]:
            return {each["_id"]: each async for each in collection.find(wanted)}

        return await self._database.read(ATTENDANCES, "find", work)

    async def _written(self, operations: list[InsertOne[Fields] | UpdateOne]) -> bool:
        """Whether all of it counted for sure."""

        async def work(collection: Collection) -> bool:
            done = await collection.bulk_write(operations, ordered=True)
            return done.matched_count + done.inserted_count == len(operations)

        return bool(await self._tried(ATTENDANCES, "attend", work, len(operations)))

    async def _tried(self, collection: str, operation: str, work: Callable[[Collection], Any], size: int = 0) -> Any:
        """A write that is looked up before it is believed; None where it failed or nobody knows."""
        try:
            return await self._database.write(collection, operation, work, size)
        except (OutcomeUnknownError, PyMongoError):
            return None

    async def _quiet(self, collection: str, operation: str, work: Callable[[Collection], Any]) -> None:
        """A write that whoever asks does again where its outcome is unknown."""
        try:
            await self._database.write(collection, operation, work)
        except (OutcomeUnknownError, PyMongoError) as error:
            raise unavailable("the database did not answer, the next round goes on") from error


def read_holder(found: Fields) -> Holder:
    """A holder from its document."""
    return Holder(found["_id"], found.get("leave"), found.get("cleared"))


def stored_attendance(key: str, document: JsonMap, version: int = 1) -> Fields:
    """A key's document in the database's form."""
    fields: Fields = {"_id": key, "v": version, "body": Binary(pack(document)), "held": sorted(holders_of(document))}
    for name, value in (("oldest", oldest_ms(document)), ("idle", idle_since_ms(document))):
        if value is not None:
            fields[name] = value
    return fields


async def clear_all_holders(database: MongoDatabase) -> None:
    """What gateways have told since the copy was made is not here, so they begin anew."""
    living, change = {"cleared": {"$exists": False}}, {"$set": {"cleared": CLEARED_LONG_AGO_MS}}
    await database.database.get_collection(HOLDERS).update_many(living, change)


def _operations(plans: Mapping[str, Plan], found: Mapping[str, Fields]) -> Iterable[InsertOne[Fields] | UpdateOne]:
    for key, plan in plans.items():
        before = found.get(key)
        document = plan(None if before is None else unpack(before["body"]))
        if document is None:
            continue
        if before is None:
            yield InsertOne(stored_attendance(key, document))
            continue
        fields = stored_attendance(key, document, before["v"] + 1)
        gone = {name: "" for name in ("oldest", "idle") if name in before and name not in fields}
        del fields["_id"]
        yield UpdateOne({"_id": key, "v": before["v"]}, {"$set": fields, **({"$unset": gone} if gone else {})})


def _changed(document: JsonMap | None, *, holder: str, changes: Sequence[Change], now_ms: int) -> JsonMap | None:
    changed: JsonMap | None = None
    for change in changes:
        changed = plan_change(changed or document, holder, change, now_ms) or changed
    return changed


def _sent(document: JsonMap | None, *, ids: frozenset[str], now_ms: int) -> JsonMap | None:
    if document is None:
        return None
    rest = sent(document, ids, now_ms)
    return None if rest == document else rest


async def _holds(collection: Collection, *, holder: str) -> bool:
    return await collection.find_one({"held": {"$in": [holder]}}, {"_id": 1}) is not None


async def _delete(collection: Collection, *, wanted: Fields) -> None:
    await collection.delete_many(wanted)
