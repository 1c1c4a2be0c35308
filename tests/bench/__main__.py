"""`make bench`: what the documents claim, each figure as a ratio to a floor measured in the same run; medians of `RUNS` runs."""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from causeway_common.bus import Bus, BusSettings, Call, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError
from causeway_common.telemetry.logs import set_up_logs
from support.nats import NatsServer, free_port
from support.waiting import until

RUNS = 3
SECONDS = 3.0
IN_FLIGHT = 64
LONE = 500
DATA = b'"' + b"x" * 98 + b'"'


def raw_database(path: Path) -> sqlite3.Connection:
    """A connection with the durability that storage has: WAL, synchronous=FULL."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS log (channel TEXT, offset INTEGER, data BLOB, PRIMARY KEY (channel, offset)) WITHOUT ROWID"
    )
    return connection


def raw_rows_per_second(path: Path) -> float:
    """The floor: the same rows by one raw connection, in batches of 64."""
    connection, offsets = raw_database(path), itertools.count()
    started, rows = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO log VALUES (?, ?, ?)", [(f"bench:{i}", next(offsets), DATA) for i in range(IN_FLIGHT)])
        connection.execute("COMMIT")
        rows += IN_FLIGHT
    elapsed = time.perf_counter() - started
    connection.close()
    return rows / elapsed


def raw_insert_seconds(path: Path) -> float:
    """One raw durable insert, median."""
    connection, times = raw_database(path), []
    for offset in range(LONE):
        started = time.perf_counter()
        connection.execute("INSERT INTO log VALUES ('lone', ?, ?)", (10**9 + offset, DATA))
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times)


async def append(bus: Bus, channel: str, id: str) -> None:
    """One acknowledged append."""
    request = m.AppendRequest(channel=channel, size=10_000, ttl_ms=3_600_000, items=[m.AppendItem(id=id, data=DATA)])
    await bus.request(verbs.APPEND, request, Deadline.after(4), message_id=id, caller="gateway")


async def appends_per_second(bus: Bus, run: int) -> float:
    """64 publishers, each on a channel of its own, one append under way each."""
    stop = time.perf_counter() + SECONDS

    async def publisher(number: int) -> int:
        done = 0
        while time.perf_counter() < stop:
            await append(bus, f"bench:{number}", f"c:{run}-{number}:{done}")
            done += 1
        return done

    started = time.perf_counter()
    counts = await asyncio.gather(*(publisher(number) for number in range(IN_FLIGHT)))
    return sum(counts) / (time.perf_counter() - started)


async def median_seconds(work: Callable[[int], Awaitable[object]]) -> float:
    """The median time of `LONE` calls, one after the other."""
    times = []
    for number in range(LONE):
        started = time.perf_counter()
        await work(number)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def main() -> None:
    """Measure and print."""
    set_up_logs("bench", "", "console", "error")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        nats = NatsServer(directory / "nats")
        await nats.start()
        env = {
            **os.environ,
            "CAUSEWAY_STORAGE_NATS__URL": nats.url,
            "CAUSEWAY_STORAGE_PATH": str(directory / "storage.sqlite3"),
            "CAUSEWAY_STORAGE_INTERNAL__PORT": str(free_port()),
            "CAUSEWAY_STORAGE_TELEMETRY__LOG_LEVEL": "error",
        }
        storage = subprocess.Popen([Path(sys.executable).with_name("causeway-storage")], env=env)
        bus, echo = Bus(BusSettings(nats.url, "", "", "bench")), Bus(BusSettings(nats.url, "", "", "echo"))
        try:
            await bus.start()
            await echo.start()

            async def answer(request: m.RpcRequest, _call: Call) -> m.RpcReply:
                return m.RpcReply(data=request.data)

            await echo.serve(verbs.RPC, answer, queue="bench", limit=64, app="bench", method="echo")
            await echo.flush()
            await until_served(bus)
            await report(bus, directory)
        finally:
            await bus.stop()
            await echo.stop()
            storage.terminate()
            storage.wait()
            nats.kill()


async def until_served(bus: Bus) -> None:
    """Wait until storage answers."""
    served: list[bool] = []

    async def ask() -> None:
        while not served:
            try:
                await append(bus, "bench:warm", "c:warm:1")
                served.append(True)
            except CausewayError:
                await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    await until(lambda: bool(served), 20)
    await asking


async def report(bus: Bus, directory: Path) -> None:
    """All figures, floor and ours in turn."""
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, medians of {RUNS}"
    )
    floors, ours, lone_floors, lone_ours = [], [], [], []
    for run in range(RUNS):
        print(f"run {run + 1} of {RUNS} …", flush=True)
        floors.append(raw_rows_per_second(directory / f"raw-{run}.sqlite3"))
        ours.append(await appends_per_second(bus, run))
        insert = raw_insert_seconds(directory / f"raw-{run}.sqlite3")
        question = m.RpcRequest(user="", client="", data=DATA)
        request = await median_seconds(lambda _n: bus.request(verbs.RPC, question, Deadline.after(4), app="bench", method="echo"))  # noqa: B023
        lone_floors.append(insert + request)
        lone_ours.append(await median_seconds(lambda number, run=run: append(bus, "bench:lone", f"c:lone-{run}:{number}")))  # type: ignore[misc]
    floor, our = statistics.median(floors), statistics.median(ours)
    print(
        f"acknowledged appends/s, 64 publishers, 100 B: {our:,.0f}; raw SQLite rows/s, batches of 64: {floor:,.0f}; ratio {our / floor:.2f}"
    )
    lone_floor, lone = statistics.median(lone_floors) * 1e3, statistics.median(lone_ours) * 1e3
    print(f"lone append: {lone:.2f} ms; raw insert + one bus request: {lone_floor:.2f} ms; ratio {lone / lone_floor:.2f}")


if __name__ == "__main__":
    uvloop.run(main())
