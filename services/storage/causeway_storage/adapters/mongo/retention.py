"""What goes: the floor rises first, then segments below it go, later; ids go by age alone.

Nothing here disturbs appends: the floor only rises ($max), and an update that would take something back, such as "nothing is left
to expire", counts only where nobody has appended meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import unavailable
from causeway_storage.adapters.mongo.cache import HEADS, Heads
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.adapters.mongo.heads import TRIM_DELAY_MS, HeadDocument, read_head, write_kept
from causeway_storage.adapters.mongo.segments import SEGMENTS, log_key
from causeway_storage.domain.log import LogHead, plan_expiry

EXPIRY_SEGMENTS: Final = 32
PAGE: Final = 128
TRIES: Final = 8


class Retention:
    """Retention of all logs.

    Args:
        database: where they are.
        heads: the cache, which must not remember what goes.
        forget_slack_ms: documents are looked at for old ids so much later, and so seldom more than once in that time.
    """

    def __init__(self, database: MongoDatabase, heads: Heads, *, forget_slack_ms: int) -> None:
        self._database, self._heads, self._slack_ms = database, heads, forget_slack_ms

    async def remove(self, channel: str) -> LogHead | None:
        """Raise the floor to the head; the log then."""
        sent = 0
        for _ in range(TRIES):
            found = (await self._heads.read([channel])).get(channel)
            if found is None:
                return None
            head = read_head(found).log
            if sent and head.floor >= sent:  # the answer was lost, not the update
                return self._raised(channel, head)
            gone = {"pubs": [b""] * len(found["ids"])}
            change = {"$max": {"floor": head.head}, "$unset": {"expires": ""}, "$min": {"trim": 0}, "$set": gone}
            sent = head.head
            if await self._update(HEADS, "remove", _as_read(channel, head), change):
                return self._raised(channel, LogHead(head.letters, head.head, head.head))
        raise unavailable(f"the log of {channel!r:.80} was appended to all the time, or the outcome is unknown")

    async def expire(self, now_ms: int, limit: int) -> int:
        """Raise the floors over what is too old."""
        return await _in_pages(limit, lambda page: self._expire(now_ms, page))

    async def trim(self, now_ms: int, limit: int) -> int:
        """Remove what segments hold below the floors."""
        found = await self._find(HEADS, {"trim": {"$lte": now_ms}}, {"letters": 1, "head": 1, "floor": 1}, "trim", limit)
        for at in range(0, len(found), 16):
            await asyncio.gather(*(self._trim(each, now_ms) for each in found[at : at + 16]))
        return len(found)

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """Forget ids in head documents and segments, oldest first."""
        wanted = {"ids_ms": {"$lt": before_ms - self._slack_ms}}
        forgotten = 0
        for collection in (SEGMENTS, HEADS):
            fields = {"log": 1, "letters": 1, "head": 1, "ids": 1, "times": 1, "ids_ms": 1}
            for each in await self._find(collection, wanted, fields, "ids_ms", min(limit - forgotten, PAGE)):
                forgotten += await self._forget_ids(collection, each, before_ms)
        return forgotten

    async def remove_quiet(self, before_ms: int, limit: int) -> int:
        """Remove emptied logs that nobody has appended to since, and whose ids were forgotten: an outbox may still hold the others."""
        wanted = {"at": {"$lt": before_ms}, "expires": {"$exists": False}, "ids_ms": {"$exists": False}}
        removed = 0
        for each in await self._find(HEADS, wanted, {"letters": 1, "head": 1, "floor": 1}, "at", limit):
            key = {"log": log_key(each["letters"], each["_id"])}
            # The segments first: they hold nothing that is served, and a head document that is still there makes us come again.
            await self._quiet(SEGMENTS, "remove", partial(_delete, wanted=key))
            head = LogHead(each["letters"], each["head"], each["floor"])
            fence = _as_read(each["_id"], head)
            await self._quiet(HEADS, "remove", partial(_delete, wanted=fence))
            self._heads.stale(each["_id"])
            removed += 1
        return removed

    async def _expire(self, now_ms: int, limit: int) -> int:
        due = await self._find(HEADS, {"expires": {"$lte": now_ms}}, None, "expires", limit)
        changes: list[UpdateOne] = []
        for each in due:
            document = read_head(each)
            oldest, complete = await self._oldest(each["_id"], document)
            floor = document.log.floor
            plan = plan_expiry(floor, oldest, ttl_ms=document.ttl_ms, now_ms=now_ms, complete=complete)
            change: Fields = {"$max": {"floor": plan.floor}}
            if plan.next_ms is None:
                change["$unset"] = {"expires": ""}
            else:
                change["$set"] = {"expires": plan.next_ms}
            if plan.floor > floor:
                change["$min"] = {"trim": now_ms}
                change["$set"] = {**change.get("$set", {}), "pubs": write_kept(document.kept, plan.floor)["pubs"]}
                self._raised(each["_id"], LogHead(document.log.letters, document.log.head, plan.floor))
            changes.append(UpdateOne(_as_read(each["_id"], document.log), change))
        if changes:
            await self._quiet(HEADS, "expire", lambda collection: collection.bulk_write(changes, ordered=False))
        return len(due)

    async def _oldest(self, channel: str, document: HeadDocument) -> tuple[list[tuple[int, int]], bool]:
        """The log's oldest publications (offset, time), and whether these are all."""
        floor = document.log.floor
        base = document.log.head - len(document.kept)
        found: list[Fields] = []
        if base > floor:
            wanted = {"log": log_key(document.log.letters, channel), "last": {"$gt": floor}}
            found = await self._find(SEGMENTS, wanted, {"first": 1, "times": 1}, "last", EXPIRY_SEGMENTS)
        rows = {each["first"] + index: time_ms for each in found for index, time_ms in enumerate(each["times"])}
        complete = len(found) < EXPIRY_SEGMENTS
        if complete:
            rows |= {each.offset: each.time_ms for each in document.kept}
        return sorted((offset, time_ms) for offset, time_ms in rows.items() if offset > floor), complete

    async def _trim(self, found: Fields, now_ms: int) -> None:
        key = {"log": log_key(found["letters"], found["_id"]), "last": {"$lte": found["floor"]}}
        empty = {"$set": {"pubs": [], "trimmed": True}}
        await self._quiet(SEGMENTS, "trim", lambda collection: collection.update_many({**key, "ids_ms": {"$gte": 0}}, empty))
        await self._quiet(SEGMENTS, "trim", partial(_delete, wanted={**key, "ids_ms": {"$exists": False}}))
        head = LogHead(found["letters"], found["head"], found["floor"])
        if not await self._update(HEADS, "trim", _as_read(found["_id"], head), {"$unset": {"trim": ""}}):
            later = {"$set": {"trim": now_ms + TRIM_DELAY_MS}}
            await self._update(HEADS, "trim", {"_id": found["_id"]}, later)

    async def _forget_ids(self, collection: str, found: Fields, before_ms: int) -> int:
        times: list[int] = found["times"]
        ids = [name if time_ms >= before_ms else "" for name, time_ms in zip(found["ids"], times, strict=True)]
        rest = [time_ms for name, time_ms in zip(ids, times, strict=True) if name]
        change: Fields = {"$set": {"ids": ids}}
        if rest:
            change["$set"]["ids_ms"] = min(rest)
        else:
            change["$unset"] = {"ids_ms": ""}
        fence = {"_id": found["_id"], "ids_ms": found["ids_ms"]}
        if collection == HEADS:
            fence |= {"letters": found["letters"], "head": found["head"]}
        if not await self._update(collection, "forget", fence, change):
            return 0
        if collection == SEGMENTS and not rest:
            gone = {"_id": found["_id"], "trimmed": True}
            await self._quiet(SEGMENTS, "trim", partial(_delete, wanted=gone))
        self._heads.forget_ids(found["_id"] if collection == HEADS else found["log"].split("!", 1)[1], before_ms)
        return sum(map(bool, found["ids"])) - len(rest)

    def _raised(self, channel: str, head: LogHead) -> LogHead:
        self._heads.raise_floor(channel, head)
        return head

    async def _find(self, collection: str, wanted: Fields, fields: Fields | None, order: str, limit: int) -> list[Fields]:
        if limit <= 0:
            return []

        async def work(documents: Collection) -> list[Fields]:
            return [each async for each in documents.find(wanted, fields).sort([(order, 1)]).limit(limit)]

        return await self._database.read(collection, "find", work)

    async def _update(self, collection: str, operation: str, fence: Fields, change: Fields) -> bool:
        """Whether it counted for sure."""
        try:
            done = await self._database.write(collection, operation, lambda documents: documents.update_one(fence, change))
        except OutcomeUnknownError:
            return False
        return bool(done.matched_count)

    async def _quiet(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[Any]]) -> None:
        """Something that is done again when its outcome is unknown."""
        try:
            await self._database.write(collection, operation, work)
        except (OutcomeUnknownError, PyMongoError) as error:
            raise unavailable("the database did not answer, the next round goes on") from error


def _as_read(channel: str, head: LogHead) -> Fields:
    """The fence: nobody has appended since."""
    return {"_id": channel, "letters": head.letters, "head": head.head}


async def _delete(collection: Collection, *, wanted: Fields) -> None:
    await collection.delete_many(wanted)


async def _in_pages(limit: int, work: Callable[[int], Awaitable[int]]) -> int:
    total = 0
    while total < limit:
        page = min(PAGE, limit - total)
        done = await work(page)
        total += done
        if done < page:
            break
    return total
