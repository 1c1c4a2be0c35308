"""Where SQLite's work is done: on the event loop where it is small and the disk is quick, else in the threads, and never in both at once."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from causeway_storage.adapters.sqlite import SqliteDatabase, writer
from causeway_storage.adapters.sqlite.pace import QUICK_SECONDS, Pace
from causeway_storage.adapters.sqlite.writer import batches

SLOW, QUICK = Pace(), Pace()
SLOW.took(1e9)
QUICK.took(-1e9)
LOOP = "MainThread"


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "s.sqlite3", write_queue=1000, write_queue_bytes=1 << 28, read_queue=100)
    await made.start()
    yield made
    await made.stop()


def set_pace(database: SqliteDatabase, pace: Pace) -> None:
    database._writer._pace = database._reader._pace = pace


def notes(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """A kind of write: notes each name; where it was done."""
    connection.executemany("INSERT INTO meta VALUES (?, 1)", [(name,) for name in names])
    return [threading.current_thread().name] * len(names)


async def note(database: SqliteDatabase, name: str, cost: int = 0) -> str:
    return await database.write_kind("meta", "test", notes, name, cost=cost)


def noted(connection: sqlite3.Connection) -> tuple[str, set[str]]:
    names = {name for (name,) in connection.execute("SELECT key FROM meta WHERE key LIKE 'n%'")}
    return threading.current_thread().name, names


def where(connection: sqlite3.Connection) -> str:
    connection.execute("SELECT 1").close()
    return threading.current_thread().name


@given(st.lists(st.floats(0, QUICK_SECONDS * 0.99), min_size=1, max_size=20), st.floats(0, 1))
def test_one_slow_answer_is_outweighed_by_the_quick_ones_that_follow(seconds: list[float], slow: float) -> None:
    pace = Pace()
    assert not pace.quick
    for each in seconds:
        pace.took(each)
    assert pace.quick
    pace.took(slow)
    for _ in range(100):
        pace.took(0)
    assert pace.quick


async def test_a_small_batch_is_written_on_the_event_loop_while_the_disk_is_quick(database: SqliteDatabase) -> None:
    set_pace(database, QUICK)
    assert await note(database, "n1") == LOOP
    assert await database.read("meta", "test", noted, small=True) == (LOOP, {"n1"})
    set_pace(database, SLOW)
    assert await note(database, "n2") == "sqlite-writer"
    assert await database.read("meta", "test", noted, small=True) == ("sqlite-reader", {"n1", "n2"})


async def test_what_may_take_long_is_left_to_the_threads(database: SqliteDatabase) -> None:
    set_pace(database, QUICK)
    assert await database.write("meta", "test", where) == "sqlite-writer"
    assert await database.read("meta", "test", where) == "sqlite-reader"
    assert await note(database, "n1", cost=1 << 20) == "sqlite-writer"
    many = await asyncio.gather(*(note(database, f"n-{number}") for number in range(writer.SMALL_OPERATIONS + 1)))
    assert set(many) == {"sqlite-writer"}


async def test_nothing_is_written_or_read_on_the_event_loop_while_the_threads_have_work(database: SqliteDatabase) -> None:
    """Each connection is in one hand at a time, and what was asked first is done first."""
    set_pace(database, QUICK)
    held, opened = threading.Barrier(3), threading.Event()

    def gate(_connection: sqlite3.Connection) -> None:
        held.wait(10)
        assert opened.wait(10)

    gates = [
        asyncio.ensure_future(database.write("meta", "test", gate)),
        asyncio.ensure_future(database.read("meta", "test", gate)),
    ]
    await asyncio.to_thread(held.wait, 10)
    write = asyncio.ensure_future(note(database, "n1"))
    read = asyncio.ensure_future(database.read("meta", "test", where, small=True))
    await asyncio.sleep(0)
    assert not write.done()
    assert not read.done()
    opened.set()
    await asyncio.gather(*gates)
    assert (await write, await read) == ("sqlite-writer", "sqlite-reader")


@pytest.mark.parametrize("pace", [SLOW, QUICK])
async def test_a_cancelled_write_is_not_begun_and_the_others_of_its_batch_are_written(database: SqliteDatabase, pace: Pace) -> None:
    set_pace(database, pace)
    before = batches.total
    running = [asyncio.ensure_future(note(database, f"n{number}")) for number in range(3)]
    await asyncio.sleep(0)
    running[1].cancel()
    await asyncio.gather(*running, return_exceptions=True)
    _, names = await database.read("meta", "test", noted)
    assert names == {"n0", "n2"}
    assert batches.total == before + 1


async def test_the_thread_brings_the_log_into_the_file_before_sqlite_does_it_on_the_event_loop(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of writes, which would else grow until SQLite's own bound, begins anew from its start."""
    set_pace(database, QUICK)
    monkeypatch.setattr(writer, "CHECKPOINT_BYTES", 1 << 20)
    for number in range(400):
        await note(database, f"n{number}")
    assert (await note(database, "n")) in {LOOP, "sqlite-writer"}
    log = database._path.with_name(database._path.name + "-wal")
    assert log.stat().st_size < 2 << 20
