"""`ports.Entities` on MongoDB: a commit is one conditional update of one document, its outbox inside.

_id                       app, kind and id
app, kind, id             of the entity
version                   the fence of every commit
state                     one msgpack value: what apps write is never a field or an operator here
commits, last             recent commit ids with their versions; who, when and which trace
outbox                    one element per commit: id, items (msgpack), bytes, count, at, trace
oldest                    not later than the oldest element; absent where the outbox is empty
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any, Final, assert_never

from bson.binary import Binary
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import overloaded, unavailable
from causeway_common.contracts.messages import Document, JsonMap, Trace
from causeway_common.runtime import fault_point
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError, require_size
from causeway_storage.domain.entity import (
    DELETED,
    TIMERS,
    Busy,
    Commit,
    Conflict,
    Element,
    EntityKey,
    Repeat,
    Write,
    entries_of,
    loaded,
    outbox_of,
    plan_commit,
    trail_of,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.domain.query import Query
from causeway_storage.ports import Committed, Conflicted, Found, PendingEntity, PendingPage

ENTITIES: Final = "entities"
ENTRIES: Final = "entries"
_SET: Final = ("version", "commits", "last", "trail", "indexes", TIMERS, DELETED)
TRIES: Final = 20
PAUSE_S: Final = 0.05
WITHOUT_PAYLOADS: Final = {"state": 0, "commits": 0, "outbox.items": 0}


class MongoEntities:
    """The entities."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._cursor_key = b""

    async def load(self, key: EntityKey) -> Document:
        """As the port says."""
        return loaded(await self.document(key))

    async def commit(self, key: EntityKey, commit: Commit) -> Committed | Conflicted:
        """As the port says."""
        sent = False
        for _ in range(TRIES):
            document = await self.document(key)
            match plan_commit(key, document, commit):
                case Write(written, version):
                    fault_point("storage.commit.before_write")
                    require_size(commit.state_bytes + commit.items_bytes, f"the {key.kind} {key.id!r:.80}")
                    if await self._written(key, document, written):
                        return Committed(version)
                    sent = True
                case Repeat(version):
                    # Sent here a moment ago, or by somebody else before: only then it is a repeat.
                    return Committed(version) if sent else Committed(version, repeat=True, document=loaded(document))
                case Conflict():
                    return Conflicted(loaded(document))
                case Busy(why):
                    raise overloaded(f"busy: {why}")
                case other:
                    assert_never(other)
            await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - what is under way may become majority-durable
        raise unavailable("the outcome of the commit is unknown")

    async def outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """As the port says."""
        return outbox_of(await self.document(key, {"outbox": 1}))

    async def clear(self, key: EntityKey, ids: frozenset[str]) -> None:
        """As the port says. `oldest` goes along where no commit comes between; a sweep that meets it puts it right."""
        pull: Fields = {"$pull": {"outbox": {"id": {"$in": sorted(ids)}}}}
        for _ in range(TRIES):
            found = await self._find(name_of(key), WITHOUT_PAYLOADS)
            if found is None:
                return
            rest = [each["at"] for each in found["outbox"] if each["id"] not in ids]
            fence = {"_id": name_of(key), "version": found["version"]}
            if await self._update("clear", fence, {**pull, **_oldest(rest)}):
                return
        if not await self._update("clear", {"_id": name_of(key)}, pull):
            raise unavailable("the outcome of the clearing is unknown")

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> PendingPage:
        """As the port says."""
        after_ms, _, after_name = cursor.partition(":")
        place: Fields = {"oldest": {"$lte": older_than_ms}}
        if cursor:
            at = int(after_ms)
            place["$or"] = [{"oldest": {"$gt": at}}, {"oldest": at, "_id": {"$gt": after_name}}]

        async def work(collection: Collection) -> list[Fields]:
            return [each async for each in collection.find(place, WITHOUT_PAYLOADS).sort([("oldest", 1), ("_id", 1)]).limit(limit)]

        found = await self._database.read(ENTITIES, "pending", work)
        waiting = [each for each in found if not await self._healed(each)]
        entities = tuple(PendingEntity(EntityKey(each["app"], each["kind"], each["id"]), each["oldest"]) for each in waiting)
        return PendingPage(entities, f"{found[-1]['oldest']}:{found[-1]['_id']}" if len(found) == limit else "")

    async def query(self, query: Query) -> list[Found]:
        """As the port says."""
        wanted, order = _wanted(query), f"{ENTRIES}.{query.order}"

        async def work(collection: Collection) -> list[Fields]:
            found = collection.find(wanted).sort([(order, -1 if query.descending else 1)]).limit(query.limit)
            return [each async for each in found]

        scope = len(scope_of(query.app, query.kind))
        found = await self._database.read(ENTITIES, "query", work)
        return [Found(each["id"], loaded(as_known(each)), each[ENTRIES][query.order][scope:]) for each in found]

    async def cursor_key(self) -> bytes:
        """As the port says. `migrate` made it."""
        if not self._cursor_key:
            found = await self._database.read("meta", "find", lambda collection: collection.find_one({"_id": "cursor_key"}))
            if found is None:
                raise unavailable("the database has no key for cursors: run `causeway-storage migrate`")
            self._cursor_key = bytes(found["value"])
        return self._cursor_key

    async def trail(self, key: EntityKey) -> tuple[Trace, ...]:
        """As the port says."""
        return trail_of(await self._find(name_of(key), {"trail": 1}))

    async def remove_tombstones(self, before_ms: int, limit: int) -> int:
        """As the port says."""

        async def work(collection: Collection) -> list[Fields]:
            old = {DELETED: {"$lt": before_ms}, "oldest": {"$exists": False}}
            return [each async for each in collection.find(old, {"version": 1}).sort([(DELETED, 1)]).limit(limit)]

        found = await self._database.read(ENTITIES, "find", work)
        removed = 0
        for each in found:
            fence = {**each, "oldest": {"$exists": False}}
            try:
                done = await self._database.write(ENTITIES, "remove", partial(_delete, fence=fence))
            except OutcomeUnknownError as error:
                raise unavailable("the database did not answer, the next round goes on") from error
            removed += done
        return removed

    async def _written(self, key: EntityKey, before: JsonMap | None, written: JsonMap) -> bool:
        """Whether it is durable for sure; otherwise it has to be looked up."""
        if before is None:
            document = stored_entity(key.app, key.kind, key.id, written)
            try:
                await self._database.write(ENTITIES, "commit", lambda collection: collection.insert_one(document))
            except (OutcomeUnknownError, PyMongoError):
                return False
            return True
        change: Fields = {"$set": _stored(key, written)}
        if DELETED in before and DELETED not in written:
            change["$unset"] = {DELETED: ""}
        if len(written["outbox"]) > len(before["outbox"]):
            element = written["outbox"][-1]
            # No element is there twice, so this is $push; nx-27017's turns documents into strings.
            change |= {"$addToSet": {"outbox": _element(element)}, "$min": {"oldest": element["at"]}}
        return await self._update("commit", {"_id": name_of(key), "version": before["version"]}, change)

    async def document(self, key: EntityKey, fields: Fields | None = None) -> JsonMap | None:
        """The document as the domain knows it."""
        found = await self._find(name_of(key), fields)
        return None if found is None else as_known(found)

    async def _find(self, name: str, fields: Fields | None) -> Fields | None:
        return await self._database.read(ENTITIES, "find", lambda collection: collection.find_one({"_id": name}, fields))

    async def _update(self, operation: str, fence: Fields, change: Fields) -> bool:
        """Whether it counted for sure."""
        try:
            done = await self._database.write(ENTITIES, operation, lambda collection: collection.update_one(fence, change))
        except OutcomeUnknownError:
            return False
        return bool(done.matched_count)

    async def _healed(self, found: Fields) -> bool:
        """Put `oldest` right where two clearings met; whether the outbox was empty."""
        times = [each["at"] for each in found["outbox"]]
        if not times or min(times) != found["oldest"]:
            fence = {"_id": found["_id"], "version": found["version"], "oldest": found["oldest"]}
            await self._update("heal", fence, _oldest(times))
        if times:
            found["oldest"] = max(found["oldest"], min(times))
        return not times


