"""Check, export, import and restored on MongoDB's wire, and between both adapters."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bson.binary import Binary
from click.testing import CliRunner
from hypothesis import given, settings
from pymongo import MongoClient

from causeway_common.contracts.codec import encode
from causeway_common.contracts.messages import ClaimRequest
from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo import MongoDatabase, MongoOptions, inspected, migrate, open_database, restoring
from causeway_storage.adapters.mongo.heads import HeadDocument
from causeway_storage.adapters.mongo.inspection import READ_COLLECTIONS, MongoInspection
from causeway_storage.adapters.mongo.probe import PROBE
from causeway_storage.adapters.mongo.schema import COLLECTIONS
from causeway_storage.domain.entity import oldest_ms
from causeway_storage.domain.stored import AnyEntry, Entity, Holder, Log, Publication
from causeway_storage.operations import operations
from causeway_storage.operations.target import MongoTarget
from causeway_storage.operations.transfer import imported
from support.doing import STEPS, Doing
from support.mongo import SERVERS
from support.nats import free_port
from support.stored import (
    KEY,
    MINUTE,
    NOW,
    a_bit_of_everything,
    append,
    commit,
    export_of,
    exported_from,
    import_into,
    ports_on,
    read_export,
    record,
    violations,
)
from support.stores import mongo_uri, open_mongo

Plant = Callable[[Any], object]


@pytest.fixture(params=sorted(SERVERS), scope="module")
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def options_of(server: str, directory: Path) -> MongoOptions:
    return MongoOptions(mongo_uri(server, directory))


async def found_in(options: MongoOptions, now_ms: int = NOW) -> set[str]:
    async with inspected(options) as inspection:
        return {each.kind for each in await violations(inspection, now_ms)}


async def exported(options: MongoOptions) -> bytes:
    async with inspected(options) as inspection:
        return await export_of(inspection)


async def migrated(options: MongoOptions) -> MongoOptions:
    database = MongoDatabase(options)
    await database.connect()
    await migrate(database)
    await database.stop()
    return options


async def import_mongo(options: MongoOptions, data: bytes, now_ms: int = NOW) -> int:
    async with restoring(options) as restoration:
        generation, _ = await imported(io.BytesIO(data), restoration, now_ms=now_ms, advance=lambda _done: None)
        return generation


def entries_of(data: bytes) -> list[AnyEntry]:
    """Sorted, without what each adapter finds entities by in its own way, and without holders: an import clears them."""
    entries = [
        msgspec.structs.replace(each, oldest_ms=oldest_ms(each.document)) if isinstance(each, Entity) else each
        for each in read_export(data)[1]
    ]
    logs = [each for each in entries if not isinstance(each, Entity | Holder)]
    return [*logs, *sorted((each for each in entries if isinstance(each, Entity)), key=lambda each: (each.app, each.kind, each.id))]


@pytest.fixture
async def options(server: str, tmp_path: Path) -> MongoOptions:
    """A healthy database that nobody has open, with a log of several segments."""
    async with open_mongo(tmp_path, name=server) as store:
        await a_bit_of_everything(store)
        for number in range(0, 100, 5):
            await store.logs.append(append("demo:long", *[f"c:{number + n}" for n in range(5)], size=50), NOW)
        await store.logs.remove_expired(NOW + MINUTE, 100)
    return options_of(server, tmp_path)


def by_hand(options: MongoOptions, plant: Plant) -> None:
    with MongoClient[dict[str, Any]](options.uri) as client:
        plant(client.get_default_database())


async def test_nothing_is_wrong_with_what_the_adapter_writes(options: MongoOptions) -> None:
    assert await found_in(options) == set()
    _, entries = read_export(await exported(options))
    assert len([each for each in entries if getattr(each, "channel", "") == "demo:long" and hasattr(each, "body")]) == 50


PLANTED: dict[str, list[Plant]] = {
    "log.hole": [
        lambda db: db.segments.delete_one({"_id": db.segments.find_one({"last": {"$gt": 60}})["_id"]}),
        lambda db: db.heads.update_one({"_id": "demo:a"}, {"$set": {"pubs": [b""] * 6}}),
    ],
    "log.rewritten": [
        lambda db: db.segments.insert_one(
            {**db.segments.find_one({"last": {"$gt": 60}}, sort=[("last", 1)]), "_id": "again", "ids": ["c:other"] * 32}
            | {"first": 40, "last": 71, "pubs": [b""] * 32, "times": [NOW] * 32}
        )
    ],
    "log.stray": [
        lambda db: db.segments.insert_one({"_id": "x", "log": "abcdefgh!gone:1", "first": 1, "last": 1, "pubs": [], "ids": []})
    ],
    "log.row": [
        lambda db: db.heads.update_one({"_id": "demo:a"}, {"$set": {"times": []}}),
        lambda db: db.segments.update_one({"last": {"$gt": 60}}, {"$set": {"times": []}}),
    ],
    "log.epoch": [lambda db: db.heads.update_one({"_id": "demo:b"}, {"$set": {"letters": "x"}})],
    "log.never_expires": [lambda db: db.heads.update_one({"_id": "demo:b"}, {"$unset": {"expires": ""}})],
    "entity.row": [lambda db: db.entities.update_one({}, {"$set": {"kind": "other"}})],
    "entity.document": [
        lambda db: db.entities.update_one({}, {"$set": {"state": Binary(b"\xc1")}}),
        lambda db: db.entities.update_one({}, {"$set": {"outbox": [{"id": "x"}]}}),
    ],
    "entity.misplaced": [
        lambda db: db.entities.update_one({"deleted": {"$exists": False}}, {"$set": {"entries.id": "chat:4:room:3ff!ff"}}),
        lambda db: db.entities.update_one({}, {"$unset": {"entries": ""}}),
    ],
    "outbox.misplaced": [lambda db: db.entities.update_one({}, {"$unset": {"oldest": ""}})],
    "attendance.document": [lambda db: db.attendances.update_one({"_id": "user ann"}, {"$set": {"body": Binary(b"\xc1")}})],
    "attendance.misplaced": [lambda db: db.attendances.update_one({"_id": "user ann"}, {"$set": {"held": []}})],
    "record.payload": [lambda db: db.records.update_one({"_id": "o:1"}, {"$set": {"payload": Binary(b"\xc1")}})],
    "record.row": [lambda db: db.records.update_one({"_id": "o:1"}, {"$set": {"note": 1}})],
    "record.never_due": [lambda db: db.records.update_one({"_id": "o:1"}, {"$unset": {"due": ""}})],
}


@pytest.mark.parametrize(("kind", "plant"), [(kind, plant) for kind, plants in PLANTED.items() for plant in plants])
async def test_a_planted_violation_is_found_and_nothing_else(options: MongoOptions, kind: str, plant: Plant) -> None:
    by_hand(options, plant)

    assert await found_in(options) == {kind}


async def test_an_import_into_sqlite_and_back_has_everything(options: MongoOptions, server: str, tmp_path: Path) -> None:
    data = await exported(options)
    there = await import_into(tmp_path / "s.sqlite3", data)
    middle = await exported_from(tmp_path / "s.sqlite3")
    back = await migrated(options_of(server, tmp_path / "back"))
    again = await import_mongo(back, middle)

    assert entries_of(middle) == entries_of(data)
    assert entries_of(await exported(back)) == entries_of(data)
    assert (there, again) == (NOW, NOW + 1)
    assert await found_in(back) == set()


async def test_storage_goes_on_with_an_import_under_other_epochs(options: MongoOptions, server: str, tmp_path: Path) -> None:
    back = await migrated(options_of(server, tmp_path / "back"))
    await import_mongo(back, await exported(options))

    async with open_mongo(tmp_path, name=server) as old, open_mongo(tmp_path / "back", name=server) as store:
        (before,) = await old.logs.heads(["demo:long"])
        (after,) = await store.logs.heads(["demo:long"])
        repeat = await store.logs.append(append("demo:long", "c:0", "c:99", "c:100", size=70), NOW)
        versioned = await store.logs.append(append("demo:b", "c:9", version=7), NOW)
        assert (after.head, after.floor) == (before.head, before.floor)
        assert after.epoch != before.epoch
        assert (repeat.offsets, repeat.repeats) == ((1, 100, 101), (True, True, False))
        assert versioned.skipped == (True,)
        assert [each.id for each in (await store.records.due(NOW + 10, 10)).records] == ["o:1", "o:3"]
        await store.logs.forget_ids(NOW + MINUTE, 1000)
    assert await found_in(back) == set()
    with MongoClient[dict[str, Any]](back.uri) as client:
        below = list(client.get_default_database()["segments"].find({"last": {"$lte": after.floor}}))
    assert below == [], "what the floor has passed goes with its ids"


async def test_gateways_begin_anew_on_a_restored_or_imported_database(options: MongoOptions, server: str, tmp_path: Path) -> None:
    """What they told after the backup is not in it, and they would not tell it again."""
    back = await migrated(options_of(server, tmp_path / "back"))
    await import_mongo(back, await exported(options))
    assert (await asyncio.to_thread(CliRunner().invoke, operations, ["restored", "--uri", options.uri])).exit_code == 0

    for directory in (tmp_path, tmp_path / "back"):
        async with open_mongo(directory, name=server) as store:
            assert not await store.attendances.attend("n.1", 5, [], NOW)
            assert await store.attendances.clear("n.1", NOW, 10) == 2, "what it held is released, with its events"


async def test_an_import_broken_off_keeps_processes_away_and_is_begun_again(
    options: MongoOptions, server: str, tmp_path: Path
) -> None:
    data, back = await exported(options), await migrated(options_of(server, tmp_path / "back"))
    with pytest.raises(Exception, match="not whole"):
        await import_mongo(back, data[:-9])
    database = MongoDatabase(back)
    for refused in (inspected(back).__aenter__, lambda: open_database(database, apply=True)):
        work: Callable[[], Awaitable[object]] = refused
        with pytest.raises(StartError, match="broken off"):
            await work()
    await database.stop()
    await import_mongo(back, data)

    assert entries_of(await exported(back)) == entries_of(data)
    with pytest.raises(StartError, match="not empty"):
        await import_mongo(back, data)


async def test_a_database_that_is_not_there_says_what_to_do(server: str, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="migrate"):
        await found_in(options_of(server, tmp_path / "new"))


@settings(max_examples=10, deadline=None)
@given(steps=STEPS)
def test_whatever_is_done_nothing_is_violated_and_an_import_of_the_export_is_the_same(
    steps: list[Any], server: str, tmp_path_factory: Any
) -> None:
    directory: Path = tmp_path_factory.mktemp("random")

    async def run() -> None:
        async with open_mongo(directory, name=server) as store:
            doing = await Doing(store).all(steps)
        assert await found_in(options_of(server, directory), doing.now) <= {"outbox.stuck"}, "nothing is relayed here"
        data = await exported(options_of(server, directory))
        back = await migrated(options_of(server, directory / "back"))
        await import_mongo(back, data, doing.now)
        assert entries_of(await exported(back)) == entries_of(data)
        assert await found_in(back, doing.now) <= {"outbox.stuck"}

    asyncio.run(run())


async def test_a_log_that_grows_and_is_trimmed_while_it_is_read_shows_nothing(
    options: MongoOptions, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that happens between the reading of the head document and that of the segments."""
    read_segments, numbers = MongoInspection._held, count(100)
    async with open_mongo(tmp_path, name=server) as store:

        async def late(inspection: MongoInspection, channel: str, document: HeadDocument) -> Any:
            for _ in range(10):
                await store.logs.append(append("demo:long", *[f"c:{next(numbers)}" for _ in range(5)], size=70), NOW)
            await store.logs.remove_expired(NOW + MINUTE, 100)
            await store.logs.forget_ids(NOW + MINUTE, 100)
            return await read_segments(inspection, channel, document)

        monkeypatch.setattr(MongoInspection, "_held", late)
        async with inspected(options) as inspection:
            assert await violations(inspection, NOW) == ()
            _, entries = read_export(await export_of(inspection))
        (log,) = [each for each in entries if isinstance(each, Log) and each.channel == "demo:long"]
        held = [each.offset for each in entries if isinstance(each, Publication) and each.channel == "demo:long"]
        assert (log.head, log.floor, held) == (150, 130, list(range(131, 151)))


