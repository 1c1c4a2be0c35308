"""What only the MongoDB adapter promises of entities, records and the schema; and which servers it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import pytest

from causeway_common.contracts.messages import (
    ClaimRequest,
    Document,
    NewRecord,
    SettleRequest,
)
from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo import (
    MongoDatabase,
    MongoOptions,
    migrate,
    open_database,
    plan,
    raise_generation,
)
from causeway_storage.adapters.mongo.database import Collection, Fields
from causeway_storage.adapters.mongo.probe import require_atomic_updates
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.ports import Committed
from support.mongo_process import KEY, FaultyDatabase, Process, append, commit, offsets

T = TypeVar("T")


async def test_a_commit_whose_answer_is_lost_is_answered_as_the_first_time(one: Process) -> None:
    for version in range(2):
        one.database.lost_answers.append("commit")
        assert await one.entities.commit(KEY, commit(version, f"id{version}")) == Committed(version + 1)
        assert isinstance(await one.entities.commit(KEY, commit(version, f"id{version}")), Committed)
    assert len(await one.entities.outbox(KEY)) == 2


async def test_a_commit_that_was_lost_is_tried_again(one: Process) -> None:
    one.database.lost_writes += ["commit", "commit"]

    assert await one.entities.commit(KEY, commit(0, "a")) == Committed(1)


async def test_fields_of_a_newer_version_survive_a_commit_and_a_clearing_of_this_one(one: Process) -> None:
    await one.entities.commit(KEY, commit(0, "a"))
    collection = one.database.database.get_collection("entities")
    await collection.update_one({}, {"$set": {"newer": {"field": 1}}})

    await one.entities.commit(KEY, commit(1, "b"))
    await one.entities.clear(KEY, frozenset(each.id for each in await one.entities.outbox(KEY)))

    (document,) = await one.documents("entities")
    assert document["newer"] == {"field": 1}
    assert "oldest" not in document


class NewerDatabase(FaultyDatabase):
    """That of a process of a later version: its commits set a field that this version does not know."""

    async def write(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[T]], size: int = 0) -> T:
        if operation == "commit":
            return await super().write(collection, operation, lambda real: work(cast("Collection", Newer(real))), size)
        return await super().write(collection, operation, work, size)


class Newer:
    """A collection through which commits carry the field."""

    def __init__(self, real: Collection) -> None:
        self._real = real

    async def insert_one(self, document: Fields) -> object:
        return await self._real.insert_one({**document, "rank": document["version"]})

    async def update_one(self, fence: Fields, change: Fields) -> object:
        return await self._real.update_one(fence, {**change, "$set": {**change["$set"], "rank": change["$set"]["version"]}})


async def test_a_pair_of_two_versions_edits_one_entity_at_once_and_the_newer_ones_field_is_its_own(uri: str, one: Process) -> None:
    database = NewerDatabase(MongoOptions(uri))
    await open_database(database, apply=False)
    newer, made = Process(database), dict[str, list[int]](newer=[], older=[])

    async def edit(process: Process, name: str) -> None:
        document = await process.entities.load(KEY)
        for number in range(15):
            while True:
                done = await process.entities.commit(KEY, commit(document.version, f"{name}{number}"))
                if isinstance(done, Committed):
                    break
                document = done.document
            made[name].append(done.version)
            document = Document(version=done.version)

    try:
        await asyncio.gather(edit(one, "older"), edit(newer, "newer"))
    finally:
        await database.stop()

    (document,) = await one.documents("entities")
    assert sorted(made["older"] + made["newer"]) == list(range(1, 31)), "versions are linear, and no edit is lost"
    assert document["rank"] == made["newer"][-1], "the older one has neither lost nor changed it"
    assert [each.version for each in await one.entities.outbox(KEY)] == list(range(1, 31))


async def test_a_clearing_between_commits_leaves_every_waiting_outbox_to_be_found(one: Process, two: Process) -> None:
    async def commits() -> None:
        for version in range(30):
            assert await one.entities.commit(KEY, commit(version, f"id{version}", now=version + 1)) == Committed(version + 1)

    async def clearings() -> None:
        cleared: set[str] = set()
        while len(cleared) < 29:
            if found := (await two.entities.outbox(KEY))[:3]:
                gone = frozenset(each.id for each in found)
                await asyncio.gather(two.entities.clear(KEY, gone), one.entities.clear(KEY, frozenset([found[0].id])))
                cleared |= gone
            if len(cleared) < 29 or await two.entities.outbox(KEY):
                continue
            return

    await asyncio.gather(commits(), clearings())

    left = await one.entities.outbox(KEY)
    page = await one.entities.pending(10**9, "", 10)
    assert [each.key for each in page.entities] == ([KEY] if left else [])


async def test_a_claim_whose_answer_is_lost_runs_and_nobody_else_gets_the_record(one: Process, two: Process) -> None:
    new = NewRecord(id="a", app="chat", connector="webhook", op="event", payload={"$set": {"a.b": "\0"}})
    one.database.lost_answers.append("put")
    assert await one.records.put([new], (), now_ms=0, next_at_ms=0) == {"a"}, "it is this call's, although the answer was lost"
    one.database.lost_answers.append("claim")
    request = ClaimRequest(id="a", node="n", lease_ms=10)

    claims = await asyncio.gather(one.records.claim(request, 0), two.records.claim(request, 0))

    assert sorted(each.outcome for each in claims) == ["leased", "run"]
    (record,) = (each.record for each in claims if each.record)
    assert record.payload == {"$set": {"a.b": "\0"}}
    one.database.lost_answers.append("settle")
    assert await one.records.settle(SettleRequest(id="a", attempt=1, outcome="done"), 5)


async def test_names_and_states_that_look_like_operators_are_data(one: Process) -> None:
    strange = EntityKey("chat", "$set", "a.b\0$where")
    state = {"$inc": {"a.b": 1}, "\0": [{"$gt": ""}], "": b"\0\xff"}
    made = Commit(0, "$id", state, 1, ({"kind": "x", "$a": {".": 1}},), 1, "$by", "trace", 1)

    assert await one.entities.commit(strange, made) == Committed(1)
    assert (await one.entities.load(strange)).state == state
    assert (await one.entities.outbox(strange))[0].items == made.items
    await one.logs.append(append("$a.b:\0c", "c:$x.\0"), 1)
    assert (await one.logs.append(append("$a.b:\0c", "c:$x.\0"), 1)).repeats == (True,)
    assert await offsets(one, channel="$a.b:\0c") == [1]


async def test_processes_that_prepare_the_database_at_the_same_time_do_not_hinder_each_other(uri: str) -> None:
    databases = [MongoDatabase(MongoOptions(uri)) for _ in range(4)]
    await asyncio.gather(*(database.connect() for database in databases))
    await asyncio.gather(*(migrate(database) for database in databases))

    assert await plan(databases[0]) == []
    for database in databases:
        await database.stop()


async def test_migrate_says_what_it_would_do_does_it_once_and_a_serving_process_does_nothing(uri: str) -> None:
    async def serving() -> int:
        database = MongoDatabase(MongoOptions(uri))
        await open_database(database, apply=False)
        await database.stop()
        return database.generation

    with pytest.raises(StartError, match="causeway-storage migrate"):
        await serving()
    database = MongoDatabase(MongoOptions(uri))
    await database.connect()
    try:
        planned = [step.what for step in await plan(database)]
        assert "create the collection heads" in planned
        assert await migrate(database) == planned
        assert await plan(database) == []
        assert (await serving(), await raise_generation(database, 7), await serving()) == (1, 7, 7)
        await database.database.get_collection("meta").update_one({"_id": "schema"}, {"$set": {"value": 2}})
        assert await serving() == 7, "the next version's schema is served"
        await database.database.get_collection("meta").update_one({"_id": "schema"}, {"$set": {"value": 9}})
        with pytest.raises(StartError, match="schema 9"):
            await serving()
        with pytest.raises(StartError, match="schema 9"):
            await migrate(database)
    finally:
        await database.stop()


async def test_a_server_whose_conditional_update_is_not_atomic_is_refused(one: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acted: a server that reads, then writes the whole document by its id, as FerretDB 1.x does."""
    await require_atomic_updates(one.database)
    real = one.database.database.get_collection("probe")

    class Careless:
        find_one, insert_one, delete_one = real.find_one, real.insert_one, real.delete_one

        async def update_one(self, fence: Fields, change: Fields) -> object:
            if await real.find_one(fence) is None:
                return await real.update_one({"_id": "none"}, change)
            await asyncio.sleep(0)
            return await real.update_one({"_id": fence["_id"]}, change)

    class Database:
        def get_collection(self, _name: str) -> Careless:
            return Careless()

    monkeypatch.setattr(FaultyDatabase, "database", Database())
    with pytest.raises(StartError, match="not atomic"):
        await require_atomic_updates(one.database)


async def test_a_database_that_does_not_answer_is_told_at_start() -> None:
    database = MongoDatabase(MongoOptions("mongodb://127.0.0.1:1/", connect_ms=200))

    with pytest.raises(StartError, match="does not answer"):
        await database.connect()
    await database.stop()


async def test_secrets_of_the_connection_are_not_shown() -> None:
    options = MongoOptions("mongodb://ann:secret@host/", username="bob", password="hidden")

    assert "secret" not in repr(options)
    assert "hidden" not in repr(options)
