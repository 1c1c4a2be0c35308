"""What users keep for themselves: their watch list, and where receipts go."""

from __future__ import annotations

from apps.auctions import rules
from apps.auctions.declared import app
from apps.auctions.messages import Contact, Lots, Watch, Watched
from apps.auctions.models import WATCHED_MAX, Lot, Person
from apps.auctions.views import view
from causeway_logic import Context, Draft, Reject


@app.rpc
async def watch(ctx: Context, req: Watch) -> Watched:
    """Put a lot on the caller's watch list, or take it off; again is no error. Answers with the whole list."""
    user = rules.require_user(ctx.user)
    if req.on:
        await ctx.entity(Lot, req.lot_id).get()  # 404 where there is none

    def change(draft: Draft[Person]) -> None:
        others = [lot_id for lot_id in draft.state.watched if lot_id != req.lot_id]
        if req.on and len(others) >= WATCHED_MAX:
            raise Reject(409, f"a watch list has at most {WATCHED_MAX} lots")
        draft.state.watched = [*others, req.lot_id] if req.on else others

    person = await ctx.entity(Person, user).edit(change, initial=Person())
    return Watched(lot_ids=person.watched)


@app.rpc(concurrent=True)
async def watched(ctx: Context) -> Lots:
    """The lots on the caller's watch list, the latest first; those that are gone are left out."""
    user = rules.require_user(ctx.user)
    person = await ctx.entity(Person, user).find() or Person()
    found = [(lot_id, await ctx.entity(Lot, lot_id).find()) for lot_id in reversed(person.watched)]
    return Lots(lots=[view(lot_id, lot, user) for lot_id, lot in found if lot], cursor="")


@app.rpc
async def contact(ctx: Context, req: Contact) -> Contact:
    """Say where receipts go."""
    user = rules.require_user(ctx.user)

    def change(draft: Draft[Person]) -> None:
        draft.state.email = req.email

    await ctx.entity(Person, user).edit(change, initial=Person())
    return req
