"""Fan-out: one publisher, 1,000 subscribers of one channel, microseconds of processor time for each delivery.

Publishers are client connections of their own, one for each publish in flight: their commands and the way over NATS and storage are
part of the cost. The floor's publisher is one too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from bench.frames import client_frame
from bench.load import Audience, Peer, open_all, pump
from bench.plan import Plan, total
from bench.processes import Gateway, Meter, Stack
from bench.speaking import Publisher, connect, message, publication_in
from bench.table import Goal, Pair, Row

SUBSCRIBERS: Final = 1_000
IN_FLIGHT: Final = 64
WARM_SECONDS: Final = 0.1
SLICES: Final = 4


class Crowd:
    """Subscribers and publishers, connected."""

    def __init__(self, audience: Audience, publishers: Sequence[Peer]) -> None:
        self._audience, self._publishers = audience, publishers

    async def load(self, in_flight: int, seconds: float, pids: dict[str, int]) -> dict[str, float]:
        """Microseconds of each process for one delivery."""
        await pump(self._audience, message, in_flight, WARM_SECONDS)
        await self._settled()
        meter = Meter(pids)
        sent = await pump(self._audience, message, in_flight, seconds)
        await self._settled()
        return meter.per(sent * len(self._audience.members))

    async def _settled(self) -> None:
        for publisher in self._publishers:
            if isinstance(publisher, Publisher):
                await publisher.settled()

    def leave(self) -> None:
        """Cut all connections."""
        for peer in (*self._audience.members, *self._publishers):
            peer.leave()


async def floor_crowd(port: int) -> Crowd:
    """At the bare server."""
    (publisher,) = await open_all(port, 1, lambda _n: b"", 0, lambda _n, _got: Peer(), path="/publish")
    audience = Audience(lambda payload: payload, [lambda data: publisher.transport.write(client_frame(data))])
    await open_all(port, SUBSCRIBERS, lambda _n: b"", 0, lambda _n, _got: audience.member(), path="/subscribe")
    return Crowd(audience, [publisher])


async def crowd(gateway: Gateway, channel: str, publishing: int = 1) -> Crowd:
    """At a gateway; the clients that publish watch nothing."""
    publishers = await open_all(gateway.port, publishing, lambda n: connect(f"publisher-{n}"), 1, lambda _n, _got: Publisher())
    audience = Audience(publication_in(channel), [publisher.into(channel) for publisher in publishers])
    await open_all(gateway.port, SUBSCRIBERS, lambda n: connect(f"user-{n}", channel), 2, lambda _n, _got: audience.member())
    return Crowd(audience, publishers)


async def started(plan: Plan, stack: Stack) -> Gateway:
    """Storage and a gateway."""
    await stack.storage()
    return await plan.gateway(stack)


@dataclass(frozen=True, slots=True)
class Load:
    """One of the loads that are compared; `name` is its profile's, "" for a floor."""

    name: str
    crowd: Crowd
    in_flight: int
    pids: dict[str, int]


async def taken_in_turn(plan: Plan, gateway: Gateway, loads: Sequence[Load], *, profiled: bool) -> list[dict[str, float]]:
    """One run: each load in slices that alternate, so that what else the machine does meanwhile falls on all of them alike."""
    taken: list[list[dict[str, float]]] = [[] for _ in loads]
    for number in range(SLICES):
        for load, slices in zip(loads, taken, strict=True):
            profile = profiled and number == 0 and bool(load.name)
            if profile:
                plan.begin(gateway)
            slices.append(await load.crowd.load(load.in_flight, plan.seconds / SLICES, load.pids))
            if profile:
                await plan.end(gateway, load.name)
    return [{name: fmean(each[name] for each in slices) for name in slices[0]} for slices in taken]


async def figures(plan: Plan) -> list[Row]:
    """Closed loop, in flight, and with history, against the same floor in the same run."""
    plan.say("fan-out: starting nats-server, storage, a gateway and the floor")
    lone, joined, logged = list[Pair](), list[Pair](), list[Pair]()
    async with plan.stack("fanout") as stack:
        gateway = await started(plan, stack)
        serving = dict(stack.pids)
        port = await stack.floor("websockets")
        floor_pids = {"floor": stack.pids["websockets"]}
        bare, open_ = await floor_crowd(port), await crowd(gateway, "open:crowd")
        busy, kept = await crowd(gateway, "open:busy", IN_FLIGHT), await crowd(gateway, "logged:crowd")
        await asyncio.sleep(0.5)
        loads = [
            Load("", bare, 1, floor_pids),
            Load("fanout", open_, 1, serving),
            Load("fanout-in-flight", busy, IN_FLIGHT, serving),
            Load("fanout-logged", kept, 1, serving),
        ]
        for run in plan.runs("fan-out to 1,000"):
            bare_parts, one, many, durable = await taken_in_turn(plan, gateway, loads, profiled=not run)
            floor = total(bare_parts)
            lone.append(Pair(floor, total(one), one))
            joined.append(Pair(floor, total(many), many))
            logged.append(Pair(total(one), total(durable), durable))
        for each in (bare, open_, busy, kept):
            each.leave()
    return [
        Row("fan-out, 100 B to 1,000, next when all have the last", "µs/delivery", lone, Goal(1.25, 1.1)),
        Row(f"the same, {IN_FLIGHT} publishes in flight", "µs/delivery", joined, Goal(0.35, 0.2)),
        Row("fan-out with history and recovery (floor: the same without)", "µs/delivery", logged, Goal(1.15)),
    ]
