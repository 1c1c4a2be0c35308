"""What only the SQLite adapter promises: durability of the connection that writes, group commit, bounds, faults of the disk, the lock."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AppendItem, AppendRequest, HistoryRequest, QueryRequest
from causeway_common.runtime import StartError
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteEntities, SqliteLogs, raise_generation
from causeway_storage.adapters.sqlite.files import SCHEMA, open_writer
from causeway_storage.adapters.sqlite.writer import Writer, batches
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.query import plan_query
from support.older import back_to


def opened(path: Path) -> SqliteDatabase:
    return SqliteDatabase(path, write_queue=1000, write_queue_bytes=1 << 20, read_queue=2)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = opened(tmp_path / "s.sqlite3")
    await database.start()
    yield database
    await database.stop()


class Gate:
    """Holds the writer's thread inside an operation until it is opened."""

    def __init__(self) -> None:
        self._entered, self._open = threading.Event(), threading.Event()

    def work(self, _connection: sqlite3.Connection) -> None:
        self._entered.set()
        assert self._open.wait(10)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 10)

    def open(self) -> None:
        self._open.set()


def note(key: str) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES (?, 1)", (key,))

    return work


async def notes(database: SqliteDatabase) -> set[str]:
    rows = await database.read("meta", "test", lambda connection: connection.execute("SELECT key FROM meta").fetchall())
    return {key for (key,) in rows} - {"schema", "generation", "turn"}


async def test_the_connection_that_writes_syncs_fully_and_has_a_write_ahead_log(database: SqliteDatabase) -> None:
    """P1: with synchronous=FULL (2) COMMIT returns after the log was synced; NORMAL (1) would lose answers with the power."""

    def pragmas(connection: sqlite3.Connection) -> tuple[int, str]:
        return connection.execute("PRAGMA synchronous").fetchone()[0], connection.execute("PRAGMA journal_mode").fetchone()[0]

    assert await database.write("meta", "test", pragmas) == (2, "wal")


async def test_what_arrives_during_a_write_shares_the_next_commit(database: SqliteDatabase) -> None:
    logs = SqliteLogs(database, lambda: "abcdefgh", lambda _appended: None)
    gate = Gate()
    first = asyncio.ensure_future(database.write("meta", "test", gate.work))
    await gate.entered()
    before = batches.total
    item = [AppendItem(id="c:1", data=b"1")]
    appends = [
        asyncio.ensure_future(logs.append(AppendRequest(channel=f"demo:{n}", size=1, ttl_ms=1, items=item), 1)) for n in range(200)
    ]
    while database.depth < 201:
        await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *appends)

    assert batches.total - before == 2, "the gate's own commit, and one for all that waited"


async def test_one_refused_operation_takes_nothing_of_the_others_with_it(database: SqliteDatabase) -> None:
    def refused(connection: sqlite3.Connection) -> None:
        note("refused")(connection)
        raise CausewayError(ErrorName.OVERLOADED)

    def broken(connection: sqlite3.Connection) -> None:
        note("broken")(connection)
        note("broken")(connection)

    gate = Gate()
    writes = [database.write("meta", "test", work) for work in (gate.work, note("a"), refused, broken, note("b"))]
    running = [asyncio.ensure_future(each) for each in writes]
    await gate.entered()
    gate.open()
    outcomes = await asyncio.gather(*running, return_exceptions=True)

    assert [each.name if isinstance(each, CausewayError) else each for each in outcomes] == [
        None,
        None,
        ErrorName.OVERLOADED,
        ErrorName.INTERNAL,
        None,
    ]
    assert await notes(database) == {"a", "b"}


def append_to(channel: str, id: str, *, ttl_ms: int = 60_000) -> AppendRequest:
    return AppendRequest(channel=channel, size=3, ttl_ms=ttl_ms, items=[AppendItem(id=id, data=b"1")])


async def together(database: SqliteDatabase, *works: Coroutine[Any, Any, Any]) -> list[Any]:
    """These in one batch, in this order; what each came to."""
    gate = Gate()
    first = asyncio.ensure_future(database.write("meta", "test", gate.work))
    await gate.entered()
    running = [asyncio.ensure_future(work) for work in works]
    while database.depth < 1 + len(works):
        await asyncio.sleep(0)
    gate.open()
    await first
    return await asyncio.gather(*running, return_exceptions=True)


