"""Storage processes on one MongoDB database, as far as the database is concerned; their answers and their writes can be lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    HistoryRequest,
    PublishItem,
)
from causeway_storage.adapters.mongo import (
    MongoDatabase,
    MongoEntities,
    MongoLogs,
    MongoOptions,
    MongoRecords,
    open_database,
)
from causeway_storage.adapters.mongo.database import Collection, Fields
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.ports import Appended
from support.stores import letters

T = TypeVar("T")
HOUR = 3_600_000
KEY = EntityKey("chat", "room", "1")
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))


class FaultyDatabase(MongoDatabase):
    """Loses the answers, or the writes themselves, of the operations named."""

    def __init__(self, options: MongoOptions) -> None:
        super().__init__(options)
        self.lost_answers: list[str] = []
        self.lost_writes: list[str] = []

    async def write(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[T]], size: int = 0) -> T:
        if operation in self.lost_writes:
            self.lost_writes.remove(operation)
            raise OutcomeUnknownError("test")
        done = await super().write(collection, operation, work, size)
        if operation in self.lost_answers:
            self.lost_answers.remove(operation)
            raise OutcomeUnknownError("test")
        return done


class Process:
    """One storage process, as far as the database is concerned."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.fed: list[Appended] = []
        self.logs = MongoLogs(database, letters(), self.fed.append, forget_slack_ms=0)
        self.entities = MongoEntities(database)
        self.records = MongoRecords(database)

    async def documents(self, collection: str) -> list[Fields]:
        return [each async for each in self.database.database.get_collection(collection).find({})]


@asynccontextmanager
async def process(uri: str) -> AsyncIterator[Process]:
    database = FaultyDatabase(MongoOptions(uri))
    await open_database(database, apply=True)
    try:
        yield Process(database)
    finally:
        await database.stop()


def append(channel: str, *ids: str, size: int = 1000, ttl: int = HOUR, data: bytes = b"1") -> AppendRequest:
    return AppendRequest(channel=channel, size=size, ttl_ms=ttl, items=[AppendItem(id=each, data=data) for each in ids])


def commit(expected: int, id: str, items: int = 1, now: int = 0) -> Commit:
    return Commit(expected, id, {"value": expected}, 1, (ITEM,) * items, items, "ann", "trace", now)


async def appended(log: Process, count: int, *, first: int = 1, channel: str = "demo:a", size: int = 1000, now: int = 1) -> None:
    for number in range(first, first + count):
        await log.logs.append(append(channel, f"c:{number}", size=size), now)


async def offsets(log: Process, *, reverse: bool = False, since: int = 0, channel: str = "demo:a") -> list[int]:
    found: list[int] = []
    while True:
        page = await log.logs.history(HistoryRequest(channel=channel, since=since, limit=50, reverse=reverse))
        found += [each.offset for each in page.publications]
        if not page.more:
            return found
        since = found[-1]
