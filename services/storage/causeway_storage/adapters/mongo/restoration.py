"""`ports.Restoration` on MongoDB: while a database is filled it is marked, and no process serves a database with the mark.

An import that was broken off leaves the mark: the next one begins by removing what is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, assert_never, cast

from pymongo.errors import PyMongoError

from causeway_common.runtime import StartError, now_ms
from causeway_storage.adapters.mongo.attendances import ATTENDANCES, HOLDERS, clear_all_holders, stored_attendance
from causeway_storage.adapters.mongo.cache import HEADS
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase, MongoOptions
from causeway_storage.adapters.mongo.entities import ENTITIES, stored_entity
from causeway_storage.adapters.mongo.heads import NEWEST_MAX, NEWEST_MAX_BYTES, HeadDocument, Kept, insertion
from causeway_storage.adapters.mongo.lines import RECORDS, TURN
from causeway_storage.adapters.mongo.records import stored_record
from causeway_storage.adapters.mongo.schema import IMPORTING, META, migrate
from causeway_storage.adapters.mongo.segments import SEGMENTS, Segment
from causeway_storage.adapters.mongo.timers import OPERATIONS, TIMERS, stored_operation, stored_timer
from causeway_storage.domain.log import LogHead, SeenVersion
from causeway_storage.domain.record import RecordLife, State
from causeway_storage.domain.stored import AnyEntry, Attendance, Entity, Holder, Log, Operation, Publication, Record, SeenId, Timer

FILLED: Final = (HEADS, SEGMENTS, ENTITIES, RECORDS, ATTENDANCES, HOLDERS, TIMERS, OPERATIONS)


@asynccontextmanager
async def restoring(options: MongoOptions) -> AsyncIterator[MongoRestoration]:
    """Fill the database for the block.

    Raises:
        StartError: it does not answer, has no schema of this version, or refuses a write.
    """
    database = MongoDatabase(options)
    try:
        await database.connect()
        yield MongoRestoration(database)
    except PyMongoError as error:
        raise StartError(f"MongoDB refuses a write or does not answer, import again: {error}") from error
    finally:
        await database.stop()


class MongoRestoration:
    """An empty database that is filled.

    Args:
        database: connected.
    """

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._log: Log | None = None
        self._turn = 0
        self._kept: list[Kept] = []
        self._documents: dict[str, list[Fields]] = {name: [] for name in FILLED}

    async def begin(self) -> int:
        """As the port says."""
        await migrate(self._database)
        generation = await self._collection(META).find_one({"_id": "generation"})
        marked = await self._collection(META).find_one({"_id": IMPORTING})
        for name in FILLED:
            if marked:
                await self._collection(name).delete_many({})
            elif await self._collection(name).find_one({}, {"_id": 1}):
                raise StartError(f"the database is not empty ({name} has documents): name another one")
        await self._collection(META).update_one({"_id": IMPORTING}, {"$set": {"value": True}}, upsert=True)
        return int(generation["value"])

    async def add(self, entries: Sequence[AnyEntry]) -> None:
        """As the port says."""
        for entry in entries:
            self._add(entry)
        await self._write()

    async def finish(self, generation: int) -> None:
        """As the port says."""
        self._end_log()
        await self._write()
        await clear_all_holders(self._database)
        await self._collection(META).update_one({"_id": "generation"}, {"$set": {"value": generation}})
        if self._turn:
            await self._collection(META).update_one({"_id": TURN}, {"$max": {"value": self._turn}}, upsert=True)
        await self._collection(META).delete_one({"_id": IMPORTING})

    def _collection(self, name: str) -> Any:
        return self._database.database.get_collection(name)

    async def _write(self) -> None:
        for name, documents in self._documents.items():
            if documents:
                await self._collection(name).insert_many(documents, ordered=False)
                documents.clear()

    def _add(self, entry: AnyEntry) -> None:
        match entry:
            case Log():
                self._end_log()
                self._log = entry
            case SeenId():
                self._keep(Kept(entry.offset, entry.id, entry.time_ms, b""))
            case Publication():
                known = self._kept.pop().id if self._kept and self._kept[-1].offset == entry.offset else ""
                self._keep(Kept(entry.offset, known, entry.time_ms, entry.body))
            case Entity():
                self._end_log()
                self._documents[ENTITIES].append(stored_entity(entry.app, entry.kind, entry.id, entry.document))
            case Record():
                self._end_log()
                self._documents[RECORDS].append(_record(entry))
                self._turn = max(self._turn, entry.turn)
            case Attendance():
                self._documents[ATTENDANCES].append(stored_attendance(entry.key, entry.document))
            case Holder():
                times = {"leave": entry.leave_at_ms, "cleared": entry.cleared_ms}
                self._documents[HOLDERS].append({"_id": entry.name} | {name: at for name, at in times.items() if at is not None})
            case Timer():
                self._documents[TIMERS].append(stored_timer(entry))
            case Operation():
                self._documents[OPERATIONS].append(stored_operation(entry))
            case other:
                assert_never(other)

    def _keep(self, kept: Kept) -> None:
        """One more of the log; what came before it goes into a segment once that is full or does not reach to it."""
        size = sum(len(each.body) for each in self._kept) + len(kept.body)
        if self._kept and (self._kept[-1].offset + 1 != kept.offset or len(self._kept) == NEWEST_MAX or size > NEWEST_MAX_BYTES):
            self._segment()
        self._kept.append(kept)

    def _segment(self) -> None:
        assert self._log is not None  # noqa: S101 - an export's order, which the reader checked
        fields = Segment(self._log.channel, self._document(self._log)).fields()
        if fields["last"] <= self._log.floor:
            fields |= {"pubs": [], "trimmed": True}
        self._documents[SEGMENTS].append(fields)
        self._kept = []

    def _end_log(self) -> None:
        """The newest are the head document's, where they reach to the head."""
        log = self._log
        if log is None:
            return
        if self._kept and self._kept[-1].offset != log.head:
            self._segment()
        fields = {**insertion(log.channel, self._document(log), now_ms()), "expires": log.expires_ms}
        self._documents[HEADS].append({name: value for name, value in fields.items() if value is not None})
        self._log, self._kept = None, []

    def _document(self, log: Log) -> HeadDocument:
        head, seen = LogHead(log.letters, log.head, log.floor), SeenVersion(log.version, log.version_epoch)
        return HeadDocument(head, tuple(self._kept), seen, log.ttl_ms)


def _record(entry: Record) -> Fields:
    life = RecordLife(
        cast("State", entry.state),
        entry.attempts,
        entry.settled,
        entry.free_at_ms,
        entry.next_at_ms or 0,
        entry.note,
        entry.ended_ms,
        entry.log,
    )
    return stored_record(entry, life, entry.created_ms, born="", node=entry.node)
