"""Jobs: signed webhooks a second, what a hanging destination does to the others, and what jobs that wait for a later try take of memory."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

from bench import webhooks
from bench.load import WrongError
from bench.plan import Plan
from bench.processes import SERVING, Meter, Stack, memory_kb, pinned
from bench.table import Goal, Pair, Row
from bench.webhooks import AT_ONCE, BODY, FAILING, HANGING, HEALTHY, PATIENCE_SECONDS, Door, door

CALLERS: Final = 12
BATCH: Final = 16
"""Jobs that a caller leaves at once: all callers' are enough for `AT_ONCE` attempts, and fewer than storage delivers at once."""
SLOTS: Final = 16
"""Of one destination, as by default."""
PACE: Final = 200
"""Jobs a second for the healthy ones, all together."""
HELD: Final = 3 * SLOTS
"""Jobs that the hanging one has from the begin."""
SOON: Final = ["0s", *["1s"] * 30]
LATER: Final = ["0s", "1h"]
LATER_MS: Final = 3_600_000
WAITING: Final = 100_000
TRIED: Final = 2_000
"""So many of those that wait were tried and failed; the others are due at that time from the begin, which is quicker to make."""
FILLING: Final = 10_000
"""Jobs of `FILLING_BODY` that fill SQLite's page cache (32 MiB) before memory is looked at: it does not count as growth."""
FILLING_BODY: Final = "x" * 4096
ENQUEUED_AT_ONCE: Final = 128
WAITING_GOAL_BYTES: Final = 100
"""A job that is held in memory takes a multiple; what an allocator keeps or gives back is below."""
DONE: Final = "state = 'done' AND length(log) > 0"
PENDING: Final = "state = 'pending'"
TIMED_OUT: Final = f"{PENDING} AND note LIKE 'no answer within%'"
TO_RETRY: Final = f"{PENDING} AND length(log) > 0"


async def figures(plan: Plan) -> list[Row]:
    """The rows. Receiver and callers are on the load generator's core; nats-server, storage, integrations and the floor on the other."""
    plan.say("jobs: starting nats-server, storage and integrations")
    async with door(plan, "jobs", LATER, per_destination=AT_ONCE) as busy:
        rates = await rate_pairs(plan, busy)
    async with door(plan, "jobs-hanging", SOON, per_destination=SLOTS) as held:
        lags = await lag_pairs(plan, held)
    return [
        Row(
            f"webhook jobs, {AT_ONCE} at once, attempts recorded (floor: an aiohttp client posting signed bodies alone)",
            "/s",
            rates,
            Goal(0.4, least=True),
            "from enqueue to the attempt in storage's file, one destination; of the parts: processor time, µs/job",
        ),
        Row(
            f"one destination hangs among {len(HEALTHY)}: p99 of the healthy ones from enqueue to receipt (floor: without it)",
            "ms",
            lags,
            Goal(1.2),
            f"{PACE} jobs a second, time-out 1 s; the hanging one has {HELD} jobs from the begin, and its share of those that come",
        ),
        *await waiting_rows(plan),
    ]


async def rate_pairs(plan: Plan, door: Door) -> list[Pair]:
    """Jobs a second beside the floor."""
    pairs: list[Pair] = []
    await _left(door, "warm", plan.seconds / 4)
    for run in plan.runs("webhook jobs"):
        floor = await _alone(door.receiver.url(HEALTHY[0]), plan.seconds)
        meter, started = Meter(door.stack.pids), time.perf_counter()
        count = await _left(door, f"rate{run}", plan.seconds)
        await door.kept(f"rate{run}", DONE, count)
        pairs.append(Pair(floor, count / (time.perf_counter() - started), meter.per(count)))
    return pairs


async def _left(door: Door, name: str, seconds: float) -> int:
    """Every caller leaves some jobs, waits until they have come, and again; how many in all."""
    stop, count = time.perf_counter() + seconds, 0

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < stop:
            ids = [f"{name}-{number:08}" for number in range(count, count + BATCH)]
            count += BATCH
            coming = [door.receiver.coming(each) for each in ids]
            await door.leave(HEALTHY[0], ids)
            await asyncio.wait_for(asyncio.gather(*coming), PATIENCE_SECONDS)

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
    return count


