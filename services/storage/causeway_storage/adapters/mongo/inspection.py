"""`ports.Inspection` on MongoDB: each log as of one moment, by reading its head document first. Writes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from pymongo.errors import PyMongoError

from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase, MongoOptions
from causeway_storage.adapters.mongo.heads import read_head, read_kept
from causeway_storage.adapters.mongo.schema import META, open_schema
from causeway_storage.adapters.mongo.segments import SEGMENTS, log_key
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.stored import AnyEntry, Entity, Facts, Log, Publication, Record, SeenId, Unreadable, tag_of

Found = AnyEntry | Unreadable
PAGE: Final = 1000
TRIES: Final = 4
READ_COLLECTIONS: Final = frozenset({META, "heads", SEGMENTS, "entities", "records", "probe"})
"""All the collections there are; a test compares them with the schema, so that a new one is not forgotten here."""
_BESIDE: Final = frozenset({"_id", "app", "kind", "id", "oldest"})
"""Fields of an entity that are not its document."""


@asynccontextmanager
async def inspected(options: MongoOptions) -> AsyncIterator[MongoInspection]:
    """Look at a database for the block.

    Raises:
        StartError: it does not answer, or has no schema of this version.
    """
    database = MongoDatabase(options)
    try:
        await database.connect()
        database.generation = await open_schema(database)
        yield MongoInspection(database)
    except PyMongoError as error:
        raise StartError(f"the database cannot be read: {error}") from error
    finally:
        await database.stop()


class MongoInspection:
    """Everything that is stored."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def facts(self) -> Facts:
        """As the port says."""
        counts = {}
        for kind, name in ((Log, "heads"), (Entity, "entities"), (Record, "records")):
            counts[tag_of(kind)] = await self._database.database.get_collection(name).estimated_document_count()
        return Facts("mongodb", self._database.generation, counts)

    async def pages(self) -> AsyncIterator[list[Found]]:
        """As the port says."""
        page: list[Found] = []
        async for entry in self._entries():
            page.append(entry)
            if len(page) == PAGE:
                yield page
                page = []
        yield page

    async def _entries(self) -> AsyncIterator[Found]:
        async for each in self._sorted("heads", "_id"):
            for entry in await self._log(each["_id"]):
                yield entry
        async for each in self._sorted("entities", "app", "kind", "id"):
            yield _entity(each)
        async for each in self._sorted("records", "_id"):
            yield _record(each)

    def _sorted(self, collection: str, *fields: str) -> Any:
        return self._database.database.get_collection(collection).find({}).sort([(field, 1) for field in fields])

    async def _log(self, channel: str) -> list[Found]:
        """One log as of one moment; what was trimmed while it was read is read again."""
        found: list[Found] = []
        for _ in range(TRIES):
            document = await self._database.database.get_collection("heads").find_one({"_id": channel})
            if document is None:
                return []  # removed meanwhile
            try:
                found = await self._one_log(channel, document)
            except (LookupError, TypeError, ValueError) as error:
                return [Unreadable("log.row", f"log {channel}", f"its head document cannot be read: {error!r:.200}")]
            offsets = [each.offset for each in found if isinstance(each, Publication)]
            if offsets == list(range(document["floor"] + 1, document["head"] + 1)):
                break
        return found

    async def _one_log(self, channel: str, document: Fields) -> list[Found]:
        head = read_head(document)
        segments = [
            each
            async for each in self._database.database.get_collection(SEGMENTS)
            .find({"log": log_key(head.log.letters, channel)})
            .sort([("first", 1)])
        ]
        bodies: dict[int, tuple[int, bytes]] = {}
        ids: dict[str, tuple[int, int]] = {}
        beyond: list[Found] = []
        for first, kept in (
            *((each["first"], read_kept(each["first"], _with_pubs(each))) for each in segments),
            (0, head.kept),
        ):
            bodies |= {each.offset: (each.time_ms, each.body) for each in kept if each.body and each.offset > head.log.floor}
            ids |= {each.id: (each.offset, each.time_ms) for each in kept if each.id}
            if kept and kept[-1].offset > head.log.head:
                what = f"a segment from offset {first} on ends at {kept[-1].offset}, the head is {head.log.head}"
                beyond.append(Unreadable("log.beyond_head", f"log {channel}", what))
        entries: list[Found] = [
            Log(
                channel=channel,
                letters=head.log.letters,
                head=head.log.head,
                floor=head.log.floor,
                ttl_ms=head.ttl_ms,
                expires_ms=document.get("expires"),
                version=head.seen.version,
                version_epoch=head.seen.epoch,
            )
        ]
        within = sorted((offset, each) for offset, each in bodies.items() if offset <= head.log.head)
        entries += [Publication(channel=channel, offset=offset, time_ms=time_ms, body=body) for offset, (time_ms, body) in within]
        seen = sorted((offset, time_ms, name) for name, (offset, time_ms) in ids.items() if offset <= head.log.head)
        entries += [SeenId(channel=channel, id=name, offset=offset, time_ms=time_ms) for offset, time_ms, name in seen]
        return [*entries, *beyond]


def _with_pubs(segment: Fields) -> Fields:
    """A trimmed segment with empty publications, so that its ids can be read."""
    return {**segment, "pubs": [b""] * len(segment["ids"])} if segment.get("trimmed") else segment


def _entity(found: Fields) -> Found:
    where = f"entity {found.get('app')}/{found.get('kind')}/{found.get('id')}"
    try:
        document = {name: value for name, value in found.items() if name not in _BESIDE}
        document["state"] = unpack(document["state"])
        document["outbox"] = [{**each, "items": unpack(each["items"])["items"]} for each in document["outbox"]]
        times = [each["at"] for each in document["outbox"]]
        oldest = found.get("oldest")
        if oldest is not None and (not times or oldest < min(times)):
            oldest = min(times, default=None)  # two clearings met; the sweep that finds it early puts it right
        return Entity(
            app=found["app"], kind=found["kind"], id=found["id"], version=found["version"], document=document, oldest_ms=oldest
        )
    except Exception as error:  # noqa: BLE001 - msgpack's own errors have no common base below this one
        return Unreadable("entity.document", where, f"its document cannot be read: {error!r:.200}")


def _record(found: Fields) -> Found:
    pending = found.get("state") == "pending"
    try:
        return msgspec.convert(
            {
                **{name: found[name] for name in _RECORD if name in found},
                "id": found["_id"],
                "payload": unpack(found["payload"]),
                "traceparent": found["trace"],
                # A pending record is found by `due` alone.
                "next_at_ms": found.get("due") if pending else found["next_at_ms"],
            },
            Record,
        )
    except Exception as error:  # noqa: BLE001 - as above
        return Unreadable("record.payload", f"record {found.get('_id')}", f"it cannot be read: {error!r:.200}")


_RECORD: Final = tuple(field.name for field in msgspec.structs.fields(Record))