def name_of(key: EntityKey) -> str:
    """One string for each key: an app's name has no colon, and the kind's length tells where the id begins."""
    return f"{key.app}:{len(key.kind)}:{key.kind}:{key.id}"


def scope_of(app: str, kind: str) -> str:
    """What begins the index entries of one kind of one app."""
    return f"{app}:{len(kind)}:{kind}:"


def as_known(found: Fields) -> JsonMap:
    """A document as the domain knows it, from the database's form."""
    outbox = [{**each, "items": unpack(each["items"])["items"]} for each in found["outbox"]]
    known = {name: value for name, value in found.items() if name != ENTRIES} | {"outbox": outbox}
    return {**known, "state": unpack(found["state"])} if "state" in found else known


def stored_entity(app: str, kind: str, name: str, document: JsonMap) -> Fields:
    """An entity's whole document, from the domain's; fields that are not known here stay as they are."""
    outbox = [_element(each) for each in document["outbox"]]
    oldest = {"oldest": min(each["at"] for each in outbox)} if outbox else {}
    key = EntityKey(app, kind, name)
    beside = {"_id": name_of(key), "app": app, "kind": kind, "id": name}
    return {**document, **_stored(key, document), **beside, "outbox": outbox, **oldest}


def _stored(key: EntityKey, written: JsonMap) -> Fields:
    """The fields that a commit sets. All others stay as they are: they may be a newer version's."""
    fields: Fields = {name: written[name] for name in _SET if name in written}
    return {**fields, "state": Binary(pack(written["state"])), ENTRIES: stored_entries(key, written)}


def stored_entries(key: EntityKey, document: JsonMap) -> dict[str, str]:
    """What queries find an entity by."""
    scope = scope_of(key.app, key.kind)
    return {name: scope + entry for name, entry in entries_of(document, key.id).items()}


def _wanted(query: Query) -> Fields:
    scope = scope_of(query.app, query.kind)
    # All of the kind, from its first entry to before what is behind them all: the order's index bounds the search.
    conditions: list[Fields] = [{f"{ENTRIES}.{query.order}": {"$gte": scope, "$lt": scope + "~"}}]
    if query.after:
        conditions.append({f"{ENTRIES}.{query.order}": {"$lt" if query.descending else "$gt": scope + query.after}})
    for each in query.where:
        ranges = [{f"{ENTRIES}.{each.index}": {"$gte": scope + one.first, "$lt": scope + one.end}} for one in each.ranges]
        conditions.append({"$or": ranges} if ranges else {"_id": {"$in": []}})
    return {"$and": conditions}


async def _delete(collection: Collection, *, fence: Fields) -> int:
    return (await collection.delete_one(fence)).deleted_count


def _element(element: JsonMap) -> Fields:
    return {**element, "items": Binary(pack({"items": element["items"]}))}


def _oldest(times: list[Any]) -> Fields:
    return {"$set": {"oldest": min(times)}} if times else {"$unset": {"oldest": ""}}