async def test_a_check_beside_appends_and_trims_finds_nothing(server: str, tmp_path: Path) -> None:
    async with open_mongo(tmp_path, name=server) as store:

        async def appends() -> None:
            for number in range(60):
                await store.logs.append(append("demo:busy", *[f"c:{number}-{n}" for n in range(5)], size=20), NOW)
                await store.logs.remove_expired(NOW + MINUTE, 10)

        running = asyncio.ensure_future(appends())
        while not running.done():
            assert await found_in(options_of(server, tmp_path)) == set()
        await running


async def test_a_sqlite_export_goes_to_mongodb(server: str, tmp_path: Path) -> None:
    async with ports_on(tmp_path / "s.sqlite3") as ports:
        await a_bit_of_everything(ports)
    data, there = await exported_from(tmp_path / "s.sqlite3"), await migrated(options_of(server, tmp_path))
    await import_mongo(there, data)

    assert entries_of(await exported(there)) == entries_of(data)
    assert await found_in(there) == set()


async def test_a_copy_that_was_not_of_one_moment_is_cut_to_its_heads_when_it_is_restored(
    options: MongoOptions, server: str, tmp_path: Path
) -> None:
    with MongoClient[dict[str, Any]](options.uri) as client:
        heads = client.get_default_database()["heads"]
        old = heads.find_one({"_id": "demo:long"})
        assert old is not None
        async with open_mongo(tmp_path, name=server) as store:
            for number in range(100, 160):
                await store.logs.append(append("demo:long", f"c:{number}", size=70), NOW)
        del old["_id"]
        heads.update_one({"_id": "demo:long"}, {"$set": old})
    assert "log.beyond_head" in await found_in(options)

    done = await asyncio.to_thread(CliRunner().invoke, operations, ["restored", "--uri", options.uri])

    assert (done.exit_code, done.stdout[:10]) == (0, "mongodb://")
    assert await found_in(options) == set()


