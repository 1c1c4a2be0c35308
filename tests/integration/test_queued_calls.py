"""A call that nobody is there for is kept, and runs once an instance is there again; the hook of a namespace means what it declares."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from support.people import Person, street
from support.stack import alive, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
MODULE = """
from pydantic import BaseModel
from causeway_logic import App, Channel, Context, Draft

app = App("desk", version="1.0.0")


class Book(BaseModel):
    orders: list[str] = []


class Order(BaseModel):
    what: str


@app.rpc
async def open_book(ctx: Context) -> str:
    await ctx.entity(Book, "b").create(Book())
    return "open"


@app.rpc(when_unavailable="queue")
async def order(ctx: Context, req: Order) -> str:
    def write(draft: Draft[Book]) -> None:
        draft.state.orders.append(f"{ctx.user}: {req.what}")
    await ctx.entity(Book, "b").edit(write)
    return "done"


@app.rpc
async def book(ctx: Context) -> list[str]:
    return (await ctx.entity(Book, "b").get()).orders

open_room = app.namespace("open_room")
closed_room = app.namespace("closed_room")
room = app.namespace("room")

@open_room.on_subscribe(when_unavailable="allow")
async def may_enter(ctx: Context, channel: Channel) -> None: ...

@closed_room.on_subscribe(when_unavailable="deny")
async def may_enter_closed(ctx: Context, channel: Channel) -> None: ...

@room.on_subscribe
async def may_enter_room(ctx: Context, channel: Channel) -> None: ...
"""


async def call(person: Person, method: str, data: Any = None) -> Any:
    reply = await person.ask(rpc={"method": f"desk.{method}", "data": data})
    return reply["rpc"]["data"] if "rpc" in reply else reply["error"]["code"]


async def test_calls_and_hooks_while_no_instance_is_there_and_when_one_is_again(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(MODULE)
    async with running_stack(tmp_path, arguments=("--app", "desk:app")) as stack, street(stack) as place:
        ann = await place.person("ann")
        assert await call(ann, "open_book") == "open"
        assert await call(ann, "order", {"what": "tea"}) == "done"

        pid = stack.kill("logic-desk", signal.SIGTERM)  # of one that is killed NATS may not know yet: then the outcome is unknown
        await until(lambda: not alive(pid))
        told = await call(ann, "order", {"what": "coffee"})
        assert isinstance(told, dict), told
        assert list(told) == ["queued"]
        assert await call(ann, "book") == 100
        doors = {name: await ann.ask(subscribe={"channel": f"{name}:1"}) for name in ("open_room", "closed_room", "room")}
        assert "error" not in doors["open_room"]
        assert (doors["closed_room"]["error"]["code"], doors["room"]["error"]["code"]) == (103, 100)

        async with asyncio.timeout(40):
            while await call(ann, "book") != ["ann: tea", "ann: coffee"]:
                await asyncio.sleep(0.1)
        assert await call(ann, "order", {"what": "water"}) == "done"
        assert await call(ann, "book") == ["ann: tea", "ann: coffee", "ann: water"]
        await ann.leave()
