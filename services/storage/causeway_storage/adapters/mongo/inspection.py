"""`ports.Inspection` on MongoDB, beside the processes that serve: each log and each document as of one moment, not all of one.

A log is its head document and its segments. Between the reading of both it may grow and be trimmed, so where it stands is read again
at the end; what two segments both have (two processes cut the same log at different places) must be the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import msgspec
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo.attendances import ATTENDANCES, HOLDERS
from causeway_storage.adapters.mongo.cache import HEADS
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase, MongoOptions
from causeway_storage.adapters.mongo.entities import ENTITIES, ENTRIES, as_known, name_of, stored_entries
from causeway_storage.adapters.mongo.heads import HeadDocument, Kept, read_head, read_kept
from causeway_storage.adapters.mongo.lines import RECORDS
from causeway_storage.adapters.mongo.schema import META, open_schema
from causeway_storage.adapters.mongo.segments import SEGMENTS, log_key
from causeway_storage.adapters.mongo.timers import OPERATIONS, TIMERS, read_operation, read_timer
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.log import LogHead
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.stored import (
    AnyEntry,
    Attendance,
    Entity,
    Facts,
    Holder,
    Log,
    Operation,
    Publication,
    Record,
    SeenId,
    Timer,
    Unreadable,
)

PAGE: Final = 500
READ_COLLECTIONS: Final = frozenset({META, HEADS, SEGMENTS, ENTITIES, RECORDS, ATTENDANCES, HOLDERS, TIMERS, OPERATIONS})
"""All the collections there are; a test compares them with the schema, so that a new one is not forgotten here."""
Found = AnyEntry | Unreadable
_READ_FAULTS: Final = (KeyError, TypeError, ValueError, msgspec.MsgspecError)
"""What reading a document of another shape raises."""


@asynccontextmanager
async def inspected(options: MongoOptions) -> AsyncIterator[MongoInspection]:
    """Look at a database for the block.

    Raises:
        StartError: it does not answer, or has no schema of this version.
    """
    database = MongoDatabase(options)
    try:
        await database.connect()
        yield MongoInspection(database, await open_schema(database))
    except CausewayError as error:
        raise StartError(error.message) from error
    except PyMongoError as error:
        raise StartError(f"MongoDB does not answer: {error}") from error
    finally:
        await database.stop()


class MongoInspection:
    """Everything that is stored.

    Args:
        database: connected.
        generation: its generation.
    """

    def __init__(self, database: MongoDatabase, generation: int) -> None:
        self._database, self._generation = database, generation

    async def facts(self) -> Facts:
        """As the port says; of publications it has the segments' number."""
        names = {"log": HEADS, "publication": SEGMENTS, "entity": ENTITIES, "record": RECORDS, "attendance": ATTENDANCES}
        counts = {tag: await self._collection(name).estimated_document_count() for tag, name in names.items()}
        return Facts("mongodb", self._generation, counts, one_moment=False)

    async def pages(self) -> AsyncIterator[list[Found]]:
        """As the port says."""
        page: list[Found] = []
        async for found in self._entries():
            page.append(found)
            if len(page) >= PAGE:
                yield page
                page = []
        yield page

    def _collection(self, name: str) -> Any:
        return self._database.database.get_collection(name)

    async def _entries(self) -> AsyncIterator[Found]:
        async for fields in self._collection(HEADS).find({}, batch_size=PAGE).sort([("_id", 1)]):
            for found in await self._log(fields):
                yield found
        async for stray in self._strays():
            yield stray
        readers: tuple[tuple[str, str, Callable[[Fields], list[Found]]], ...] = (
            (RECORDS, "_id", lambda fields: [_record(fields)]),
            (ATTENDANCES, "_id", lambda fields: [_attendance(fields)]),
            (HOLDERS, "_id", lambda fields: [_holder(fields)]),
            (TIMERS, "_id", lambda fields: [_decoded("timer", fields, read_timer)]),
            (OPERATIONS, "_id", lambda fields: [_decoded("operation", fields, read_operation)]),
        )
        for name, order, read in ((ENTITIES, "app kind id", _entity_entries), *readers):
            async for fields in self._collection(name).find({}, batch_size=PAGE).sort([(each, 1) for each in order.split()]):
                for found in read(fields):
                    yield found

    async def _log(self, fields: Fields) -> list[Found]:
        channel, where = fields["_id"], f"log {fields['_id']}"
        try:
            document = read_head(fields)
            if not fields["base"]:
                return list(_log_entries(channel, fields, document, {each.offset: each for each in document.kept}))
            held, faults = await self._held(channel, document)
        except _READ_FAULTS as error:
            return [Unreadable("log.row", where, f"its head document or a segment cannot be read: {error!r:.200}")]
        if (now := await self._now(channel, document.log)) is None:
            return []  # the log went meanwhile
        head = document.log.head
        document = replace(document, log=replace(document.log, floor=min(now.floor, head)))
        # What was appended meanwhile may be in segments already: it is left out. What no head knows of is a violation.
        within = {offset: each for offset, each in held.items() if offset <= head or offset > now.head}
        return [*_log_entries(channel, fields, document, within), *(Unreadable("log.rewritten", where, each) for each in faults)]

    async def _held(self, channel: str, document: HeadDocument) -> tuple[dict[int, Kept], list[str]]:
        """What segments and head document hold, by offset, and where they contradict each other."""
        held: dict[int, Kept] = {}
        faults: list[str] = []
        wanted = {"log": log_key(document.log.letters, channel)}
        async for segment in self._collection(SEGMENTS).find(wanted, batch_size=PAGE).sort([("last", 1)]):
            bare = {**segment, "pubs": [b""] * len(segment["ids"])} if segment.get("trimmed") else segment
            _lay(held, read_kept(segment["first"], bare), faults)
        _lay(held, document.kept, faults)
        return dict(sorted(held.items())), faults

    async def _now(self, channel: str, log: LogHead) -> LogHead | None:
        """Where the log stands now; None where it is not there any more."""
        wanted = {"_id": channel, "letters": log.letters}
        found = await self._collection(HEADS).find_one(wanted, {"head": 1, "floor": 1})
        return None if found is None else LogHead(log.letters, found["head"], found["floor"])

    async def _strays(self) -> AsyncIterator[Unreadable]:
        """Segments of logs that are not there: `letters!channel`."""
        waiting: list[str] = []
        last = ""
        async for segment in self._collection(SEGMENTS).find({}, {"log": 1}, batch_size=PAGE).sort([("log", 1)]):
            if segment["log"] != last:
                last = segment["log"]
                waiting.append(last)
            if len(waiting) == PAGE:
                for stray in await self._without_head(waiting):
                    yield stray
                waiting.clear()
        for stray in await self._without_head(waiting):
            yield stray

    async def _without_head(self, logs: list[str]) -> list[Unreadable]:
        channels = [log.partition("!")[2] for log in logs]
        found = self._collection(HEADS).find({"_id": {"$in": channels}}, {"letters": 1})
        there = {log_key(each["letters"], each["_id"]) async for each in found}
        return [Unreadable("log.stray", f"log {log}", "there are segments of it, but no head") for log in logs if log not in there]


