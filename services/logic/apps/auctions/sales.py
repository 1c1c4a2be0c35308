"""From the close to the money: who may buy, until when, what was paid, and what goes back. Values in, values out, as in `bidding`.

The promise: a lot is sold exactly when one payment of its price is kept (of a price of 0: none); every other one that comes in is
refunded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from apps.auctions.models import Entry, Lot, Sale

Received = Literal["sold", "refund", "known"]


def close(lot: Lot, now: datetime) -> bool:
    """End the bidding of a lot whose time is over, and offer it to the winner. False: there was nothing to do."""
    if lot.status != "open" or now < lot.closes_at:
        return False
    offer_next(lot, now)
    return True


def withdraw(lot: Lot) -> None:
    """Take an open lot back: nobody buys it."""
    lot.status, lot.proxy = "unsold", None


def offer_next(lot: Lot, now: datetime) -> None:
    """Offer the lot to the best bidder that was not asked yet, for what they bid; for nothing: it is theirs. To nobody: it is unsold."""
    lot.proxy = None
    offer = lot.sale.offer + 1 if lot.sale else 1
    if offer > len(lot.contenders):
        lot.status, lot.sale = "unsold", None
        return
    next_ = lot.contenders[offer - 1]
    lot.status, lot.price = "awaiting_payment" if next_.amount else "sold", next_.amount
    lot.sale = Sale(offer=offer, buyer=next_.user, amount=next_.amount, pay_by=now + lot.pay_within)


def is_current(lot: Lot, offer: int) -> bool:
    """Whether this offer stands and waits for its payment."""
    return lot.status == "awaiting_payment" and lot.sale is not None and lot.sale.offer == offer


def expect(lot: Lot, offer: int, payment: str) -> bool:
    """Note which payment pays this offer. False: the offer does not stand any more, or waits for another payment."""
    if not is_current(lot, offer) or lot.sale is None or lot.sale.payment not in {"", payment}:
        return False
    lot.sale.payment = payment
    return True


def receive(lot: Lot, payment: str, amount: int, currency: str) -> Received:
    """Money came in: it buys the lot where it is what the lot waits for, else it goes back. A payment told again is `known`."""
    if any(entry.payment == payment for entry in lot.ledger):
        return "known"
    sale = lot.sale
    fits = sale is not None and (payment, amount, currency) == (sale.payment, sale.amount, lot.currency)
    sells = lot.status == "awaiting_payment" and fits
    lot.ledger.append(Entry(payment=payment, amount=amount, refunded=not sells))
    if not sells:
        return "refund"
    lot.status = "sold"
    return "sold"


def lapse(lot: Lot, offer: int, now: datetime) -> bool:
    """The buyer did not pay in time: the next one gets a chance. False: this offer does not stand any more."""
    if not is_current(lot, offer):
        return False
    offer_next(lot, now)
    return True


def due(lot: Lot) -> datetime | None:
    """When the lot's next step is due that no client has to take; None: there is none."""
    if lot.status == "open":
        return lot.closes_at
    if lot.status == "awaiting_payment" and lot.sale:
        return lot.sale.pay_by if lot.sale.payment else lot.sale.pay_by - lot.pay_within
    return None


def kept(lot: Lot) -> int:
    """How much money the lot keeps: its price when it is sold, else nothing."""
    return sum(entry.amount for entry in lot.ledger if not entry.refunded)
