"""A lot as its readers see it."""

from __future__ import annotations

from apps.auctions import rules
from apps.auctions.bidding import minimum
from apps.auctions.messages import LotView, Standing
from apps.auctions.models import Lot


def view(lot_id: str, lot: Lot, user: str) -> LotView:
    """For this reader: nobody sees another's maximum."""
    return LotView(
        lot_id=lot_id,
        title=lot.title,
        category=lot.category,
        seller=lot.seller,
        currency=lot.currency,
        start_price=lot.start_price,
        increment=lot.increment,
        price=lot.price,
        minimum=minimum(lot),
        leader=lot.leader,
        bids=lot.bids,
        closes_at=lot.closes_at,
        status=lot.status,
        buyer=lot.buyer,
        pay_by=lot.sale.pay_by if lot.sale and lot.status == "awaiting_payment" else None,
        maximum=rules.maximum_seen_by(lot, user),
    )


def standing(lot: Lot) -> Standing:
    """How a lot stands behind a bid."""
    return Standing(price=lot.price, leader=lot.leader or "", bids=lot.bids, closes_at=lot.closes_at)
