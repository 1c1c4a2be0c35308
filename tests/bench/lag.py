"""How long the gateway's loop stands still under the fullest fan-out, and what the garbage collector has of it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from bench.load import Audience, open_all, pump
from bench.observed import BEAT_SECONDS
from bench.plan import Plan, percentile_ms
from bench.processes import Gateway
from bench.speaking import Publisher, connect, message, publication_in
from bench.table import Goal, Pair, Row

CHANNELS: Final = 8
IN_FLIGHT: Final = 4
WARM_SECONDS: Final = 0.3
FINAL: Final = 50_000


async def listeners(gateway: Gateway, clients: int, channels: int) -> tuple[list[Audience], Publisher]:
    """`clients` connections, each in one of the channels, and a publisher."""
    (publisher,) = await open_all(gateway.port, 1, lambda _n: connect("publisher"), 1, lambda _n, _got: Publisher())
    names = [f"open:lag-{clients}-{channels}-{number}" for number in range(channels)]
    audiences = [Audience(publication_in(name), [publisher.into(name)]) for name in names]
    await open_all(
        gateway.port,
        clients,
        lambda n: connect(f"user-{n}", names[n % channels]),
        2,
        lambda n, _got: audiences[n % channels].member(),
    )
    return audiences, publisher


async def full(gateway: Gateway, clients: int, channels: int, plan: Plan) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What was observed inside the gateway in each run of full load, and while the connections were opened."""
    gateway.begin()
    audiences, publisher = await listeners(gateway, clients, channels)
    opening = await gateway.end()

    async def load(seconds: float) -> None:
        await asyncio.gather(*(pump(audience, message, IN_FLIGHT, seconds) for audience in audiences))
        await publisher.settled()

    found: list[dict[str, Any]] = []
    for _run in plan.runs(f"loop lag, {clients:,} connections in {channels} channel{'s' * (channels > 1)}"):
        await load(WARM_SECONDS)
        gateway.begin()
        await load(plan.seconds)
        found.append(await gateway.end())
    for audience in audiences:
        for member in audience.members:
            member.leave()
    publisher.leave()
    plan.keep(found[0], f"lag-{channels}")
    return found, opening


def rows(what: str, found: list[dict[str, Any]]) -> list[Row]:
    """The two goals of one load."""
    return [
        Row(
            f"loop lag, {what}: p99",
            "ms",
            [Pair(None, percentile_ms(one["gaps"], 0.99, BEAT_SECONDS)) for one in found],
            Goal(20, absolute=True),
        ),
        Row(
            f"loop lag, {what}: longest stall",
            "ms",
            [Pair(None, max(one["gaps"]) * 1e3) for one in found],
            Goal(100, absolute=True),
        ),
    ]


def collecting(window: dict[str, Any]) -> float:
    """The collector's share of a window, percent."""
    return float(sum(took for _, took in window["collections"]) / window["seconds"] * 100)


async def figures(plan: Plan) -> list[Row]:
    """Lag of many channels at once and of one that all watch; the collector's share."""
    clients = plan.of(8_000, 2_000)
    plan.say(f"loop lag: opening {clients:,} connections")
    async with plan.stack("lag") as stack:
        await stack.storage()
        gateway = await plan.gateway(stack, observed=True)
        gateway.begin()
        await asyncio.sleep(0.1)
        empty = (await gateway.end())["tracked"]
        spread, opening = await full(gateway, clients, CHANNELS, plan)
        await asyncio.sleep(1)
        wide, _ = await full(gateway, clients, 1, plan)
    found = [*spread, *wide]
    shares = [collecting(one) for one in found]
    each = [one["full_seconds"] / one["tracked"] * 1e9 for one in found]
    objects = [(one["tracked"] - empty) / clients for one in found]
    at_final = [(empty + count * FINAL) * cost / 1e6 for count, cost in zip(objects, each, strict=True)]
    oldest = sum(generation == 2 for one in found for generation, _ in one["collections"])
    return [
        *rows(f"{clients:,} connections, {CHANNELS} channels", spread),
        *rows(f"{clients:,} connections, one channel", wide),
        Row(
            "garbage collector, share of the time under load",
            "%",
            [Pair(None, share) for share in shares],
            note=f"{oldest} full collections meanwhile",
        ),
        Row(
            f"garbage collector, share of the time while {clients:,} connect",
            "%",
            [Pair(None, collecting(opening))],
            note=f"longest {max((took for _, took in opening['collections']), default=0) * 1e3:.0f} ms",
        ),
        Row("a full collection, for each tracked object", "ns", [Pair(None, value) for value in each]),
        Row("tracked objects of a connection", "", [Pair(None, value) for value in objects]),
        Row(
            f"a full collection at {FINAL:,} connections",
            "ms",
            [Pair(None, value) for value in at_final],
            note="computed from the two above",
        ),
    ]
