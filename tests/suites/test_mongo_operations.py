"""Check, export, import and restored on MongoDB's wire, and between it and SQLite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from causeway_common.contracts.messages import HistoryRequest
from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo import (
    MongoDatabase,
    MongoEntities,
    MongoLogs,
    MongoOptions,
    MongoRecords,
    inspected,
    migrate,
    open_database,
    restoring,
)
from causeway_storage.adapters.mongo.inspection import READ_COLLECTIONS
from causeway_storage.adapters.mongo.probe import PROBE
from causeway_storage.adapters.mongo.schema import COLLECTIONS
from causeway_storage.domain.invariants import Violation
from causeway_storage.operations import operations
from support.mongo import SERVERS
from support.stored import (
    KEY,
    NOW,
    Ports,
    a_bit_of_everything,
    append,
    export_of,
    exported_from,
    import_into,
    imported_by,
    ports_on,
    read_export,
    violations,
)
from support.stores import letters, mongo_uri

Plant = Callable[[Any], Awaitable[object]]


@asynccontextmanager
async def ports_at(uri: str) -> AsyncIterator[Ports]:
    database = MongoDatabase(MongoOptions(uri))
    await open_database(database, apply=True)
    try:
        logs = MongoLogs(database, letters(), lambda _appended: None, forget_slack_ms=0)
        yield Ports(logs, MongoEntities(database), MongoRecords(database))
    finally:
        await database.stop()


async def everything(ports: Ports) -> None:
    await a_bit_of_everything(ports)
    for number in range(90):
        await ports.logs.append(append("demo:long", f"c:{number}", size=50), NOW)
    await ports.logs.remove_expired(NOW, 10)


async def found_at(uri: str) -> tuple[Violation, ...]:
    async with inspected(MongoOptions(uri)) as inspection:
        return await violations(inspection, NOW)


async def export_at(uri: str) -> bytes:
    async with inspected(MongoOptions(uri)) as inspection:
        return await export_of(inspection)


async def import_at(uri: str, data: bytes) -> int:
    async with restoring(MongoOptions(uri)) as restoration:
        return await imported_by(restoration, data)


@pytest.fixture(params=sorted(SERVERS))
def server_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def uri(server_name: str, tmp_path: Path) -> str:
    """A healthy database."""
    uri = mongo_uri(server_name, tmp_path)
    async with ports_at(uri) as ports:
        await everything(ports)
    return uri


async def test_nothing_is_wrong_with_what_the_adapters_write(uri: str) -> None:
    assert await found_at(uri) == ()


PLANTED: dict[str, Plant] = {
    "log.hole": lambda database: database.segments.delete_one({"last": {"$gt": 60}}),
    "log.beyond_head": lambda database: database.heads.update_one({"_id": "demo:long"}, {"$set": {"head": 88, "base": 86}}),
    "log.row": lambda database: database.heads.update_one({"_id": "demo:a"}, {"$set": {"ids": ["only one"]}}),
    "log.never_expires": lambda database: database.heads.update_one({"_id": "demo:a"}, {"$unset": {"expires": ""}}),
    "entity.document": lambda database: database.entities.update_one({}, {"$set": {"state": "no bytes"}}),
    "outbox.misplaced": lambda database: database.entities.update_one({}, {"$unset": {"oldest": ""}}),
    "record.never_due": lambda database: database.records.update_one({"_id": "o:1"}, {"$unset": {"due": ""}}),
    "record.payload": lambda database: database.records.update_one({"_id": "o:1"}, {"$set": {"payload": b"\xc1"}}),
}


@pytest.mark.parametrize("kind", sorted(PLANTED))
async def test_what_is_wrong_is_found_and_named(uri: str, kind: str) -> None:
    database = MongoDatabase(MongoOptions(uri))
    await database.connect()
    await PLANTED[kind](database.database)
    await database.stop()

    assert kind in {each.kind for each in await found_at(uri)}


async def test_an_import_has_everything_but_another_generation(uri: str, server_name: str, tmp_path: Path) -> None:
    data, copy = await export_at(uri), mongo_uri(server_name, tmp_path / "copy")

    generation = await import_at(copy, data)

    header, entries = read_export(data)
    copied_header, copied = read_export(await export_at(copy))
    assert copied == entries
    assert (header.generation, copied_header.generation) == (1, generation)
    assert await found_at(copy) == ()
    with pytest.raises(StartError, match="not empty"):
        await import_at(copy, data)


async def test_a_database_moves_from_sqlite_to_mongodb_and_back(server_name: str, tmp_path: Path) -> None:
    source, copy, back = tmp_path / "s.sqlite3", mongo_uri(server_name, tmp_path), tmp_path / "back.sqlite3"
    async with ports_on(source) as ports:
        await everything(ports)
    data = await exported_from(source)

    await import_at(copy, data)
    await import_into(back, await export_at(copy))

    assert read_export(await exported_from(back))[1] == read_export(data)[1]
    async with ports_at(copy) as ports:
        page = await ports.logs.history(HistoryRequest(channel="demo:long", limit=100))
        assert [each.offset for each in page.publications] == list(range(41, 91))
        again = await ports.logs.append(append("demo:long", "c:5", "c:70", "c:new", size=50), NOW)
        assert (again.offsets, again.repeats) == ((6, 71, 91), (True, True, False))
        assert len(await ports.entities.outbox(KEY)) == 3
        await ports.logs.forget_ids(NOW + 1, 1000)
        assert (await ports.logs.append(append("demo:long", "c:5", size=50), NOW)).repeats == (False,)
    assert await found_at(copy) == ()


async def test_a_database_that_is_being_filled_is_served_by_nobody(server_name: str, tmp_path: Path) -> None:
    uri = mongo_uri(server_name, tmp_path)
    async with restoring(MongoOptions(uri)) as restoration:
        await restoration.begin()

    with pytest.raises(StartError, match="import"):
        async with ports_at(uri):
            pass


async def test_a_copy_that_was_not_of_one_moment_is_cut_to_its_heads_when_it_is_restored(uri: str) -> None:
    database = MongoDatabase(MongoOptions(uri))
    await database.connect()
    old = await database.database.get_collection("heads").find_one({"_id": "demo:long"})
    async with ports_at(uri) as ports:
        for number in range(90, 150):
            await ports.logs.append(append("demo:long", f"c:{number}", size=200), NOW)
    assert old is not None
    del old["_id"]
    await database.database.get_collection("heads").update_one({"_id": "demo:long"}, {"$set": old})
    await database.stop()
    assert "log.beyond_head" in {each.kind for each in await found_at(uri)}

    done = await asyncio.to_thread(CliRunner().invoke, operations, ["restored", "--uri", uri])

    assert (done.exit_code, done.stdout[:7]) == (0, "MongoDB")
    assert await found_at(uri) == ()


def test_the_commands_work_on_a_uri(server_name: str, tmp_path: Path) -> None:
    uri, file = mongo_uri(server_name, tmp_path), tmp_path / "export"

    def ran(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(operations, [*words, "--uri", uri])
        return done.exit_code, done.stdout

    assert ran("check")[0] == 2, "it has no schema yet"
    code, planned = ran("migrate", "--plan")
    assert (code, "would create the collection heads\n" in planned) == (0, True)
    assert "create the collection heads\n" in ran("migrate")[1]
    assert ran("migrate") == (0, "MongoDB: nothing is missing\n")
    assert json.loads(ran("check", "--json")[1]) == {"violations": []}
    assert ran("export", str(file))[0] == 0
    assert ran("import", str(file))[0] == 0
    assert ran("backup", str(file))[0] == 2
    assert CliRunner().invoke(operations, ["migrate", "--database", "x"]).exit_code == 2


async def test_the_check_looks_at_every_collection_of_the_schema(server_name: str, tmp_path: Path) -> None:
    database = MongoDatabase(MongoOptions(mongo_uri(server_name, tmp_path)))
    await database.connect()
    await migrate(database)
    assert set(await database.database.list_collection_names()) <= READ_COLLECTIONS
    assert {each.name for each in COLLECTIONS} | {PROBE} == READ_COLLECTIONS
    await database.stop()
