"""`ports.Restoration` on MongoDB. While it fills the database a mark in it keeps every serving process out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, assert_never

from pymongo.errors import PyMongoError

from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase, MongoOptions
from causeway_storage.adapters.mongo.entities import stored_entity
from causeway_storage.adapters.mongo.heads import Kept, oldest_id_ms, write_kept
from causeway_storage.adapters.mongo.records import stored_record
from causeway_storage.adapters.mongo.schema import IMPORTING, META, migrate
from causeway_storage.adapters.mongo.segments import SEGMENTS, log_key
from causeway_storage.domain.record import RecordLife
from causeway_storage.domain.stored import AnyEntry, Entity, Log, Publication, Record, SeenId

PIECE: Final = 32
"""Publications in a segment, and in the head document at the end."""
WRITE: Final = 200


@asynccontextmanager
async def restoring(options: MongoOptions) -> AsyncIterator[MongoRestoration]:
    """Fill a database for the block.

    Raises:
        StartError: it does not answer, is not empty, or another import of it did not finish.
    """
    database = MongoDatabase(options)
    try:
        await database.connect()
        yield MongoRestoration(database)
    except PyMongoError as error:
        raise StartError(f"the import stopped, drop the database and begin again: {error}") from error
    finally:
        await database.stop()


class MongoRestoration:
    """An empty database that is filled."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._waiting: dict[str, list[Fields]] = {}
        self._log: Log | None = None
        self._pubs: list[Publication] = []
        self._ids: list[SeenId] = []
        self._base = 0

    async def begin(self) -> int:
        """As the port says."""
        await migrate(self._database)
        for name in ("heads", SEGMENTS, "entities", "records"):
            if await self._database.database.get_collection(name).find_one({}):
                raise StartError(f"the database is not empty ({name} has documents): name another one")
        meta = self._database.database.get_collection(META)
        await meta.update_one({"_id": IMPORTING}, {"$set": {"value": 1}}, upsert=True)
        found = await meta.find_one({"_id": "generation"})
        return int(found["value"]) if found else 0

    async def add(self, entries: Sequence[AnyEntry]) -> None:
        """As the port says."""
        for entry in entries:
            match entry:
                case Log():
                    self._end_of_log()
                    self._log, self._base = entry, entry.floor
                case Publication():
                    self._pubs.append(entry)
                    if len(self._pubs) == 2 * PIECE:
                        self._segment()
                case SeenId():
                    self._ids.append(entry)
                case Entity():
                    self._put("entities", stored_entity(entry.app, entry.kind, entry.id, entry.document))
                case Record():
                    self._put("records", _record(entry))
                case other:
                    assert_never(other)
            await self._write(WRITE)

    async def finish(self, generation: int) -> None:
        """As the port says."""
        self._end_of_log()
        await self._write(1)
        meta = self._database.database.get_collection(META)
        await meta.update_one({"_id": "generation"}, {"$set": {"value": generation}})
        await meta.delete_one({"_id": IMPORTING})

    def _put(self, collection: str, document: Fields) -> None:
        self._waiting.setdefault(collection, []).append(document)

    async def _write(self, least: int) -> None:
        for name, documents in self._waiting.items():
            if len(documents) >= least:
                await self._database.database.get_collection(name).insert_many(documents, ordered=False)
                documents.clear()

    def _segment(self) -> None:
        """Put the oldest publications that wait into one. Their ids come later, into segments without publications."""
        assert self._log is not None  # noqa: S101 - the reader of an export lets no publication come before its log
        piece, self._pubs = self._pubs[:PIECE], self._pubs[PIECE:]
        kept = [Kept(each.offset, "", each.time_ms, each.body) for each in piece]
        self._base = kept[-1].offset
        self._put(SEGMENTS, _document(self._log, "", kept))

    def _end_of_log(self) -> None:
        log = self._log
        if log is None:
            return
        while len(self._pubs) > PIECE:
            self._segment()
        ids = {each.offset: each for each in self._ids}
        bodies = {each.offset: each for each in self._pubs}
        # Ids at or below the floor that are young enough to be asked for stay too, in the head document or in segments.
        old = [each for each in self._ids if each.offset <= self._base]
        kept = []
        for offset in range(self._base + 1, log.head + 1):
            seen, body = ids.get(offset), bodies.get(offset)
            time_ms = body.time_ms if body else seen.time_ms if seen else 0
            kept.append(Kept(offset, seen.id if seen else "", time_ms, body.body if body else b""))
        self._put("heads", _head(log, kept))
        for piece in _pieces(old):
            self._put(SEGMENTS, {**_document(log, "i", piece), "pubs": [], "trimmed": True})
        self._log, self._pubs, self._ids = None, [], []


def _pieces(ids: Sequence[SeenId]) -> list[list[Kept]]:
    """Ids by runs of consecutive offsets, a segment each."""
    pieces: list[list[Kept]] = []
    for each in ids:
        kept = Kept(each.offset, each.id, each.time_ms, b"")
        if pieces and len(pieces[-1]) < PIECE and pieces[-1][-1].offset + 1 == each.offset:
            pieces[-1].append(kept)
        else:
            pieces.append([kept])
    return pieces


def _document(log: Log, mark: str, kept: Sequence[Kept]) -> Fields:
    fields = {
        "_id": f"{log.letters}!{mark}{kept[0].offset:016d}!{log.channel}",
        "log": log_key(log.letters, log.channel),
        "first": kept[0].offset,
        "last": kept[-1].offset,
        **write_kept(kept, 0),
    }
    oldest = oldest_id_ms(kept)
    return fields if oldest is None else {**fields, "ids_ms": oldest}


def _head(log: Log, kept: Sequence[Kept]) -> Fields:
    fields = {
        "_id": log.channel,
        "letters": log.letters,
        "head": log.head,
        "floor": log.floor,
        "base": log.head - len(kept),
        "ttl": log.ttl_ms,
        "at": max((each.time_ms for each in kept), default=0),
        **write_kept(kept, log.floor),
    }
    if log.version:
        fields["seen"] = [log.version, log.version_epoch]
    if log.expires_ms is not None:
        fields["expires"] = log.expires_ms
    oldest = oldest_id_ms(kept)
    return fields if oldest is None else {**fields, "ids_ms": oldest}


def _record(entry: Record) -> Fields:
    life = RecordLife(
        "pending" if entry.state == "pending" else "done" if entry.state == "done" else "dead",
        entry.attempts,
        entry.settled,
        entry.free_at_ms,
        entry.next_at_ms or 0,
        entry.note,
        entry.ended_ms,
    )
    return stored_record(entry, life, entry.created_ms, born="", node=entry.node)
