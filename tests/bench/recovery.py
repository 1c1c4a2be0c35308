"""Clients whose gateway is killed come to another one and recover what they missed; processor time of the new gateway, NATS and storage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from bench.load import Peer, WrongError, open_all
from bench.plan import Plan, median, total
from bench.processes import Meter, Stack
from bench.speaking import connect, message
from bench.table import Goal, Pair, Row
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs

CHANNELS: Final = 50
MISSED: Final = 100


def channel(number: int) -> str:
    """The channel of client `number`."""
    return f"logged:lost-{number % CHANNELS}"


async def append(bus: Bus, name: str, run: int, first: int, count: int) -> str:
    """Messages into a channel's log, in one append; returns its epoch."""
    items = [m.AppendItem(id=f"c:bench-{run}:{number}", data=message(number)) for number in range(first, first + count)]
    request = m.AppendRequest(channel=name, size=10_000, ttl_ms=3_600_000, items=items)
    reply = await bus.request(verbs.APPEND, request, Deadline.after(4), message_id=items[0].id, caller="gateway")
    return reply.epoch


def recovered(epochs: dict[str, str]) -> Callable[[int, list[dict[str, Any]]], Peer]:
    """Checks what a client was answered: recovered, and each missed message whole, once and in order."""
    expected = [(offset, message(offset)) for offset in range(2, MISSED + 2)]

    def check(number: int, replies: list[dict[str, Any]]) -> Peer:
        result: dict[str, Any] = next((reply["subscribe"] for reply in replies if "subscribe" in reply), {})
        found = [(each.get("offset"), json.dumps(each["data"]).encode()) for each in result.get("publications", [])]
        if not result.get("recovered") or result.get("epoch") != epochs[channel(number)] or found != expected:
            raise WrongError(f"client {number} recovered {len(found)} of {MISSED}: {str(result)[:300]}")
        return Peer()

    return check


async def lost(plan: Plan, stack: Stack, run: int, clients: int) -> tuple[Pair, Counter[str]]:
    """One run: open at one gateway, kill it, publish, recover at another. Also storage's requests meanwhile, by verb."""
    await stack.storage()
    first = await plan.gateway(stack)
    second = await plan.gateway(stack)
    asked: Counter[str] = Counter()
    bus = Bus(BusSettings(stack.nats.url, "", "", "bench"))
    await bus.start()
    try:
        epochs = {channel(n): await append(bus, channel(n), run, 1, 1) for n in range(CHANNELS)}
        meter = Meter({name: pid for name, pid in stack.pids.items() if name != "gateway-1"})
        peers = await open_all(first.port, clients, lambda n: connect(f"user-{n}", channel(n)), 2, lambda _n, _got: Peer())
        opening = total(meter.per(clients))
        for peer in peers:
            peer.leaving = True
        first.process.kill()
        for name in epochs:
            await append(bus, name, run, 2, MISSED)
        watch = await bus.listen("cw.v1.storage.>", lambda subject, _body: asked.update([subject.rsplit(".", 1)[-1]]))
        await bus.flush()
        serving = {name: pid for name, pid in stack.pids.items() if name != "gateway"}
        plan.begin(second)
        meter = Meter(serving)
        back = await open_all(
            second.port,
            clients,
            lambda n: connect(f"user-{n}", channel(n), recover=True, offset=1, epoch=epochs[channel(n)]),
            2,
            recovered(epochs),
        )
        ours = meter.per(clients)
        if not run:
            await plan.end(second, "recovery")
        await watch.close()
        for peer in back:
            peer.leave()
    finally:
        await bus.stop()
    return Pair(opening, total(ours), ours), asked


async def figures(plan: Plan) -> list[Row]:
    """The row of the table, and storage's reads for each channel."""
    clients = plan.of(5_000, 1_000)
    pairs, reads = list[Pair](), list[Pair]()
    heads: list[float] = []
    for run in plan.runs(f"recovery, {clients:,} clients in {CHANNELS} channels"):
        async with plan.stack(f"recovery-{run}") as stack:
            pair, asked = await lost(plan, stack, run, clients)
            pairs.append(pair)
            reads.append(Pair(None, asked["history"] / CHANNELS))
            heads.append(asked["heads"])
    return [
        Row(f"{clients:,} clients lose their gateway, {MISSED} missed each (floor: their opening)", "µs/client", pairs, Goal(1.5)),
        Row(
            "storage reads for that",
            "/channel",
            reads,
            Goal(1, absolute=True),
            note=f"requests of history seen on the bus; beside them {median(heads):g} requests for the heads of many channels",
        ),
    ]
