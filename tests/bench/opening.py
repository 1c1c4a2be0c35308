"""Opening a connection (token and subscribe, in one frame behind the upgrade), and what an idle one holds in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bench.load import Peer, open_all
from bench.plan import Plan, total
from bench.processes import Meter, memory_kb
from bench.speaking import connect
from bench.table import Goal, Pair, Row

WARM: Final = 100
SETTLE_SECONDS: Final = 1.0

Channel = Callable[[int], str]


async def opened(port: int, count: int, channel: Channel | None) -> list[Peer]:
    """Connections: bare ones, or connected with a token and subscribed."""
    if channel is None:
        return await open_all(port, count, lambda _n: b"", 0, lambda _n, _got: Peer(), path="/idle")
    return await open_all(port, count, lambda n: connect(f"user-{n}", channel(n)), 2, lambda _n, _got: Peer())


async def cost(port: int, count: int, channel: Channel | None, pids: dict[str, int]) -> dict[str, float]:
    """Microseconds of each process for opening one connection."""
    meter = Meter(pids)
    peers = await opened(port, count, channel)
    found = meter.per(count)
    for peer in peers:
        peer.leave()
    await asyncio.sleep(0.3)
    return found


async def memory(port: int, count: int, channel: Channel | None, pid: int) -> float:
    """Kilobytes of the process for one more connection, after `WARM` of them."""
    warm = await opened(port, WARM, channel)
    await asyncio.sleep(SETTLE_SECONDS)
    before = memory_kb(pid)
    peers = await opened(port, count, channel)
    await asyncio.sleep(SETTLE_SECONDS)
    found = (memory_kb(pid) - before) / count
    for peer in (*warm, *peers):
        peer.leave()
    return found


async def figures(plan: Plan) -> list[Row]:
    """Both rows, and the memory of connections that watch a channel each. Every run has processes of its own."""
    count = plan.of(2_000, 500)
    idle, alone, opening = list[Pair](), list[Pair](), list[Pair]()
    for run in plan.runs(f"opening and memory, {count:,} connections"):
        async with plan.stack(f"opening-{run}") as stack:
            await stack.storage()
            gateway = await plan.gateway(stack)
            serving = dict(stack.pids)
            port = await stack.floor("websockets")
            floor_pids = {"floor": stack.pids["websockets"]}
            bare = await memory(port, count, None, stack.pids["websockets"])
            plan.begin(gateway)
            idle.append(Pair(bare, await memory(gateway.port, count, lambda _n: "open:idle", serving["gateway"])))
            if not run:
                await plan.end(gateway, "memory")
            floor = total(await cost(port, count, None, floor_pids))
            plan.begin(gateway)
            ours = await cost(gateway.port, count, lambda _n: "open:opening", serving)
            if not run:
                await plan.end(gateway, "opening")
            opening.append(Pair(floor, total(ours), ours))
            other = await plan.gateway(stack)
            each = await memory(other.port, count, lambda n: f"open:own-{n}", stack.pids["gateway-1"])
            alone.append(Pair(bare, each))
    return [
        Row(
            "idle connection, token, one channel", "KB", idle, Goal(20, 17, absolute=True), note="RSS, kernel buffers not included"
        ),
        Row("the same, each with a channel of its own", "KB", alone),
        Row("opening: upgrade, connect with token, subscribe", "µs", opening, Goal(2, 1.6)),
    ]
