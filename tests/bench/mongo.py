"""Acknowledged appends on MongoDB's wire, beside what motor alone does: one unordered bulk of 64 conditional updates at a time.

On the servers of the tests (`support.mongo`): a real MongoDB where there is one, else both stand-ins.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import InsertOne, UpdateOne, WriteConcern

from bench.appends import PUBLISHERS, Appending
from bench.asking import Requesters
from bench.load import WrongError
from bench.plan import Plan
from bench.processes import SERVING, Meter, pinned
from bench.raw import TIME_MS
from bench.speaking import message
from bench.table import Goal, Pair, Row
from causeway_common.contracts.messages import AppendItem, AppendRequest
from causeway_storage.adapters.mongo.heads import HeadDocument, appended, insertion, update
from causeway_storage.domain.log import plan_append
from support import mongo

TTL_MS: Final = 3_600_000


class Updating:
    """64 head documents, and for each the update that the next append would be."""

    def __init__(self, run: int) -> None:
        self._names = [f"raw:{run}-{number}" for number in range(PUBLISHERS)]
        self._documents: list[HeadDocument | None] = [None] * PUBLISHERS
        self._number = 0

    def batch(self) -> list[InsertOne[dict[str, Any]] | UpdateOne]:
        """The next bulk. A full document begins anew, as where its publications went into a segment."""
        operations: list[InsertOne[dict[str, Any]] | UpdateOne] = []
        self._number += 1
        for place, (name, before) in enumerate(zip(self._names, self._documents, strict=True)):
            item = AppendItem(id=f"c:{name}:{self._number}", data=message(self._number))
            request = AppendRequest(channel=name, size=10_000, ttl_ms=TTL_MS, items=[item])
            plan = plan_append(before.log if before else None, {}, request, now_ms=TIME_MS, letters="abcdefgh")
            moved = before is not None and before.full
            kept = before.without(before.log.head) if before is not None and moved else before
            after = appended(kept, plan, TTL_MS, TIME_MS)
            if before is None:
                operations.append(InsertOne(insertion(name, after, TIME_MS)))
            else:
                operations.append(UpdateOne(*update(name, before, after, moved=moved, now_ms=TIME_MS)))
            self._documents[place] = after
        return operations


async def updates_per_second(uri: str, run: int, seconds: float) -> float:
    """The floor."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(uri)
    try:
        collection = client["raw"].get_collection("heads", write_concern=WriteConcern("majority"))
        updating, count = Updating(run), 0
        await collection.bulk_write(updating.batch(), ordered=False)
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            result = await collection.bulk_write(updating.batch(), ordered=False)
            if result.matched_count != PUBLISHERS:
                raise WrongError(f"of {PUBLISHERS} conditional updates {result.matched_count} matched")
            count += PUBLISHERS
    finally:
        client.close()
    return count / elapsed


async def figures(plan: Plan) -> list[Row]:
    """A row for each server. motor alone and the publishers are on the load generator's core, the rest on the other."""
    rows: list[Row] = []
    for name in mongo.SERVERS:
        if name == "mongo-java-server" and mongo.missing:
            plan.say(f"mongo: {mongo.missing}: no figure for it")
            continue
        plan.say(f"mongo: starting {name}, nats-server and storage")
        with pinned(SERVING):
            uri = await asyncio.to_thread(mongo.server, name)
        pairs: list[Pair] = []
        async with plan.stack(f"mongo-{name}") as stack:
            await stack.storage(f"{uri.partition('?')[0]}bench")
            requesters = await Requesters.connect(stack.nats.url)
            appending = Appending(requesters)
            await appending.load(PUBLISHERS, seconds=plan.seconds / 4)
            for run in plan.runs(f"appends on {name}"):
                floor = await updates_per_second(uri, run, plan.seconds)
                meter = Meter(stack.pids)
                asked = await appending.load(PUBLISHERS, seconds=plan.seconds)
                pairs.append(Pair(floor, asked.per_second, meter.per(asked.count)))
            requesters.close()
        rows.append(
            Row(f"acknowledged appends on {name} (floor: motor alone, 64 updates at once)", "/s", pairs, Goal(0.5, least=True))
        )
    return rows
