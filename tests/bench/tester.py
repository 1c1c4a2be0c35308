"""A test's RPC: one call in AppTester, entity edit included, beside the same handler called by hand with pydantic validation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from pydantic import BaseModel, TypeAdapter

from bench.plan import Plan
from bench.table import Goal, Pair, Row
from causeway_common.bus import Deadline
from causeway_common.contracts.messages import CommitReply, CommitRequest, Document
from causeway_common.telemetry import get_logger
from causeway_logic import App, Context, Draft
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.ports import Outside
from causeway_testing import AppTester

ENTITIES: Final = 500
"""So many in turn: an entity remembers its commits, and a test makes few of one."""
CALLS: Final = 10_000

app = App("measured", version="1.0.0")


class Counter(BaseModel):
    """The entity."""

    count: int = 0
    last: str = ""


class Add(BaseModel):
    """The method's input."""

    id: str
    by: int


class Added(BaseModel):
    """The method's answer."""

    count: int


@app.rpc
async def make(ctx: Context, req: str) -> None:
    """Make a counter."""
    await ctx.entity(Counter, req).create(Counter())


@app.rpc
async def add(ctx: Context, req: Add) -> Added:
    """The handler that both call."""

    def change(draft: Draft[Counter]) -> None:
        draft.state.count += req.by
        draft.state.last = ctx.user

    return Added(count=(await ctx.entity(Counter, req.id).edit(change)).count)


class Kept:
    """Storage as somebody would fake it by hand: a map of documents."""

    def __init__(self) -> None:
        self._documents = {str(number): Document(version=1, state={"count": 0, "last": ""}) for number in range(ENTITIES)}

    async def get(self, _kind: str, id: str, _deadline: Deadline) -> Document:
        """The document."""
        return self._documents[id]

    async def commit(self, request: CommitRequest, _deadline: Deadline) -> CommitReply:
        """The next one."""
        if request.expected != self._documents[request.id].version:
            raise AssertionError("nobody else commits")
        self._documents[request.id] = Document(version=request.expected + 1, state=request.state)
        return CommitReply(outcome="committed", version=request.expected + 1)


def by_hand() -> Callable[[int], Awaitable[object]]:
    """Call the handler as a test without AppTester does: validate, make a context over a fake, run, check and write the answer."""
    asked, answer, log = TypeAdapter(Add), TypeAdapter(Added), get_logger("bench")
    nothing = cast("Any", None)
    outside = Outside(
        storage=cast("Any", Kept()),
        gateways=nothing,
        connectors=nothing,
        now_ms=lambda: 0,
        new_id=lambda: "",
        jitter=lambda: 0.5,
        pause=asyncio.sleep,
    )
    dispatcher = Dispatcher(app, outside)
    bodies = [f'{{"id":"{number}","by":1}}'.encode() for number in range(ENTITIES)]

    async def call(number: int) -> object:
        request = asked.validate_json(bodies[number % ENTITIES], strict=True)
        scope = dispatcher.scope(str(number), Deadline.after(4), user="ann")
        result = await add(Context(scope, "client", log), request)
        return answer.dump_json(answer.validate_python(result, strict=True))

    return call


async def _took(call: Callable[[int], Awaitable[object]], calls: int) -> float:
    """Microseconds of processor time a call."""
    began = time.process_time()
    for number in range(calls):
        await call(number)
    return (time.process_time() - began) / calls * 1e6


async def figures(plan: Plan) -> list[Row]:
    """The row."""
    calls = CALLS // 10 if plan.quick else CALLS
    pairs = []
    for _ in range(plan.count):
        plan.say("one RPC in AppTester")
        hand = by_hand()
        await _took(hand, calls // 10)
        floor = await _took(hand, calls)
        async with AppTester(app) as tester:
            ann = tester.user("ann")
            for number in range(ENTITIES):
                await ann.call("make", str(number))
            inputs = [{"id": str(number), "by": 1} for number in range(ENTITIES)]

            def in_tester(number: int) -> Awaitable[object]:
                return ann.call("add", inputs[number % ENTITIES])  # noqa: B023 - awaited before the next turn

            pairs.append(Pair(floor, await _took(in_tester, calls)))
    note = f"{ENTITIES} entities in turn; the floor is the same handler over a map of documents, validated and written by pydantic"
    return [Row("one RPC in AppTester, entity edit included", "µs", pairs, Goal(10), note)]
