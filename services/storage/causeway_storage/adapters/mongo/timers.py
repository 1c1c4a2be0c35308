"""`ports.Timers` and `ports.AuditLog` on MongoDB.

timers      _id: the key; version; set_ms; at: when it fires, absent where it fired or was cancelled; body
operations  _id; at; body
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from bson.binary import Binary
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import unavailable
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.domain.stored import Operation, Timer
from causeway_storage.ports import TimerPage

TIMERS: Final = "timers"
OPERATIONS: Final = "operations"
TRIES: Final = 20


def stored_timer(timer: Timer) -> Fields:
    """A timer's document."""
    at = {"at": timer.at_ms} if timer.at_ms else {}
    body = Binary(msgspec.msgpack.encode(timer))
    return {"_id": timer.key, "version": timer.version, "set_ms": timer.set_ms, **at, "body": body}


def read_timer(found: Fields) -> Timer:
    """A timer from its document."""
    return msgspec.structs.replace(msgspec.msgpack.decode(found["body"], type=Timer), at_ms=found.get("at", 0))


def stored_operation(operation: Operation) -> Fields:
    """An audit record's document."""
    return {"_id": operation.id, "at": operation.at_ms, "body": Binary(msgspec.msgpack.encode(operation))}


def read_operation(found: Fields) -> Operation:
    """An audit record from its document."""
    return msgspec.msgpack.decode(found["body"], type=Operation)


class MongoTimers:
    """The timers."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def put(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        await asyncio.gather(*map(self._put, timers))

    async def due(self, now_ms: int, limit: int) -> TimerPage:
        """As the port says."""
        waiting = await _found(self._database, TIMERS, {"at": {"$gt": 0}}, [("at", 1), ("_id", 1)], limit + 1)
        due = tuple(read_timer(each) for each in waiting[:limit] if each["at"] <= now_ms)
        return TimerPage(due, waiting[len(due)]["at"] if len(due) < len(waiting) else None)

    async def waiting(self, after: tuple[int, str], limit: int) -> list[Timer]:
        """As the port says: first those of the same time, then the later ones, each an index's own range."""
        at, key = after
        order = [("at", 1), ("_id", 1)]
        found = await _found(self._database, TIMERS, {"at": at, "_id": {"$gt": key}}, order, limit) if at > 0 else []
        if len(found) < limit:
            found += await _found(self._database, TIMERS, {"at": {"$gt": max(at, 0)}}, order, limit - len(found))
        return [read_timer(each) for each in found]

    async def fired(self, timers: Sequence[Timer]) -> None:
        """As the port says."""
        changes = [UpdateOne({"_id": each.key, "version": each.version}, {"$unset": {"at": ""}}) for each in timers]
        if changes:
            await _repeatable(self._database, TIMERS, "fired", lambda collection: collection.bulk_write(changes, ordered=False))

    async def forget(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        over = {"at": {"$exists": False}, "set_ms": {"$lt": before_ms}}
        old = await _found(self._database, TIMERS, over, [("set_ms", 1)], limit)
        for each in old:
            fence = {"_id": each["_id"], "version": each["version"], "at": {"$exists": False}}
            await _repeatable(self._database, TIMERS, "forget", partial(_delete, wanted=fence))
        return len(old)

    async def _put(self, timer: Timer) -> None:
        """Done again it has no effect, so that an unknown outcome is simply tried again."""
        document = stored_timer(timer)
        change: Fields = {"$set": {name: value for name, value in document.items() if name != "_id"}}
        if not timer.at_ms:
            change["$unset"] = {"at": ""}
        older = {"_id": timer.key, "version": {"$lt": timer.version}}
        for _ in range(TRIES):
            try:
                done = await self._database.write(TIMERS, "put", lambda collection: collection.update_one(older, change))
                if done.matched_count:
                    return
                there = await _found(self._database, TIMERS, {"_id": timer.key}, [("_id", 1)], 1)
                if there and there[0]["version"] >= timer.version:
                    return
                await self._database.write(TIMERS, "put", lambda collection: collection.insert_one(document))
            except (OutcomeUnknownError, PyMongoError):
                continue
            return
        raise unavailable("whether the timer is set is unknown")


class MongoAuditLog:
    """The audit records."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def record(self, operations: Sequence[Operation]) -> None:
        """As the port says."""
        documents = [stored_operation(each) for each in operations]
        if documents:
            await _repeatable(
                self._database, OPERATIONS, "record", lambda collection: collection.insert_many(documents, ordered=False)
            )

    async def page(self, before: str, limit: int) -> list[Operation]:
        """As the port says."""
        place: Fields = {"_id": {"$lt": before}} if before else {}
        return [read_operation(each) for each in await _found(self._database, OPERATIONS, place, [("_id", -1)], limit)]

    async def remove(self, before_ms: int, limit: int) -> int:
        """As the port says."""
        old = await _found(self._database, OPERATIONS, {"at": {"$lt": before_ms}}, [("_id", 1)], limit)
        if old:
            wanted = {"_id": {"$in": [each["_id"] for each in old]}}
            await _repeatable(self._database, OPERATIONS, "remove", partial(_delete, wanted=wanted))
        return len(old)


async def _found(database: MongoDatabase, name: str, wanted: Fields, order: list[tuple[str, int]], limit: int) -> list[Fields]:
    async def work(collection: Collection) -> list[Fields]:
        return [each async for each in collection.find(wanted).sort(order).limit(limit)]

    return await database.read(name, "find", work)


async def _repeatable(database: MongoDatabase, name: str, operation: str, work: Callable[[Collection], Awaitable[Any]]) -> None:
    """What may be done twice: there already is as good as done."""
    try:
        await database.write(name, operation, work)
    except PyMongoError:
        return
    except OutcomeUnknownError as error:
        raise unavailable("the database did not answer; doing it again does no harm") from error


async def _delete(collection: Collection, *, wanted: Fields) -> None:
    await collection.delete_many(wanted)
