"""RPC: 64 callers, 100 B echo, through gateway, NATS and an app; microseconds of processor time for each call, all processes together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from bench.load import WrongError, open_all, require_right
from bench.plan import Plan, total
from bench.processes import Meter
from bench.speaking import Caller, connect, rpc_command, rpc_reply
from bench.table import Goal, Pair, Row

CALLERS: Final = 64
WARM_SECONDS: Final = 0.3
ANNOUNCED_SECONDS: Final = 15.0


async def called(callers: Sequence[Caller], seconds: float) -> int:
    """Every caller calls for this long; returns how many calls were answered, all rightly."""
    before = sum(caller.calls for caller in callers)
    stop = time.perf_counter() + seconds
    for caller in callers:
        caller.start(stop)
    async with asyncio.timeout(seconds + 10):
        await asyncio.gather(*(caller.done for caller in callers))
    require_right(callers)
    return sum(caller.calls for caller in callers) - before


async def load(callers: Sequence[Caller], seconds: float, pids: dict[str, int]) -> dict[str, float]:
    """Microseconds of each process for one call."""
    await called(callers, WARM_SECONDS)
    meter = Meter(pids)
    return meter.per(await called(callers, seconds))


async def gateway_callers(port: int, count: int) -> list[Caller]:
    """Callers of the echo app, once the gateway knows it."""

    def caller(number: int, _got: list[dict[str, Any]]) -> Caller:
        return Caller(number, rpc_command, rpc_reply)

    limit = time.perf_counter() + ANNOUNCED_SECONDS
    while True:
        (probe,) = await open_all(port, 1, lambda _n: connect("probe"), 1, caller)
        try:
            await called([probe], 0)
        except WrongError:
            if time.perf_counter() > limit:
                raise
            await asyncio.sleep(0.1)
        else:
            return await open_all(port, count, lambda n: connect(f"user-{n}"), 1, caller)
        finally:
            probe.leave()


async def figures(plan: Plan) -> list[Row]:
    """The row of the table."""
    plan.say("rpc: starting nats-server, storage, a gateway, the echo app and the floor's two")
    pairs: list[Pair] = []
    async with plan.stack("rpc") as stack:
        await stack.storage()
        gateway = await plan.gateway(stack)
        await stack.app()
        serving = dict(stack.pids)
        port = await stack.floor("rpc")
        await stack.floor("echo")
        floor_pids = {name: stack.pids[name] for name in ("rpc", "nats", "echo")}
        bare = await open_all(
            port, CALLERS, lambda _n: b"", 0, lambda n, _got: Caller(n, lambda _i, data: data, lambda _i, data: data), path="/call"
        )
        callers = await gateway_callers(gateway.port, CALLERS)
        for run in plan.runs(f"rpc, {CALLERS} callers"):
            floor = await load(bare, plan.seconds, floor_pids)
            plan.begin(gateway)
            ours = await load(callers, plan.seconds, serving)
            if not run:
                await plan.end(gateway, "rpc")
            pairs.append(Pair(total(floor), total(ours), ours))
        for peer in (*bare, *callers):
            peer.leave()
    return [Row("an RPC, 64 callers, 100 B echo, through an app", "µs/call", pairs, Goal(1.6, 1.3))]