async def _alone(url: str, seconds: float) -> float:
    """The floor, on the servers' core; requests a second."""
    with pinned(SERVING):
        child = await asyncio.create_subprocess_exec(
            sys.executable, webhooks.__file__, url, str(seconds), stdout=asyncio.subprocess.PIPE
        )
    printed, _ = await child.communicate()
    if child.returncode:
        raise WrongError(f"the floor ended with {child.returncode}")
    return float(printed)


async def lag_pairs(plan: Plan, door: Door) -> list[Pair]:
    """The p99 of the healthy destinations without and with the hanging one."""
    pairs: list[Pair] = []
    seconds = plan.seconds * 1.5
    await _p99(door, "warm", HEALTHY, seconds / 3)
    for run in plan.runs("a hanging destination"):
        without = await _p99(door, f"without{run}", HEALTHY, seconds)
        door.receiver.released.clear()
        await door.leave(HANGING, [f"held{run}-{number:08}" for number in range(HELD)])
        beside = await _p99(door, f"with{run}", (*HEALTHY, HANGING), seconds)
        if not door.count(f"held{run}", TIMED_OUT):
            raise WrongError("no request to the hanging destination timed out")
        door.receiver.released.set()
        await door.kept(f"held{run}", DONE, HELD)
        await door.kept(f"with{run}", PENDING, 0)
        pairs.append(Pair(without, beside))
    return pairs


async def _p99(door: Door, name: str, destinations: Sequence[str], seconds: float) -> float:
    """Leave jobs for these in turn at a steady pace; the p99 of those that do not hang, milliseconds."""
    took: list[float] = []

    async def one(destination: str, id: str) -> None:
        began, coming = time.perf_counter(), door.receiver.coming(id)
        await door.leave(destination, [id])
        if destination != HANGING:
            took.append(await asyncio.wait_for(coming, PATIENCE_SECONDS) - began)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as jobs:
        for number in range(int(seconds * PACE)):
            await asyncio.sleep(started + number / PACE - time.perf_counter())
            jobs.create_task(one(destinations[number % len(destinations)], f"{name}-{number:08}"))
    took.sort()
    return took[len(took) * 99 // 100] * 1e3


async def waiting_rows(plan: Plan) -> list[Row]:
    """Memory by waiting jobs; measured once, it does not spread."""
    count, tried = plan.of(WAITING, WAITING // 10), plan.of(TRIED, TRIED // 10)
    plan.say(f"jobs: {count:,} that wait for a later try")
    async with door(plan, "jobs-waiting", LATER, per_destination=AT_ONCE) as waiting:
        await _put(waiting, "warm", tried, 0)
        await waiting.kept("warm", TO_RETRY, tried)
        await _put(waiting, "filling", FILLING, LATER_MS, FILLING_BODY)
        before = _memory(waiting.stack)
        await _put(waiting, "tried", tried, 0)
        await waiting.kept("tried", TO_RETRY, tried)
        await _put(waiting, "early", count // 2 - tried, LATER_MS)
        half = _memory(waiting.stack)
        await _put(waiting, "late", count // 2, LATER_MS)
        for name, left in (("early", count // 2 - tried), ("late", count // 2)):
            await waiting.kept(name, PENDING, left)
        whole = _memory(waiting.stack)
    said = f"{tried:,} of them were tried and failed, the others are due as late from the begin"
    return [
        Row(
            f"memory of {name} for one of {count:,} jobs that wait for a later try",
            "B",
            [Pair(None, (whole[name] - before[name]) / count)],
            Goal(WAITING_GOAL_BYTES, absolute=True),
            f"{before[name] / 2**20:.1f} MB before, {half[name] / 2**20:.1f} MB at half, {whole[name] / 2**20:.1f} MB at all; {said}",
        )
        for name in ("integrations", "storage")
    ]


async def _put(door: Door, name: str, count: int, later_ms: int, body: str = BODY) -> None:
    """Leave these for the failing destination, at once or to be due so much later."""
    due_ms = int(time.time() * 1000) + later_ms if later_ms else 0
    for first in range(0, count, ENQUEUED_AT_ONCE):
        ids = [f"{name}-{number:08}" for number in range(first, min(first + ENQUEUED_AT_ONCE, count))]
        await door.leave(FAILING, ids, due_ms, body)


def _memory(stack: Stack) -> dict[str, int]:
    return {name: memory_kb(stack.pids[name]) * 1024 for name in ("integrations", "storage")}
