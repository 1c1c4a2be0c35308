"""P1 and P2 through what befalls a machine: the disk fills up under load, power goes in the middle of a write, the clock is set back.

The histories are read by the checker; what is answered stays, what is not may be there or not, but never half.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import AppendItem, AppendRequest, HistoryRequest
from causeway_common.runtime import now_ms
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteEntities, SqliteLogs, SqliteRecords
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.packing import pack, unpack
from chaos.checker import Histories, violations
from chaos.crowd import CONFIG, Publishers, whole_log
from chaos.storages import Load, Storage, next_commit
from support.operations import violations_in
from support.stack import running_stack
from support.stores import OPENERS, letters
from support.waiting import until

HOUR_MS = 3_600_000


@asynccontextmanager
async def database_in(path: Path) -> AsyncIterator[tuple[SqliteDatabase, Storage]]:
    database = SqliteDatabase(path, write_queue=1000, write_queue_bytes=1 << 24, read_queue=1000)
    await database.start()
    try:
        storage = Storage(
            SqliteLogs(database, letters(), lambda _appended: None), SqliteEntities(database), SqliteRecords(database)
        )
        yield database, storage
        await storage.relay.stop()
    finally:
        await database.stop()


async def answered(load: Load, more: int) -> None:
    goal = load.done + more

    def reached() -> bool:
        load.raise_if_failed()
        return load.done >= goal

    await until(reached, 20)


@pytest.mark.timeout(60)
async def test_a_disk_that_is_full_and_has_room_again_has_lost_and_halved_nothing(tmp_path: Path) -> None:
    """Its end is played by SQLite's own page limit, which fails a write in its middle as a full disk does."""

    def pages(count: int) -> Callable[[sqlite3.Connection], int]:
        return lambda connection: int(connection.execute(f"PRAGMA max_page_count = {count}").fetchone()[0])

    async with database_in(tmp_path / "s.sqlite3") as (database, storage):
        load = Load([storage], random.Random(1))
        load.start()
        for _ in range(3):
            await answered(load, 100)
            repeats = load.repeats
            with suppress(CausewayError):  # where it takes effect within a batch, that batch is the first to fail
                await database.write("meta", "test", pages(1))
            await until(lambda repeats=repeats: load.repeats > repeats + 20)  # type: ignore[misc]
            await until(lambda: not database.healthy)  # /readyz says so, but for a write now and then that needs no room
            await until_written(database, pages(1 << 30))
        await answered(load, 100)
        assert database.healthy
        breaches = await load.finish()

    assert breaches == []


