"""Storage's acknowledged appends on MongoDB's wire, for each server that is there: beside one bulk of 64 such conditional updates at a time
through motor alone, sent to the same server."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from bson.binary import Binary
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import UpdateOne

from bench.appends import PUBLISHERS, Appending
from bench.asking import Requesters
from bench.load import WrongError
from bench.plan import Plan
from bench.processes import SERVING, Meter, pinned
from bench.raw import TIME_MS, body
from bench.table import Goal, Pair, Row
from causeway_storage.adapters.mongo.heads import MOVE_FROM
from support.mongo import SERVERS, server

NEWEST: Final = MOVE_FROM // 2
"""As many publications as a head document has on the average: once there are `MOVE_FROM` they go to a segment."""


def _update(channel: int, head: int) -> UpdateOne:
    """What an append is to the server: the head is still the one that was read, and the list of the newest is set whole."""
    kept = range(head + 2 - NEWEST, head + 2)
    fields = {
        "head": head + 1,
        "pubs": [Binary(body(max(offset, 1))) for offset in kept],
        "ids": [f"c:0-{channel}:{offset}" for offset in kept],
        "times": [TIME_MS] * NEWEST,
    }
    return UpdateOne({"_id": f"bench:{channel}", "head": head}, {"$set": fields})


async def bulks_per_second(uri: str, seconds: float) -> float:
    """The floor, in updates a second; what they are made of was made before."""
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(uri)
    collection: AsyncIOMotorCollection[dict[str, object]] = client.get_default_database().get_collection("floor")
    await collection.delete_many({})
    await collection.insert_many([{"_id": f"bench:{channel}", "head": 0} for channel in range(PUBLISHERS)])
    elapsed, head = 0.0, 0
    while elapsed < seconds:
        operations = [_update(channel, head) for channel in range(PUBLISHERS)]
        started = time.perf_counter()
        result = await collection.bulk_write(operations, ordered=False)
        elapsed += time.perf_counter() - started
        if result.matched_count != PUBLISHERS:
            raise WrongError(f"{result.matched_count} of {PUBLISHERS} conditional updates matched")
        head += 1
    client.close()
    return head * PUBLISHERS / elapsed


async def figures(plan: Plan) -> list[Row]:
    """One row for each server."""
    return [await _figure(plan, name) for name in sorted(SERVERS)]


async def _figure(plan: Plan, name: str) -> Row:
    plan.say(f"appends on {name}: starting it, nats-server and storage")
    rates = list[Pair]()
    with pinned(SERVING):
        uri = urlunsplit(urlsplit(server(name))._replace(path="/bench"))
    async with plan.stack(f"appends-{name}") as stack:
        await stack.storage(uri=uri)
        requesters = await Requesters.connect(stack.nats.url)
        many = Appending(requesters, f"on-{name}")
        await many.load(PUBLISHERS, seconds=plan.seconds / 2)
        for _ in plan.runs(f"acknowledged appends on {name}"):
            floor = await bulks_per_second(uri, plan.seconds)
            meter = Meter(stack.pids)
            asked = await many.load(PUBLISHERS, seconds=plan.seconds)
            rates.append(Pair(floor, asked.per_second, meter.per(asked.count)))
        requesters.close()
    work = f"acknowledged appends, 64 publishers, MongoDB's wire: {name} (floor: one bulk of 64 conditional updates at a time through motor)"
    note = f"head documents of {NEWEST} publications in the floor; of the parts, without the server's: processor time, µs/append"
    return Row(work, "/s", rates, Goal(0.5, least=True), note)