def _lay(held: dict[int, Kept], kept: tuple[Kept, ...], faults: list[str]) -> None:
    """Lay these over what is held. An id or a publication may be gone in either; what is in both is the same."""
    for new in kept:
        old = held.get(new.offset, new)
        if any(one and other and one != other for one, other in ((old.id, new.id), (old.body, new.body))):
            faults.append(f"offset {new.offset} is stored twice, and not the same")
        held[new.offset] = replace(new, id=old.id or new.id, body=old.body or new.body)


def _log_entries(channel: str, fields: Fields, document: HeadDocument, held: dict[int, Kept]) -> Iterator[Found]:
    log, seen = document.log, document.seen
    yield Log(
        channel=channel,
        letters=log.letters,
        head=log.head,
        floor=log.floor,
        ttl_ms=document.ttl_ms,
        expires_ms=fields.get("expires"),
        version=seen.version,
        version_epoch=seen.epoch,
    )
    for offset, each in held.items():
        if each.id:
            yield SeenId(channel=channel, id=each.id, offset=offset, time_ms=each.time_ms)
        if each.body and offset > log.floor:
            yield Publication(channel=channel, offset=offset, time_ms=each.time_ms, body=each.body)


def _entity_entries(fields: Fields) -> list[Found]:
    """An entity, and whether queries find it by what its document says."""
    entity = _entity(fields)
    if not isinstance(entity, Entity):
        return [entity]
    if fields.get(ENTRIES) == stored_entries(EntityKey(entity.app, entity.kind, entity.id), entity.document):
        return [entity]
    where = f"entity {entity.app}/{entity.kind}/{entity.id}"
    return [entity, Unreadable("entity.misplaced", where, "it is not found by what its document says: index entries")]


