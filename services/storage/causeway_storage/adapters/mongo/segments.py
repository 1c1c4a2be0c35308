"""Segments: what left the head documents. One is written once, and inserting it twice has no effect.

    _id          letters, first offset, channel
    log          letters and channel: whose it is
    first, last  its offsets
    pubs, ids, times, ids_ms   as in the head document

A segment holds only what was appended durably before it was made, so whichever process made it, it tells the same. Two processes
may cut the same log at different places; the one that comes second finds the first's segment and goes on behind it. The ids live
as long as they must, also after the publications went: then `pubs` is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import unavailable
from causeway_storage.adapters.mongo.database import Collection as MongoCollection
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import duplicates, fault
from causeway_storage.adapters.mongo.heads import HeadDocument, Kept, oldest_id_ms, read_kept, write_kept
from causeway_storage.domain.log import KnownId

SEGMENTS: Final = "segments"
IDS_FROM_SEGMENTS: Final = 32
"""So many segments' ids are read when a channel is met; of a longer log ids are looked up when they are asked for."""
PAGE_SEGMENTS: Final = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """One to insert: all that a head document holds beyond `moved`."""

    channel: str
    document: HeadDocument

    def fields(self) -> Fields:
        """As it is stored."""
        kept, log = self.document.kept, self.document.log
        fields = {
            "_id": f"{log.letters}!{kept[0].offset:016d}!{self.channel}",
            "log": log_key(log.letters, self.channel),
            "first": kept[0].offset,
            "last": kept[-1].offset,
            **write_kept(kept, log.floor),
        }
        oldest = oldest_id_ms(kept)
        return fields if oldest is None else {**fields, "ids_ms": oldest}


def log_key(letters: str, channel: str) -> str:
    """What the segments of one log have in common. Letters are of one length, so no two logs share it."""
    return f"{letters}!{channel}"


class Segments:
    """The segments of all logs."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def insert(self, segments: Sequence[Segment]) -> list[int]:
        """Insert these; per segment, up to which offset its log is in segments now.

        Raises:
            OutcomeUnknownError: ask again.
        """
        documents = [each.fields() for each in segments]
        try:
            await self._database.write(
                SEGMENTS, "insert", lambda collection: collection.insert_many(documents, ordered=False), len(documents)
            )
        except PyMongoError as error:
            there = duplicates(error) or frozenset()
        else:
            return [each["last"] for each in documents]
        names = [documents[index]["_id"] for index in there]

        async def work(collection: MongoCollection) -> dict[str, int]:
            return {each["_id"]: each["last"] async for each in collection.find({"_id": {"$in": names}}, {"last": 1})}

        found = await self._database.read(SEGMENTS, "find", work)
        # One that is refused as there already and is not found is not majority-durable yet, or was trimmed meanwhile: ask again.
        return [found.get(each["_id"], each["first"] - 1 if i in there else each["last"]) for i, each in enumerate(documents)]

    async def newest_ids(self, log: str) -> tuple[dict[str, KnownId], int]:
        """The ids of a log's newest segments, and the offset above which these are all."""

        async def work(collection: MongoCollection) -> list[Fields]:
            fields = {"first": 1, "ids": 1, "times": 1}
            return [each async for each in collection.find({"log": log}, fields).sort("last", -1).limit(IDS_FROM_SEGMENTS)]

        found = await self._database.read(SEGMENTS, "ids", work)
        known: dict[str, KnownId] = {}
        for each in reversed(found):
            known.update(_ids(each))
        return known, found[-1]["first"] - 1 if len(found) == IDS_FROM_SEGMENTS else 0

    async def look_up(self, asked: dict[str, list[str]]) -> dict[str, dict[str, KnownId]]:
        """By log, what is known of the ids asked for."""

        async def work(collection: MongoCollection) -> list[tuple[str, dict[str, KnownId]]]:
            return list(await asyncio.gather(*(_look_up(collection, log, names) for log, names in asked.items())))

        return dict(await self._database.read(SEGMENTS, "ids", work)) if asked else {}

    async def walk(self, log: str, first: int, *, reverse: bool) -> AsyncIterator[Kept]:
        """A log's publications from `first` on, consecutive, in the direction asked.

        Raises:
            CausewayError: 100, the database does not answer.
        """
        place = {"first": {"$lte": first}} if reverse else {"last": {"$gte": first}}
        order = ("last", -1) if reverse else ("last", 1)
        fields = {"first": 1, "pubs": 1, "ids": 1, "times": 1, "trimmed": 1}
        at, step = first, -1 if reverse else 1
        found = self._database.database.get_collection(SEGMENTS).find({"log": log, **place}, fields, batch_size=PAGE_SEGMENTS)
        try:
            async for each in found.sort([order]):
                if each.get("trimmed"):
                    continue
                kept = read_kept(each["first"], each)
                for one in reversed(kept) if reverse else kept:
                    # Segments may overlap, where a process that slept made one of what was trimmed meanwhile; they tell the same.
                    if one.offset == at:
                        at += step
                        yield one
        except PyMongoError as error:
            raise unavailable(f"the database does not answer ({fault(error)})") from error
        finally:
            await found.close()


def _ids(document: Fields) -> dict[str, KnownId]:
    rows = enumerate(zip(document["ids"], document["times"], strict=True))
    return {name: KnownId(document["first"] + index, time_ms) for index, (name, time_ms) in rows if name}


async def _look_up(collection: MongoCollection, log: str, names: Collection[str]) -> tuple[str, dict[str, KnownId]]:
    known: dict[str, KnownId] = {}
    wanted = {"log": log, "ids": {"$in": list(names)}}
    async for each in collection.find(wanted, {"first": 1, "ids": 1, "times": 1}).sort([("last", 1)]):
        known.update((name, seen) for name, seen in _ids(each).items() if name in names)
    return log, known