async def until_written(database: SqliteDatabase, work: Callable[[sqlite3.Connection], int]) -> None:
    """A batch that the full disk fails takes this along; then it is done again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await database.write("meta", "test", work)
            except CausewayError as error:
                if "SQLITE_FULL" not in error.message:
                    raise
            else:
                return


@pytest.mark.timeout(60)
async def test_a_write_ahead_log_that_is_torn_in_an_unanswered_write_keeps_all_that_was_answered(tmp_path: Path) -> None:
    """Cut at any byte of what was not answered yet, or that part filled with rubbish: the write is there whole or not at all."""
    path, wal = tmp_path / "s.sqlite3", tmp_path / "s.sqlite3-wal"
    draw = random.Random(7)
    async with database_in(path) as (_, storage):
        for number in range(20):
            await storage.logs.append(request(number), 1)
        before = wal.stat().st_size
        shutil.copy(path, tmp_path / "copy")
        document = await storage.entities.load(EntityKey("chat", "room", "1"))
        both = next_commit("1", document, "k"), request(20)
        await asyncio.gather(storage.entities.commit(EntityKey("chat", "room", "1"), both[0]), storage.logs.append(both[1], 1))
        content = wal.read_bytes()
    assert len(content) > before

    outcomes: set[tuple[int, int]] = set()
    for turn in range(40):
        cut = before if turn == 0 else len(content) if turn == 1 else draw.randrange(before, len(content))
        torn = tmp_path / f"torn-{turn}.sqlite3"
        shutil.copy(tmp_path / "copy", torn)
        rubbish = draw.randbytes(len(content) - cut) if turn % 2 else b""
        Path(f"{torn}-wal").write_bytes(content[:cut] + rubbish)
        async with database_in(torn) as (_, storage):
            page = await storage.logs.history(HistoryRequest(channel="demo:a", since=0, limit=100))
            offsets = [each.offset for each in page.publications]
            assert offsets[:20] == list(range(1, 21)), "all that was answered"
            version = (await storage.entities.load(EntityKey("chat", "room", "1"))).version
            outbox = await storage.entities.outbox(EntityKey("chat", "room", "1"))
            assert len(outbox) == version, "a commit and its outbox are there together or not at all"
            outcomes.add((len(offsets), version))
            assert (await storage.logs.append(request(99), 1)).offsets == (len(offsets) + 1,), "and it goes on"

    assert outcomes >= {(20, 0), (21, 1)}
    assert {offsets for offsets, _ in outcomes} == {20, 21}


def request(number: int) -> AppendRequest:
    return AppendRequest(channel="demo:a", size=1000, ttl_ms=HOUR_MS, items=[AppendItem(id=f"c:{number}", data=b"1")])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(OPENERS))
async def test_a_clock_that_is_set_back_and_forth_doubles_and_loses_nothing(tmp_path: Path, name: str) -> None:
    shift = 0

    def clock() -> int:
        return now_ms() + shift

    async with OPENERS[name](tmp_path) as store:
        storage = Storage(store.logs, store.entities, store.records, clock)
        load = Load([storage], random.Random(2))
        load.start()
        for shift in (0, -HOUR_MS // 2, HOUR_MS // 3, -48 * HOUR_MS, 0):  # noqa: B007 - the clock reads it
            await answered(load, 40)
        breaches = await load.finish()
        await storage.relay.stop()

    assert breaches == []


CHANNEL = "soak:limit"


@pytest.mark.stack
@pytest.mark.timeout(120)
async def test_a_file_that_may_not_grow_fails_publishes_for_a_while_and_loses_none(tmp_path: Path) -> None:
    """The kernel refuses storage's writes (RLIMIT_FSIZE, EFBIG), as a quota does, in the middle of a running system."""
    async with running_stack(tmp_path, config=CONFIG) as stack, stack.api() as api:
        publishers = Publishers(api, CHANNEL, count=4, in_flight=4)
        publishers.start()
        for _ in range(2):
            goal = len(publishers.acknowledged) + 200
            await until(lambda goal=goal: len(publishers.acknowledged) > goal, 30)  # type: ignore[misc]
            pid, errors = stack.pid("storage"), len(publishers.errors)
            unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
            await until(lambda errors=errors: len(publishers.errors) > errors + 20, 30)  # type: ignore[misc]
            await until(lambda: not stack.state()["ready"], 20)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
            await stack.ready()
            assert stack.pid("storage") == pid, "it does not die of it"
        goal = len(publishers.acknowledged) + 200
        await until(lambda: len(publishers.acknowledged) > goal, 30)
        await publishers.finish()
        epoch, log = await whole_log(api, CHANNEL)

        assert violations(Histories(epoch, log, publishers.acknowledged, frozenset(publishers.sent), {})) == []
        assert await violations_in("--data-dir", stack.data_dir) == []


async def test_what_a_newer_version_wrote_into_an_entity_stays_when_an_older_one_edits_it(tmp_path: Path) -> None:
    """Of a mixed pair: fields of the document, of an outbox's element and of the state that this version does not know."""
    path, key = tmp_path / "s.sqlite3", EntityKey("chat", "room", "1")
    async with database_in(path) as (_, storage):
        await storage.entities.commit(key, next_commit("1", await storage.entities.load(key), "a"))

    with closing(sqlite3.connect(path)) as connection:
        (packed,) = connection.execute("SELECT document FROM entities").fetchone()
        document = unpack(packed)
        document |= {"tomorrow": [1], "outbox": [{**element, "tomorrow": 2} for element in document["outbox"]]}
        connection.execute("UPDATE entities SET document = ?", (pack(document),))
        connection.commit()

    async with database_in(path) as (_, storage):
        await storage.entities.commit(key, next_commit("1", await storage.entities.load(key), "b"))
        first, second = await storage.entities.outbox(key)
        await storage.entities.clear(key, frozenset({second.id}))
        assert [element.id for element in await storage.entities.outbox(key)] == [first.id]

    with closing(sqlite3.connect(path)) as connection:
        (packed,) = connection.execute("SELECT document FROM entities").fetchone()
    written = unpack(packed)
    assert written["tomorrow"] == [1]
    assert [element["tomorrow"] for element in written["outbox"]] == [2]
    assert written["state"] == {"ids": ["a", "b"]}
