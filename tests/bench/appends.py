"""Storage's acknowledged appends: how many a second, and how long a lone one takes, beside raw SQLite with the same durability."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.plan import Plan, median
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.bus import Bus, BusSettings, Call, Deadline, ask_owner
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.shards import channel_shard

IN_FLIGHT: Final = 64
LONE: Final = 500
DATA: Final = message(0)


def raw_database(path: Path) -> sqlite3.Connection:
    """A connection with the durability that storage has: WAL, synchronous=FULL."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS log (channel TEXT, offset INTEGER, data BLOB, PRIMARY KEY (channel, offset)) WITHOUT ROWID"
    )
    return connection


def raw_rows_per_second(path: Path, seconds: float) -> float:
    """The floor: the same rows by one raw connection, in batches of 64."""
    connection, offsets = raw_database(path), itertools.count()
    started, rows = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
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
    return median(times)


async def append(bus: Bus, channel: str, id: str) -> None:
    """One acknowledged append."""
    request = m.AppendRequest(channel=channel, size=10_000, ttl_ms=3_600_000, items=[m.AppendItem(id=id, data=DATA)])
    await ask_owner(bus, verbs.APPEND, request, Deadline.after(4), shard=channel_shard(channel), message_id=id, caller="gateway")


async def appends_per_second(bus: Bus, run: int, seconds: float) -> float:
    """64 publishers, each on a channel of its own, one append under way each."""
    stop = time.perf_counter() + seconds

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
    return median(times)


async def figures(plan: Plan) -> list[Row]:
    """Both rows. Publisher, raw SQLite and the echo of the floor's request share the load generator's core."""
    plan.say("appends: starting nats-server and storage")
    rates, lone = list[Pair](), list[Pair]()
    question = m.RpcRequest(user="", client="", data=DATA)
    async with plan.stack("appends") as stack:
        await stack.storage()
        bus, echo = Bus(BusSettings(stack.nats.url, "", "", "bench")), Bus(BusSettings(stack.nats.url, "", "", "echo"))

        async def answer(request: m.RpcRequest, _call: Call) -> m.RpcReply:
            return m.RpcReply(data=request.data)

        async def ask(_number: int) -> None:
            await bus.request(verbs.RPC, question, Deadline.after(4), app="bench", method="echo")

        await bus.start()
        await echo.start()
        try:
            await echo.serve(verbs.RPC, answer, queue="bench", limit=64, app="bench", method="echo")
            await echo.flush()
            for run in plan.runs("acknowledged appends"):
                path = stack.directory / f"raw-{run}.sqlite3"
                floor = raw_rows_per_second(path, plan.seconds)
                rates.append(Pair(floor, await appends_per_second(bus, run, plan.seconds)))
                insert, asked = raw_insert_seconds(path), await median_seconds(ask)

                async def alone(number: int, run: int = run) -> None:
                    await append(bus, "bench:lone", f"c:lone-{run}:{number}")

                lone.append(Pair((insert + asked) * 1e3, await median_seconds(alone) * 1e3))
        finally:
            await bus.stop()
            await echo.stop()
    return [
        Row("acknowledged appends, 64 publishers (floor: raw SQLite rows in batches of 64)", "/s", rates, Goal(0.35, least=True)),
        Row("lone append (floor: one raw insert + one bus request)", "ms", lone, Goal(1.5)),
    ]