async def test_appends_to_one_channel_in_one_batch_follow_each_other_and_repeats_among_them_are_known(
    database: SqliteDatabase,
) -> None:
    logs = SqliteLogs(database, lambda: "abcdefgh", lambda _appended: None)
    ids = ["c:1", "c:2", "c:1", "c:3", "c:4", "c:5"]
    outcomes = await together(database, *(logs.append(append_to("demo:a", id_), 1) for id_ in ids))

    assert [outcome.offsets for outcome in outcomes] == [(1,), (2,), (1,), (3,), (4,), (5,)]
    assert [any(outcome.repeats) for outcome in outcomes] == [False, False, True, False, False, False]
    page = await logs.history(HistoryRequest(channel="demo:a", since=0, limit=10))
    assert [each.offset for each in page.publications] == [3, 4, 5]


async def test_a_head_kept_in_memory_never_lowers_a_floor_that_was_raised_meanwhile(database: SqliteDatabase) -> None:
    logs = SqliteLogs(database, lambda: "abcdefgh", lambda _appended: None)
    await logs.append(append_to("demo:a", "c:1"), 1)
    await logs.append(append_to("demo:b", "c:1", ttl_ms=1), 1)
    await logs.remove("demo:a")
    assert await logs.remove_expired(10, 10) == 1
    for channel in ("demo:a", "demo:b"):
        await logs.append(append_to(channel, "c:2"), 20)

    heads = await logs.heads(["demo:a", "demo:b"])
    assert [(head.head, head.floor) for head in heads] == [(2, 1), (2, 1)]


async def test_what_nobody_waits_for_any_more_is_not_begun(database: SqliteDatabase) -> None:
    gate = Gate()
    first = asyncio.ensure_future(database.write("meta", "test", gate.work))
    await gate.entered()
    late = asyncio.ensure_future(database.write("meta", "test", note("late")))
    while database.depth < 2:
        await asyncio.sleep(0)
    late.cancel()
    gate.open()
    await first
    await database.write("meta", "test", note("after"))

    assert await notes(database) == {"after"}


async def test_a_full_queue_refuses_as_overloaded_and_goes_on(tmp_path: Path) -> None:
    writer = Writer(partial(open_writer, tmp_path / "s.sqlite3"), max_operations=3, max_bytes=100)
    await writer.start()
    try:
        gate = Gate()
        waiting = [asyncio.ensure_future(writer.submit(gate.work))]
        await gate.entered()
        waiting.append(asyncio.ensure_future(writer.submit(note("a"), cost=90)))
        await asyncio.sleep(0)
        with pytest.raises(CausewayError) as by_bytes:
            await writer.submit(note("b"), cost=20)
        waiting.append(asyncio.ensure_future(writer.submit(note("c"))))
        await asyncio.sleep(0)
        with pytest.raises(CausewayError) as by_count:
            await writer.submit(note("d"))
        gate.open()
        await asyncio.gather(*waiting)
        await writer.submit(note("e"), cost=1000)

        assert by_bytes.value.name is by_count.value.name is ErrorName.OVERLOADED
        assert writer.depth == 0
    finally:
        await writer.stop()


async def test_reads_are_bounded_too(database: SqliteDatabase) -> None:
    gate = Gate()
    waiting = [asyncio.ensure_future(database.read("meta", "test", gate.work)) for _ in range(2)]
    await gate.entered()
    with pytest.raises(CausewayError) as caught:
        await database.read("meta", "test", gate.work)
    gate.open()
    await asyncio.gather(*waiting)

    assert caught.value.name is ErrorName.OVERLOADED


async def test_a_full_disk_fails_the_write_as_unavailable_half_does_nothing_and_heals(database: SqliteDatabase) -> None:
    """The disk's end is played by SQLite's own page limit."""

    def limit(pages: int) -> Callable[[sqlite3.Connection], None]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").close()

    def large(connection: sqlite3.Connection) -> None:
        note("half")(connection)
        connection.execute("INSERT INTO meta VALUES (?, 1)", ("x" * 500_000,))

    await database.write("meta", "test", limit(1))
    with pytest.raises(CausewayError, match="SQLITE_FULL") as caught:
        await database.write("meta", "test", large)
    assert caught.value.name is ErrorName.UNAVAILABLE
    assert not database.healthy
    assert await notes(database) == set()
    await database.write("meta", "test", limit(1_000_000))
    await database.write("meta", "test", note("after"))

    assert database.healthy
    assert await notes(database) == {"after"}


