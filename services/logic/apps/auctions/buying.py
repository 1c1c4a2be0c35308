"""Money, seen from the clients: prices in other currencies, and the buyer's way to pay."""

from __future__ import annotations

from pydantic import ValidationError

from apps.auctions import rules
from apps.auctions.declared import app, payments
from apps.auctions.messages import AskPrices, Checkout, LotRef, Pay, Prices
from apps.auctions.models import Lot, Sale
from apps.auctions.paying import record
from apps.auctions.rates import Rates, convert
from causeway_logic import CausewayError, Context, Reject
from causeway_logic.connectors import HttpRequest, Payment, http

RATES = http("rates")
"""The outside API of exchange rates; address, cache and circuit breaker are the connector's configuration."""


@app.rpc(concurrent=True)
async def prices(ctx: Context, req: AskPrices) -> Prices:
    """A lot's price in other currencies. Without rates the page still has its price: `rates` says `away`."""
    lot = await ctx.entity(Lot, req.lot_id).get()
    answer = Prices(price=lot.price, currency=lot.currency, prices={}, rates="away")
    try:
        reply = await ctx.call(RATES, HttpRequest(path="/latest", query={"base": lot.currency}), timeout="1s")
        known = Rates.model_validate(reply.data)
    except (CausewayError, ValidationError) as error:
        ctx.log.info("no exchange rates", reason=str(error))
        return answer
    if known.base != lot.currency:
        return answer
    found = {currency: convert(lot.price, known, currency) for currency in req.currencies}
    priced = {currency: price for currency, price in found.items() if price is not None}
    return answer.model_copy(update={"prices": priced, "rates": "stale" if reply.stale else "fresh"})


@app.rpc(concurrent=True)
async def checkout(ctx: Context, req: LotRef) -> Checkout:
    """What the buyer pays and with which payment: the page gives its `client_secret` to the provider's form."""
    lot = await ctx.entity(Lot, req.lot_id).get()
    sale = rules.require_buyer(lot, ctx.user)
    if not sale.payment:
        return _checkout(lot, sale, None)
    return _checkout(lot, sale, await payments.look(ctx, sale.payment))


@app.rpc(timeout="10s")
async def pay(ctx: Context, req: Pay) -> Checkout:
    """Pay with a method that the provider knows. Whether the answer arrives or not, the provider's event tells the same."""
    lot = await ctx.entity(Lot, req.lot_id).get()
    sale = rules.require_buyer(lot, ctx.user)
    if lot.status != "awaiting_payment" or ctx.now() >= sale.pay_by:
        raise Reject(410, "the lot is paid" if lot.status == "sold" else "the time to pay is over")
    if not sale.payment:
        raise Reject(425, "the payment is being asked for, try again", temporary=True)
    payment = await payments.confirm(ctx, sale.payment, req.method)
    if payment.state == "succeeded":
        await record(ctx, req.lot_id, payment.id, payment.received, payment.currency)
    return _checkout(lot, sale, payment)


def _checkout(lot: Lot, sale: Sale, payment: Payment | None) -> Checkout:
    return Checkout(
        amount=sale.amount,
        currency=lot.currency,
        pay_by=sale.pay_by,
        payment=payment.id if payment else "",
        state=payment.state if payment else "pending" if sale.amount else "free",
        client_secret=payment.client_secret if payment else "",
    )
