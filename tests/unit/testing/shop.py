"""A small app that the tests of AppTester drive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel

from causeway_logic import App, Channel, ConnectReply, ConnectRequest, Context, Draft, History, Reject, SubscribeReply


class Item(BaseModel):
    left: int
    sold: int = 0


class Open(BaseModel):
    id: str
    left: int


class Buy(BaseModel):
    id: str
    count: int = 1


class Mood(BaseModel):
    mood: str


class Rates:
    """What the outside says, as the app's own lifespan makes it."""

    def __init__(self) -> None:
        self.open = True

    def of(self, currency: str) -> int:
        return len(currency)


app = App("shop", version="1.0.0")
items = app.namespace(
    "item", history=History(size=8, ttl="1h"), force_recovery=True, presence=True, allow_presence_for_subscriber=True
)
moods = app.namespace("mood", publish_rate_limit=2)


@app.lifespan
async def rates() -> AsyncIterator[Rates]:
    made = Rates()
    yield made
    made.open = False


@app.rpc
async def open_item(ctx: Context, req: Open) -> None:
    await ctx.entity(Item, req.id).create(Item(left=req.left))


@app.rpc
async def buy(ctx: Context, req: Buy) -> int:
    def take(draft: Draft[Item]) -> None:
        if draft.state.left < req.count:
            raise Reject(409, "sold out")
        draft.state.left -= req.count
        draft.state.sold += req.count
        draft.publish(f"item:{req.id}", {"by": ctx.user, "left": draft.state.left})
        draft.enqueue("email.send", {"to": [ctx.user]})

    return (await ctx.entity(Item, req.id).edit(take)).sold


@app.rpc
async def now(ctx: Context) -> str:
    return ctx.now().isoformat()


@app.rpc
async def nap(ctx: Context, req: float) -> str:
    await asyncio.sleep(req)
    return ctx.now().isoformat()


@app.rpc(limit=2, timeout="1s")
async def rare(ctx: Context, req: float) -> str:
    await asyncio.sleep(req)
    return ctx.user


@app.rpc
async def fail(ctx: Context) -> None:
    raise ZeroDivisionError(ctx.user)


@app.rpc
def rate(req: str, found: Rates) -> int:
    return found.of(req)


done: list[str] = []


@app.rpc
async def linger(ctx: Context) -> None:
    async def later() -> None:
        await asyncio.sleep(1)
        done.append(ctx.user)

    await asyncio.gather(later(), ctx.entity(Item, "tea").find())


@app.rpc(concurrent=True)
async def look(ctx: Context, req: str) -> int:
    return (await ctx.entity(Item, req).get()).left


@app.on_connect
async def who(ctx: Context, request: ConnectRequest) -> ConnectReply:
    if request.data is None:
        raise Reject(401, "who are you?")
    return ConnectReply(user=request.data["name"], data={"hello": request.data["name"]})


@items.on_subscribe
async def may_watch(ctx: Context, channel: Channel) -> SubscribeReply:
    return SubscribeReply(data={"left": (await ctx.entity(Item, channel.id).get()).left})


@moods.on_subscribe
async def may_feel(ctx: Context, channel: Channel) -> None:
    if not ctx.user:
        raise Reject(403, "sign in first")


@moods.on_publish
async def feels(ctx: Context, channel: Channel, data: Mood) -> dict[str, str]:
    return {"user": ctx.user, "mood": data.mood}
