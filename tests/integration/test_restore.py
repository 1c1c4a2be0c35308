"""The restore runbook of docs/storage.md, step by step, over the real stack: P4 when a database comes back older than its clients."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest
from cent import AsyncClient, HistoryRequest, PublishRequest
from centrifuge import PublicationContext, SubscribedContext, SubscriptionEventHandler
from pymongo import MongoClient

from causeway_storage.adapters.mongo import MongoDatabase, MongoOptions, migrate
from support.metrics import scrape
from support.mongo import SERVERS
from support.operations import done, operation, violations_in
from support.stack import running_stack
from support.stores import mongo_uri
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]
CHANNEL = "kept:1"
UNWRITTEN = "kept:unwritten"
CONFIG = """
[[channel.namespaces]]
name = "kept"
history_size = 1000
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
"""


class Told(SubscriptionEventHandler):
    """What a subscriber got, and what it was told when it came back."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.answers: list[tuple[bool, bool]] = []

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.answers.append((ctx.was_recovering, ctx.recovered))

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.received.append(ctx.pub.data)


class Runbook(ABC):
    """One way to back up beside running processes, and to restore while storage is stopped."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage, self.storages = "sqlite", 1
        self.named = ["--data-dir", str(directory / "data")]

    @abstractmethod
    async def back_up(self) -> None:
        """Beside the running processes."""

    @abstractmethod
    async def restore(self) -> None:
        """All of it, up to the start of storage."""

    @property
    def copy(self) -> Path:
        return self.directory / "copy"

    def files(self) -> list[Path]:
        return sorted((self.directory / "data").glob("storage.sqlite3*"))


class SqliteBackup(Runbook):
    async def back_up(self) -> None:
        await done("backup", *self.named, self.copy)

    async def restore(self) -> None:
        for file in self.files():
            file.unlink()
        self.copy.rename(self.directory / "data" / "storage.sqlite3")
        await done("restored", *self.named)


class SqliteExport(Runbook):
    async def back_up(self) -> None:
        await done("export", *self.named, self.copy)

    async def restore(self) -> None:
        for file in self.files():
            file.unlink()
        await done("import", *self.named, self.copy)


class OnMongo(Runbook):
    """MongoDB's wire, two storage processes."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.uri = mongo_uri(min(SERVERS), directory)
        self.storage, self.storages = self.uri, 2
        self.named = ["--uri", self.uri]


class MongoExport(OnMongo):
    async def back_up(self) -> None:
        await done("export", *self.named, self.copy)

    async def restore(self) -> None:
        with MongoClient[dict[str, Any]](self.uri) as client:
            client.drop_database(client.get_default_database().name)
        database = MongoDatabase(MongoOptions(self.uri))
        await database.connect()
        await migrate(database)
        await database.stop()
        await done("import", *self.named, self.copy)


class MongoCopy(OnMongo):
    """What mongodump and mongorestore do, by hand."""

    async def back_up(self) -> None:
        with MongoClient[dict[str, Any]](self.uri) as client:
            database = client.get_default_database()
            self.documents = {name: list(database[name].find()) for name in database.list_collection_names()}

    async def restore(self) -> None:
        with MongoClient[dict[str, Any]](self.uri) as client:
            for name, documents in self.documents.items():
                client.get_default_database()[name].delete_many({})
                if documents:
                    client.get_default_database()[name].insert_many(documents)
        await done("restored", *self.named)


async def published(api: AsyncClient, words: str, channel: str = CHANNEL) -> None:
    for word in words.split():
        await api.publish(PublishRequest(channel=channel, data=word))


async def log_of(api: AsyncClient) -> list[str]:
    history = await api.history(HistoryRequest(channel=CHANNEL, limit=100))
    return [each.data for each in history.publications]


@pytest.mark.parametrize("way", [SqliteBackup, SqliteExport, MongoExport, MongoCopy])
async def test_a_client_that_comes_back_from_a_lost_time_is_told_recovered_false(tmp_path: Path, way: type[Runbook]) -> None:
    runbook = await asyncio.to_thread(way, tmp_path)
    async with running_stack(tmp_path, config=CONFIG, storage=runbook.storage, storages=runbook.storages) as stack:
        told, client = Told(), stack.client("ann")
        subscription = client.new_subscription(CHANNEL, told)
        async with stack.api() as api:
            await published(api, "a")
            await client.connect()
            await subscription.subscribe()
            await subscription.ready(10)
            early = Told()
            before = client.new_subscription(UNWRITTEN, early)
            await before.subscribe()
            await before.ready(10)
            await published(api, "b c")
            await runbook.back_up()
            await published(api, "lost-1 lost-2")
            await until(lambda: told.received == ["b", "c", "lost-1", "lost-2"])
            await published(api, "lost-1 lost-2", UNWRITTEN)
            await until(lambda: early.received == ["lost-1", "lost-2"])
        await client.disconnect()
        assert await violations_in(*runbook.named) == []

        await stack.stop()
        await runbook.restore()
        assert await violations_in(*runbook.named) == []
        await stack.start()
        async with stack.api() as api:
            # The log grows past the client's position first: offset alone would say that one publication is missing, new-3.
            await published(api, "new-1 new-2 new-3")
            await published(api, "new-1 new-2 new-3", UNWRITTEN)
            await client.connect()
            await until(lambda: len(told.answers) == len(early.answers) == 2)
            assert told.answers[1] == (True, False), "its position is of a time that is not in the log"
            assert early.answers[1] == (True, False), "so is that of who came before the first publication"
            await published(api, "new-4")
            await until(lambda: told.received[4:] == ["new-4"])
            assert await log_of(api) == ["a", "b", "c", "new-1", "new-2", "new-3", "new-4"]
        assert await violations_in(*runbook.named) == []
        await client.disconnect()


async def test_a_database_that_storage_uses_is_not_restored(tmp_path: Path) -> None:
    async with running_stack(tmp_path, config=CONFIG) as stack:
        for words in (["restored"], ["import", __file__]):
            code, _, err = await operation(words[0], "--data-dir", stack.data_dir, *words[1:])
            assert (code, "another storage process" in err) == (1, True)


async def test_the_age_of_the_sweep_and_the_size_of_the_database_are_metrics(tmp_path: Path) -> None:
    async with running_stack(tmp_path, config=CONFIG) as stack, stack.api() as api:
        await published(api, "a")
        (storage,) = [each for each in stack.state()["processes"] if each["service"] == "storage"]
        found = await scrape(storage["internal_port"])

        assert found["causeway_storage_database_bytes", ""] >= (stack.data_dir / "storage.sqlite3").stat().st_size
        assert 0 < found["causeway_storage_sweep_behind_seconds", ""] < 60
        assert found["causeway_storage_outbox_age_seconds", ""] == 0
