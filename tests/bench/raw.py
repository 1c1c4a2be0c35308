"""The storage figures' floors: one raw sqlite3 connection, opened as storage opens its own (WAL, synchronous=FULL), on storage's own tables."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from bench.load import WrongError
from bench.plan import median
from bench.speaking import message
from causeway_common.contracts.codec import encode
from causeway_common.contracts.messages import StoredPublication
from causeway_storage.adapters.sqlite.files import open_writer

BATCH: Final = 64
TIME_MS: Final = 1_700_000_000_000
PUBLICATION: Final = "INSERT INTO publications VALUES (?, ?, ?, ?)"
ID: Final = "INSERT INTO ids VALUES (?, ?, ?, ?)"


def body(offset: int) -> bytes:
    """A publication as it is stored."""
    return encode(StoredPublication(offset=offset, data=message(offset), time_ms=TIME_MS))


def _per_second(path: Path, seconds: float, batch: Callable[[sqlite3.Connection, int], None]) -> float:
    with closing(open_writer(path)) as connection:
        started, batches = time.perf_counter(), itertools.count()
        while (elapsed := time.perf_counter() - started) < seconds:
            number = next(batches)
            connection.execute("BEGIN IMMEDIATE")
            batch(connection, number)
            connection.execute("COMMIT")
    return next(batches) * BATCH / elapsed


def rows_per_second(path: Path, seconds: float) -> float:
    """What an append inserts, its publication and its id with their indexes, 64 appends to 64 channels in a transaction."""

    def batch(connection: sqlite3.Connection, number: int) -> None:
        offset = number + 1
        stored = body(offset)
        connection.executemany(PUBLICATION, [(channel, offset, TIME_MS + number, stored) for channel in range(BATCH)])
        connection.executemany(ID, [(channel, f"c:0-{channel}:{number}", offset, TIME_MS + number) for channel in range(BATCH)])

    return _per_second(path, seconds, batch)


def updates_per_second(path: Path, seconds: float, document: bytes) -> float:
    """Conditional updates of 64 documents, in a transaction."""
    update = (
        "UPDATE entities SET version = version + 1, document = ? WHERE app = 'bench' AND kind = 'raw' AND id = ? AND version = ?"
    )
    with closing(open_writer(path)) as connection:
        connection.executemany(
            "INSERT INTO entities (app, kind, id, version, document) VALUES ('bench', 'raw', ?, 0, ?)",
            [(str(number), document) for number in range(BATCH)],
        )

    def batch(connection: sqlite3.Connection, number: int) -> None:
        if connection.executemany(update, [(document, str(each), number) for each in range(BATCH)]).rowcount != BATCH:
            raise WrongError("a conditional update matched nothing")

    return _per_second(path, seconds, batch)


def insert_seconds(path: Path, count: int) -> float:
    """One durable insert of one publication, median."""
    times = []
    with closing(open_writer(path)) as connection:
        for offset in range(count):
            row = (1_000_000, offset, TIME_MS, body(offset))
            started = time.perf_counter()
            connection.execute(PUBLICATION, row)
            times.append(time.perf_counter() - started)
    return median(times)


def write_log(path: Path, channel: str, count: int) -> None:
    """A log of so many publications, as it is when their ids were forgotten long ago."""

    with closing(open_writer(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        number = connection.execute(
            "INSERT INTO heads (channel, letters, head, floor, ttl_ms, expires_ms) VALUES (?, 'abcdefgh', ?, 0, 1, ?)",
            (channel, count, 10**15),
        ).lastrowid
        assert number is not None
        connection.executemany(PUBLICATION, ((number, offset, TIME_MS, body(offset)) for offset in range(1, count + 1)))
        connection.execute("COMMIT")


def query_seconds(path: Path, channel: str, sinces: Sequence[int], count: int) -> float:
    """An indexed query for so many publications behind a position, median."""
    query = "SELECT position, body FROM publications WHERE number = ? AND position > ? ORDER BY position LIMIT ?"
    times = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -32768")
        (number,) = connection.execute("SELECT number FROM heads WHERE channel = ?", (channel,)).fetchone()
        for since in sinces:
            started = time.perf_counter()
            found = connection.execute(query, (number, since, count)).fetchall()
            times.append(time.perf_counter() - started)
            if [position for position, _ in found] != list(range(since + 1, since + count + 1)):
                raise WrongError(f"the raw query found something else behind {since}")
    return median(times)
