"""SQLite's reads: a thread of their own, each on its own snapshot, and none is the worse for another."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_storage.adapters.sqlite.files import open_reader
from causeway_storage.adapters.sqlite.reader import Reader
from support.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "s.sqlite3"
    connection = sqlite3.connect(made, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE numbers (n INTEGER)")
    connection.execute("INSERT INTO numbers VALUES (1)")
    connection.close()
    return made


@pytest.fixture
async def reader(path: Path) -> AsyncIterator[Reader]:
    made = Reader(partial(open_reader, path), max_operations=4)
    yield made
    await made.stop()


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])


class Gate:
    """Holds the reader up."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, _connection: sqlite3.Connection) -> str:
        self.entered.set()
        assert self.opened.wait(10)
        return "held"


async def test_a_read_that_fails_fails_alone(reader: Reader) -> None:
    def broken(_connection: sqlite3.Connection) -> int:
        raise LookupError("damaged")

    def no_table(connection: sqlite3.Connection) -> int:
        return connection.execute("SELECT * FROM nothing").rowcount

    done = await asyncio.gather(*map(reader.submit, (count, broken, no_table, count)), return_exceptions=True)

    assert (done[0], done[3]) == (1, 1)
    assert isinstance(done[1], LookupError)
    assert isinstance(done[2], CausewayError)
    assert done[2].name is ErrorName.UNAVAILABLE


async def test_a_read_sees_all_that_was_written_before_it_was_asked_however_long_it_waited(reader: Reader, path: Path) -> None:
    gate = Gate()
    held = asyncio.ensure_future(reader.submit(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO numbers VALUES (2)")
    connection.close()
    later = asyncio.ensure_future(reader.submit(count))
    gate.opened.set()

    assert await held == "held"
    assert await later == 2


async def test_one_that_nobody_waits_for_any_more_is_not_read_and_frees_its_place(reader: Reader) -> None:
    gate = Gate()
    held = asyncio.ensure_future(reader.submit(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    waiting = [asyncio.ensure_future(reader.submit(lambda _connection: pytest.fail("nobody waits"))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(CausewayError) as caught:
        await reader.submit(count)
    assert caught.value.name is ErrorName.OVERLOADED
    for each in waiting:
        each.cancel()
    gate.opened.set()
    await held

    await until(lambda: reader._count == 0)
    assert await asyncio.gather(*(reader.submit(count) for _ in range(4))) == [1] * 4


async def test_what_was_asked_before_the_end_is_answered_and_nothing_after_it(path: Path) -> None:
    reader, gate = Reader(partial(open_reader, path), max_operations=10), Gate()
    held = [asyncio.ensure_future(reader.submit(gate)), asyncio.ensure_future(reader.submit(count))]
    await asyncio.to_thread(gate.entered.wait, 10)
    stopping = asyncio.ensure_future(reader.stop())
    await asyncio.sleep(0)
    with pytest.raises(CausewayError):
        await reader.submit(count)
    gate.opened.set()
    await stopping

    assert await asyncio.gather(*held) == ["held", 1]
