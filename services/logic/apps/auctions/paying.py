"""From the close to the money: the timers, tasks and events that carry a sale through. Each may run again at any point, and does no harm.

close_lot ─► request_payment ─► (the buyer pays) ─► paid ─► send_receipt
                    │                                └────► give_back, where the money does not buy the lot
                    └──────────► payment_due ─► the next bidder's offer, or unsold
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

from apps.auctions import leaving, sales
from apps.auctions.declared import app, by_due, payments
from apps.auctions.messages import LotRef, OfferRef, PaymentRef
from apps.auctions.models import Lot, Person
from causeway_logic import CausewayError, Context, Draft, Event, Reject, Retry
from causeway_logic.connectors import EMAIL_SEND, CreatePayment, Payment, SendEmail

PATIENT: Final = Retry(["1s", "5s", "15s", "30s", "1m", "5m", "30m", "2h"])
"""The provider is asked again soon, and for hours."""
OVERDUE: Final = timedelta(hours=4)
"""A step that is so late was given up: no task's tries go on for so long. It is asked for again, as often."""


@app.task
async def close_lot(ctx: Context, req: LotRef) -> None:
    """End the bidding, unless a late bid has moved the end."""

    def change(draft: Draft[Lot]) -> None:
        if sales.close(draft.state, ctx.now()):
            leaving.closed(draft, req.lot_id, ctx.now())

    await ctx.entity(Lot, req.lot_id).edit(change)


@app.task(retry=PATIENT)
async def request_payment(ctx: Context, req: OfferRef) -> None:
    """Ask the provider for the payment of an offer. A repeat asks with the same key and gets the same payment."""
    entity = ctx.entity(Lot, req.lot_id)
    lot = await entity.get()
    sale = lot.sale
    if sale is None or sale.payment or not sales.is_current(lot, req.offer):
        return
    metadata = {"lot_id": req.lot_id, "offer": str(req.offer)}
    asked = CreatePayment(amount=sale.amount, currency=lot.currency, description=lot.title, metadata=metadata)
    payment = await payments.create(ctx, asked)

    def change(draft: Draft[Lot]) -> None:
        sales.expect(draft.state, req.offer, payment.id)

    lot = await entity.edit(change)
    if not (lot.sale and lot.sale.payment == payment.id):  # the offer lapsed meanwhile: nobody has seen this payment
        await payments.cancel(ctx, payment.id)


@app.task(retry=PATIENT)
async def payment_due(ctx: Context, req: OfferRef) -> None:
    """The time to pay is over. The payment is cancelled before anybody else is asked, so that only one of them can buy."""
    entity = ctx.entity(Lot, req.lot_id)
    lot = await entity.get()
    if lot.sale is None or not sales.is_current(lot, req.offer):
        return
    if lot.sale.payment:
        payment = await _ended(ctx, lot.sale.payment)
        if payment.state == "succeeded":
            await record(ctx, req.lot_id, payment.id, payment.received, payment.currency)
            return

    def change(draft: Draft[Lot]) -> None:
        if sales.lapse(draft.state, req.offer, ctx.now()):
            leaving.moved_on(draft, req.lot_id, ctx.now())

    await entity.edit(change)


@app.on_event("stripe", "payment_intent.succeeded")
async def paid(ctx: Context, event: Event[Any]) -> None:
    """The provider says that a payment succeeded: whoever asked for it, in time or late, once or again."""
    await told(ctx, event)


@app.on_event("stripe", "*")
async def told(ctx: Context, event: Event[Any]) -> None:
    """Whatever else the provider tells (needs the buyer, failed, cancelled, given back): kept with the payment; money is for the lot."""
    heard = await payments.hear(ctx, event)
    if heard is None:
        ctx.log.debug("the payment provider tells of something else", type=event.type, id=event.id)
        return
    kept = heard.after
    if kept.received and (lot_id := kept.metadata.get("lot_id")):
        await record(ctx, lot_id, heard.id, kept.received, kept.received_in)


@app.task(retry=PATIENT)
async def give_back(ctx: Context, req: PaymentRef) -> None:
    """Money that does not buy the lot goes back. A repeat gives nothing more."""
    await payments.refund(ctx, req.payment, key="no-sale")


async def record(ctx: Context, lot_id: str, payment: str, amount: int, currency: str) -> None:
    """Money came in: it buys the lot, or goes back."""

    def change(draft: Draft[Lot]) -> None:
        match sales.receive(draft.state, payment, amount, currency):
            case "sold":
                leaving.moved_on(draft, lot_id, ctx.now())
            case "refund":
                leaving.refunded(draft, payment)
            case "known":
                pass

    await ctx.entity(Lot, lot_id).edit(change)


@app.task
async def send_receipt(ctx: Context, req: LotRef) -> None:
    """Mail the buyer a receipt, where they said where to."""
    lot = await ctx.entity(Lot, req.lot_id).get()
    person = await ctx.entity(Person, lot.sale.buyer).find() if lot.sale else None
    if lot.sale is None or person is None or not person.email:
        return
    text = f"You bought {lot.title!r} (lot {req.lot_id}) for {lot.sale.amount} {lot.currency} in minor units. Payment: {lot.sale.payment or 'none'}."
    await ctx.enqueue(EMAIL_SEND, SendEmail(to=[person.email], subject=f"Receipt: {lot.title}", text=text))


@app.every("4h")
async def ask_again(ctx: Context) -> None:
    """Steps whose task was given up (the provider was away for hours) are asked for again, one task at a time for each lot."""
    page = await ctx.query(Lot, by_due < ctx.now() - OVERDUE, order=by_due, limit=100)
    for found in page.items:
        await ctx.entity(Lot, found.id).edit(partial(leaving.overdue, lot_id=found.id, now=ctx.now()))


async def _ended(ctx: Context, payment: str) -> Payment:
    """The payment, cancelled or succeeded. Raises Reject, temporary, while the provider cannot say which."""
    try:
        found = await payments.cancel(ctx, payment)
    except CausewayError as error:
        if error.temporary:
            raise
        found = await payments.look(ctx, payment)  # what cannot be cancelled has happened, or is happening
    if found.state not in {"canceled", "succeeded"}:
        raise Reject(409, f"the payment is {found.state}", temporary=True)
    return found