class FailingCommit:
    """A connection whose next COMMIT fails, before or after it took effect: a fault that is played, the rest is real."""

    def __init__(self, connection: sqlite3.Connection, *, after: bool) -> None:
        self._connection, self._after = connection, after

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, values: tuple[str, ...] = ()) -> sqlite3.Cursor:
        if sql == "COMMIT":
            if self._after:
                self._connection.execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, values)

    def executemany(self, sql: str, values: list[tuple[Any, ...]]) -> sqlite3.Cursor:
        return self._connection.executemany(sql, values)

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("after", [False, True])
async def test_a_head_kept_in_memory_is_forgotten_with_a_write_whose_outcome_is_unknown(
    database: SqliteDatabase, after: bool
) -> None:
    logs = SqliteLogs(database, lambda: "abcdefgh", lambda _appended: None)
    await logs.append(append_to("demo:a", "c:1"), 1)
    connection = database._writer._connection
    assert connection is not None
    database._writer._connection = FailingCommit(connection, after=after)  # type: ignore[assignment]
    with pytest.raises(CausewayError, match="outcome is unknown"):
        await logs.append(append_to("demo:a", "c:2"), 2)

    assert (await logs.append(append_to("demo:a", "c:3"), 3)).offsets == (2 + after,)
    assert (await logs.append(append_to("demo:a", "c:2"), 4)).offsets == (2 if after else 3,)


@pytest.mark.parametrize("after", [False, True])
async def test_a_commit_of_unknown_outcome_is_unavailable_and_the_database_is_opened_again(tmp_path: Path, after: bool) -> None:
    """Nobody is told of success; the repeat finds out on a connection that has synced what it reads."""
    path = tmp_path / "s.sqlite3"
    openings = 0

    def opener() -> sqlite3.Connection:
        nonlocal openings
        openings += 1
        connection = open_writer(path)
        return connection if openings > 1 else FailingCommit(connection, after=after)  # type: ignore[return-value]

    writer = Writer(opener, max_operations=10, max_bytes=1000)
    await writer.start()
    try:
        fed: list[None] = []
        with pytest.raises(CausewayError, match="outcome is unknown") as caught:
            await writer.submit(note("a"), then=fed.append)
        assert caught.value.name is ErrorName.UNAVAILABLE
        assert not writer.healthy
        assert fed == []

        def count(connection: sqlite3.Connection) -> int:
            return int(connection.execute("SELECT count(*) FROM meta WHERE key = 'a'").fetchone()[0])

        assert await writer.submit(count) == int(after)
        assert (openings, writer.healthy) == (2, True)
    finally:
        await writer.stop()


async def test_a_database_in_use_says_so(database: SqliteDatabase, tmp_path: Path) -> None:
    second = opened(tmp_path / "s.sqlite3")
    with pytest.raises(StartError, match="another storage process uses the database"):
        await second.start()
    await second.stop()
    with pytest.raises(StartError, match="another storage process"):
        raise_generation(tmp_path / "s.sqlite3", 0)


async def test_the_lock_is_given_back_and_missing_directories_are_made(tmp_path: Path) -> None:
    for _ in range(2):
        database = opened(tmp_path / "not" / "yet" / "s.sqlite3")
        await database.start()
        await database.stop()


@pytest.mark.parametrize("schema", range(1, SCHEMA))
async def test_a_file_of_an_older_schema_is_brought_up_to_date(tmp_path: Path, schema: int) -> None:
    path = tmp_path / "s.sqlite3"
    database = opened(path)
    await database.start()
    key = EntityKey("chat", "room", "é")
    await SqliteEntities(database).commit(key, Commit(0, "a", {}, 1, (), 0, "ann", "", 1))
    await database.stop()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO heads VALUES (7, 'demo:a', 'abcdefgh', 3, 3, 1000, NULL, 5)")
        connection.executescript(back_to(schema))
    for _ in range(2):
        database = opened(path)
        await database.start()
        query = plan_query("chat", QueryRequest(kind="room"), b"")
        assert [each.id for each in await SqliteEntities(database).query(query)] == ["é"], (
            "entities of before are found by their id"
        )
        await database.stop()

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (SCHEMA,)
        (at_ms,) = connection.execute("SELECT at_ms FROM heads").fetchone()
        assert at_ms > 10**12 or schema > 5, "its 30 quiet days begin with the upgrade"
        assert connection.execute("SELECT * FROM versions").fetchall() == []
        assert connection.execute("SELECT * FROM attendances, holds, holders, commits").fetchall() == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TABLE other (x)", "no database of Causeway"),
        ("CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema', 99)", "newer Causeway"),
    ],
)
async def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, sql: str, words: str) -> None:
    path = tmp_path / "s.sqlite3"
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    database = opened(path)

    with pytest.raises(StartError, match=words):
        await database.start()
    await database.stop()


async def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    path.write_bytes(b"no database" * 1000)
    database = opened(path)

    with pytest.raises(StartError, match="cannot be opened"):
        await database.start()
    await database.stop()