def test_the_commands_work_on_a_uri(server: str, tmp_path: Path) -> None:
    uri, file = mongo_uri(server, tmp_path), tmp_path / "export"

    def ran(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(operations, [*words, "--uri", uri])
        return done.exit_code, done.stdout

    assert ran("check")[0] == 2, "it has no schema yet"
    code, planned = ran("migrate", "--plan")
    assert (code, "would create the collection heads\n" in planned) == (0, True)
    assert "create the collection heads\n" in ran("migrate")[1]
    assert ran("migrate") == (0, f"{uri}: nothing is missing\n")
    assert json.loads(ran("check", "--json")[1]) == {"violations": []}
    assert ran("export", str(file))[0] == 0
    assert ran("import", str(file))[0] == 0
    assert ran("backup", str(file))[0] == 2
    assert CliRunner().invoke(operations, ["migrate", "--database", "x"]).exit_code == 2
    secret = MongoTarget(MongoOptions("mongodb://ann:secret@db1,db2/shop?tls=true"))
    assert str(secret) == "mongodb://db1,db2/shop"


def test_a_mongodb_that_does_not_answer_ends_with_2() -> None:
    done = CliRunner().invoke(operations, ["check", "--uri", f"mongodb://127.0.0.1:{free_port()}/?connectTimeoutMS=100"])

    assert (done.exit_code, "does not answer" in done.stderr) == (2, True)


async def test_the_check_looks_at_every_collection_of_the_schema(server: str, tmp_path: Path) -> None:
    database = MongoDatabase(await migrated(options_of(server, tmp_path)))
    await database.connect()
    assert set(await database.database.list_collection_names()) <= READ_COLLECTIONS | {PROBE}
    assert {each.name for each in COLLECTIONS} == READ_COLLECTIONS
    await database.stop()


async def test_times_of_day_come_as_numbers_that_every_encoder_takes(server: str, tmp_path: Path) -> None:
    """They have more than 32 bits, and MongoDB's driver makes a class of its own of those."""
    now = 1_800_000_000_000
    async with open_mongo(tmp_path, name=server) as store:
        await store.logs.append(append("demo:a", "c:1"), now)
        await store.entities.commit(KEY, commit(0, "a", items=1, now=now))
        await store.records.put([record("o:1")], (), now_ms=now, next_at_ms=now)
        assert encode(await store.records.claim(ClaimRequest(id="o:1", node="n", lease_ms=1000), now))

    assert await found_in(options_of(server, tmp_path), now) == set()
    assert len(read_export(await exported(options_of(server, tmp_path)))[1]) == 5