def _holder(fields: Fields) -> Found:
    return Holder(name=fields["_id"], leave_at_ms=fields.get("leave"), cleared_ms=fields.get("cleared"))


def _entity(fields: Fields) -> Found:
    where = f"entity {fields['_id']}"
    try:
        key = EntityKey(fields["app"], fields["kind"], fields["id"])
        if name_of(key) != fields["_id"]:
            return Unreadable("entity.row", where, f"it says of itself that it is {key}")
        document = as_known(dict(fields))
        for name in ("_id", "app", "kind", "id", "oldest"):
            document.pop(name, None)
        values = {"app": key.app, "kind": key.kind, "id": key.id, "version": fields["version"], "document": document}
        return msgspec.convert({**values, "oldest_ms": fields.get("oldest")}, Entity)
    except Exception as error:  # noqa: BLE001 - msgpack's errors have no common base
        return Unreadable("entity.document", where, f"its document cannot be read: {error!r:.200}")


def _record(fields: Fields) -> Found:
    try:
        payload = unpack(fields["payload"])
    except Exception as error:  # noqa: BLE001 - as above
        return Unreadable("record.payload", f"record {fields['_id']}", f"its payload cannot be read: {error!r:.200}")
    renamed = {**fields, "id": fields["_id"], "payload": payload, "traceparent": fields.get("trace"), "log": fields.get("log", b"")}
    if fields.get("state") == "pending":  # what the sweep looks for
        renamed["next_at_ms"] = fields.get("due")
    try:
        place = {"line": fields.get("line", ""), "turn": fields.get("turn", 0), "behind": fields.get("behind", "")}
        return msgspec.convert({name: renamed.get(name) for name in Record.__struct_fields__} | place, Record)
    except _READ_FAULTS as error:
        return Unreadable("record.row", f"record {fields['_id']}", f"it cannot be read: {error}")


def _attendance(fields: Fields) -> Found:
    where = f"attendance {fields['_id']}"
    try:
        document = unpack(fields["body"])
    except Exception as error:  # noqa: BLE001 - as above
        return Unreadable("attendance.document", where, f"its document cannot be read: {error!r:.200}")
    beside = {"oldest_ms": fields.get("oldest"), "idle_ms": fields.get("idle"), "holders": fields.get("held")}
    try:
        return msgspec.convert({"key": fields["_id"], "document": document, **beside}, Attendance)
    except _READ_FAULTS as error:
        return Unreadable("attendance.row", where, f"it cannot be read: {error}")


def _decoded(what: str, fields: Fields, read: Callable[[Fields], Timer | Operation]) -> Found:
    """What stands as a whole in one field."""
    try:
        return read(fields)
    except _READ_FAULTS as error:
        return Unreadable(f"{what}.row", f"{what} {fields['_id']!r:.80}", f"it cannot be read: {error!r:.200}")
