"""An app with one of everything that the calling half of the SDK has; tests run it on the whole stack."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

from causeway_logic import App, Channel, Context, Draft, History, PublishReply, Reject, SubscribeReply

app = App("desk", version="1.0.0")


class Counter:
    """A service: how often it was used in this process."""

    def __init__(self) -> None:
        self.used = 0


class Line(BaseModel):
    """A message of a desk."""

    text: str


class Account(BaseModel):
    """Somebody's money."""

    balance: int = 100


class Withdraw(BaseModel):
    """Input of `withdraw`; `wait`: so long after the commit."""

    amount: int
    request_id: str | None = None
    wait: float = 0.0


@app.lifespan
async def counter() -> AsyncIterator[Counter]:
    """Made once for each process."""
    yield Counter()


desks = app.namespace("desk", history=History(size=100, ttl="1h"), presence=True, force_recovery=True)
desk = desks.channel("{number}", message=Line)
typing = app.namespace("desk_typing", allow_tags_filter=True)


@desk.on_subscribe
async def may_sit(ctx: Context, number: int) -> SubscribeReply:
    """Desks from 1 to 9."""
    if not 0 < number < 10:
        raise Reject(404, "no such desk")
    return SubscribeReply(data={"desk": number, "user": ctx.user})


@desk.on_publish
async def may_write(line: Line) -> Line:
    """In capitals."""
    return Line(text=line.text.upper())


@typing.on_subscribe
async def may_see(channel: Channel) -> None:
    """Anybody."""


@typing.on_publish
async def is_typing(ctx: Context) -> PublishReply:
    """Who it is, whatever the client says."""
    return PublishReply(data={"typing": ctx.user}, tags={"user": ctx.user})


@app.rpc
async def say(ctx: Context, req: Line, counter: Counter) -> list[Any]:
    """Publish to a desk, durably, and that one typed, at most once."""
    counter.used += 1
    published = await ctx.publish(desk(number=1), req, idempotency_key=req.text)
    await ctx.publish("desk_typing:1", {"said": req.text})
    return [published.offset, published.repeat, counter.used]


@app.rpc
async def who(ctx: Context) -> list[Any]:
    """Who sits at the first desk."""
    present, stats = await ctx.presence("desk:1"), await ctx.presence_stats("desk:1")
    return [sorted(member.user for member in present.members), stats.clients]


@app.rpc
async def move(ctx: Context, user: str) -> list[int]:
    """From the second desk to the first, by the server."""
    return [await ctx.unsubscribe(user, "desk:2"), await ctx.subscribe(user, desk(number=1))]


@app.rpc
async def throw_out(ctx: Context, user: str) -> int:
    """For good."""
    return await ctx.disconnect(user, reason="out")


@app.rpc
def print_thread(ctx: Context) -> str:
    """A plain function."""
    return threading.current_thread().name


@app.rpc
async def block(ctx: Context, req: float) -> None:
    """What no handler should do."""
    time.sleep(req)


@app.rpc
async def crash(ctx: Context) -> None:
    """A fault."""
    raise RuntimeError("hunter2")


@app.rpc(limit=1, concurrent=True, timeout="3s")
async def slow(ctx: Context, req: float) -> str:
    """One at a time."""
    await asyncio.sleep(req)
    return "done"


@app.rpc(idempotent="request_id", concurrent=True)
async def withdraw(ctx: Context, req: Withdraw) -> int:
    """Take money, once for each key."""

    def change(draft: Draft[Account]) -> None:
        if draft.state.balance < req.amount:
            raise Reject(409, "not enough")
        draft.state.balance -= req.amount

    account = await ctx.entity(Account, ctx.user).edit(change, initial=Account())
    await asyncio.sleep(req.wait)
    return account.balance


@app.rpc
async def post(ctx: Context, text: str) -> None:
    """A durable call of a connector, and one now that this app may not use."""
    await ctx.enqueue("webhook.event", {"type": "desk.posted", "timestamp": ctx.now().isoformat(), "data": text})


@app.rpc
async def pay(ctx: Context) -> Any:
    """A call of an API that is not configured."""
    return await ctx.call("http.nowhere", {"path": "/"}, timeout="1s")
