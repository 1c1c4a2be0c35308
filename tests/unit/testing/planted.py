"""A shop with four faults planted into it, each beside the same method done right."""

from __future__ import annotations

from uuid import uuid4

from pydantic import BaseModel

from causeway_logic import App, Context, Draft, History, Reject

app = App("planted", version="1.0.0")
app.namespace("stock", history=History(size=100, ttl="1d"), allow_subscribe_for_client=True)


class Stock(BaseModel):
    left: int
    sold: int = 0
    buyers: list[str] = []


class Order(BaseModel):
    user: str


@app.rpc
async def fill(ctx: Context, req: int) -> None:
    await ctx.entity(Stock, "tea").create(Stock(left=req))


@app.rpc
async def buy(ctx: Context) -> int:
    def take(draft: Draft[Stock]) -> None:
        if not draft.state.left:
            raise Reject(409, "sold out")
        draft.state = sold_to(draft.state, ctx.user)
        draft.publish("stock:tea", {"sold": draft.state.sold})

    return (await ctx.entity(Stock, "tea").edit(take)).sold


@app.rpc
async def buy_what_was_read_before(ctx: Context) -> int:
    """Fault: the state is read outside `edit`, and what was bought meanwhile is forgotten."""
    seen = await ctx.entity(Stock, "tea").get()
    if not seen.left:
        raise Reject(409, "sold out")

    def take(draft: Draft[Stock]) -> None:
        draft.state = sold_to(seen, ctx.user)

    return (await ctx.entity(Stock, "tea").edit(take)).sold


@app.rpc
async def pay_first(ctx: Context) -> None:
    """Fault: the money moves before the commit that may not come."""
    await ctx.call("payments.create", {"payer": ctx.user})
    await buy(ctx)


@app.rpc
async def buy_and_tell(ctx: Context) -> None:
    """Fault: what was sold is published outside the commit, and not where the process dies in between."""

    def take(draft: Draft[Stock]) -> None:
        if not draft.state.left:
            raise Reject(409, "sold out")
        draft.state = sold_to(draft.state, ctx.user)

    sold = (await ctx.entity(Stock, "tea").edit(take)).sold
    await ctx.publish("stock:tea", {"sold": sold})


@app.rpc
async def buy_and_thank(ctx: Context) -> None:
    """The sale and its thanks leave together; the task is `thank`."""

    def take(draft: Draft[Stock]) -> None:
        draft.state = sold_to(draft.state, ctx.user)
        draft.schedule(thank, {"user": ctx.user}, name=f"thank {ctx.user}")

    await ctx.entity(Stock, "tea").edit(take)


@app.task
async def thank(ctx: Context, req: Order) -> None:
    """Fault: a new key in every run, so that a run that is made again gives a second present."""
    await ctx.call("shop.present", {"user": req.user}, idempotency_key=uuid4().hex)


@app.rpc
async def buy_and_thank_once(ctx: Context) -> None:
    """The same done right."""

    def take(draft: Draft[Stock]) -> None:
        draft.state = sold_to(draft.state, ctx.user)
        draft.schedule(thank_once, {"user": ctx.user}, name=f"thank {ctx.user}")

    await ctx.entity(Stock, "tea").edit(take)


@app.task
async def thank_once(ctx: Context, req: Order) -> None:
    """The call's own key is the task's, whichever run makes it."""
    await ctx.call("shop.present", {"user": req.user})


@app.rpc
async def stumble(ctx: Context) -> None:
    """A fault that nobody planned."""
    raise ZeroDivisionError("stumbled")


def sold_to(stock: Stock, user: str) -> Stock:
    return Stock(left=stock.left - 1, sold=stock.sold + 1, buyers=[*stock.buyers, user])
