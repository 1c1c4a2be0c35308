"""What clients may ask. Each handler in one breath: who may (`rules`), what happens (`bidding`, `sales`), what leaves with it (`leaving`)."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError

from apps.auctions import leaving, rules, sales
from apps.auctions.bidding import place, place_proxy, require_open, soft_close_of
from apps.auctions.declared import app, bidder_channel, by_buyer, by_category, by_closing, by_seller, by_status, lot_channel
from apps.auctions.messages import (
    BidPublished,
    Bids,
    Clock,
    CreateLot,
    ListBids,
    ListLots,
    LotRef,
    Lots,
    LotSnapshot,
    LotView,
    PlaceBid,
    PlaceProxy,
    Standing,
)
from apps.auctions.models import Lot
from apps.auctions.views import standing, view
from causeway_logic import Context, Draft, Publication


@app.rpc(idempotent="key")
async def create_lot(ctx: Context, req: CreateLot) -> LotRef:
    """Offer something. The caller is its seller; the lot closes by itself."""
    duration = timedelta(seconds=req.closes_in)
    lot_id = ctx.new_id()
    lot = Lot(
        title=req.title,
        category=req.category,
        seller=rules.require_user(ctx.user),
        currency=req.currency,
        start_price=req.start_price,
        increment=req.increment,
        closes_at=ctx.now() + duration,
        soft_close=soft_close_of(duration),
        pay_within=timedelta(seconds=req.pay_within),
        price=req.start_price,
    )
    await ctx.entity(Lot, lot_id).create(lot, lambda draft: leaving.opened(draft, lot_id))
    return LotRef(lot_id=lot_id)


@app.rpc(idempotent="key")
async def bid(ctx: Context, req: PlaceBid) -> Standing:
    """Bid. The amount becomes the price, unless a standing proxy bid answers it. 409: a higher bid stands; 410: closed."""
    rules.require_user(ctx.user)

    def change(draft: Draft[Lot]) -> None:
        before = draft.state.model_copy()
        rules.require_bidder(draft.state, ctx.user)
        bids = place(draft.state, ctx.user, req.amount, ctx.now())
        leaving.bids_made(draft, req.lot_id, before, bids, ctx.now())

    return standing(await ctx.entity(Lot, req.lot_id).edit(change))


@app.rpc(idempotent="key")
async def proxy_bid(ctx: Context, req: PlaceProxy) -> Standing:
    """Have the lot bid for the caller, as little as needed, up to a maximum that nobody else sees. Refusals as of `bid`."""
    rules.require_user(ctx.user)

    def change(draft: Draft[Lot]) -> None:
        before = draft.state.model_copy()
        rules.require_bidder(draft.state, ctx.user)
        bids = place_proxy(draft.state, ctx.user, req.maximum, ctx.now())
        leaving.bids_made(draft, req.lot_id, before, bids, ctx.now())

    return standing(await ctx.entity(Lot, req.lot_id).edit(change))


@app.rpc
async def withdraw(ctx: Context, req: LotRef) -> LotView:
    """Take an open lot back. 410: it is closed."""
    auctioneer = rules.is_auctioneer(ctx.user, ctx.info)

    def change(draft: Draft[Lot]) -> None:
        rules.require_withdrawer(draft.state, ctx.user, auctioneer=auctioneer)
        require_open(draft.state, ctx.now())
        sales.withdraw(draft.state)
        draft.cancel(leaving.CLOSE)
        leaving.closed(draft, req.lot_id, ctx.now())

    return view(req.lot_id, await ctx.entity(Lot, req.lot_id).edit(change), ctx.user)


@app.rpc(concurrent=True)
async def lot(ctx: Context, req: LotRef) -> LotView:
    """A lot as it is now."""
    return view(req.lot_id, await ctx.entity(Lot, req.lot_id).get(), ctx.user)


@app.rpc(concurrent=True)
async def snapshot(ctx: Context, req: LotRef) -> LotSnapshot:
    """A lot, and the position of its channel that goes with it: for an SDK's `getState`."""
    found = await ctx.entity(Lot, req.lot_id).snapshot(lot_channel(lot_id=req.lot_id))
    return LotSnapshot(lot=view(req.lot_id, found.state, ctx.user), offset=found.offset, epoch=found.epoch)


@app.rpc(concurrent=True)
async def lots(ctx: Context, req: ListLots) -> Lots:
    """Lots of one status, those that close first come first."""
    asked = ((by_seller, req.seller), (by_buyer, req.buyer), (by_category, req.category))
    wanted = [by_status == req.status, *(index == value for index, value in asked if value is not None)]
    page = await ctx.query(Lot, *wanted, order=by_closing, descending=req.newest, limit=req.limit, cursor=req.cursor)
    return Lots(lots=[view(found.id, found.state, ctx.user) for found in page.items], cursor=page.cursor)


@app.rpc(concurrent=True)
async def bids(ctx: Context, req: ListBids) -> Bids:
    """The newest bids on a lot, or those right before the bid `before`; oldest first. The last thousand are kept."""
    found: list[BidPublished] = []
    since = 0
    while True:
        page = await ctx.history(lot_channel(lot_id=req.lot_id), since=since, limit=req.limit, reverse=True)
        found += [each for each in map(_bid, page.publications) if each and (req.before is None or each.seq < req.before)]
        if len(found) >= req.limit or not page.more or not page.publications:
            return Bids(bids=found[: req.limit][::-1])
        since = page.publications[-1].offset


@app.rpc(concurrent=True)
async def clock(ctx: Context) -> Clock:
    """What time it is here."""
    return Clock(now=ctx.now())


@bidder_channel.on_subscribe
async def may_read_notices(ctx: Context, user: str) -> None:
    """Everybody's own notices, nobody else's."""
    rules.require_self(user, ctx.user)


def _bid(publication: Publication) -> BidPublished | None:
    """The bid that a publication tells of; None for others (whoever holds the API key may publish here too)."""
    try:
        return BidPublished.model_validate(publication.data)
    except ValidationError:
        return None
