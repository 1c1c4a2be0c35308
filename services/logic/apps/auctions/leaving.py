"""What leaves with a lot's commits: publications, notices, events for outside receivers, timers and tasks. All of it, or none."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apps.auctions.bidding import Bid
from apps.auctions.declared import bidder_channel, lot_channel
from apps.auctions.messages import BidPublished, LotEvent, LotRef, Notice, OfferRef, PaymentRef, StatusPublished, rfc3339
from apps.auctions.models import Lot
from causeway_logic import Draft
from causeway_logic.connectors import WEBHOOK_EVENT, WebhookEvent

# Tasks by their names: their functions stand in `tasks`, which needs what is here.
CLOSE: Final = "close_lot"
REQUEST_PAYMENT: Final = "request_payment"
PAYMENT_DUE: Final = "payment_due"
SEND_RECEIPT: Final = "send_receipt"
GIVE_BACK: Final = "give_back"
USER_MAX_BYTES: Final = 200


def opened(draft: Draft[Lot], lot_id: str) -> None:
    """A new lot closes by itself; a later end moves the timer."""
    draft.schedule(CLOSE, LotRef(lot_id=lot_id), at=draft.state.closes_at)


def bids_made(draft: Draft[Lot], lot_id: str, before: Lot, bids: list[Bid], now: datetime) -> None:
    """Tell the lot's watchers of each bid, and whoever led `before` that they do so no more."""
    lot = draft.state
    for bid in bids:
        message = BidPublished(seq=bid.seq, user=bid.user, amount=bid.amount, closes_at=lot.closes_at, at=now)
        draft.publish(lot_channel(lot_id=lot_id), message)
    if before.leader and before.leader != lot.leader:
        _notify(draft, before.leader, Notice.of("outbid", lot_id, lot))
    if lot.closes_at != before.closes_at:
        draft.schedule(CLOSE, LotRef(lot_id=lot_id), at=lot.closes_at)


def closed(draft: Draft[Lot], lot_id: str, now: datetime) -> None:
    """The bidding is over."""
    _tell_outside(draft, lot_id, "auctions.lot.closed", now)
    moved_on(draft, lot_id, now)


def moved_on(draft: Draft[Lot], lot_id: str, now: datetime) -> None:
    """The lot has a new status, or a new buyer to wait for: what follows from that."""
    lot, sale = draft.state, draft.state.sale
    draft.publish(lot_channel(lot_id=lot_id), StatusPublished(status=lot.status, price=lot.price, buyer=lot.buyer, at=now))
    if lot.status == "awaiting_payment" and sale:
        offer = OfferRef(lot_id=lot_id, offer=sale.offer)
        draft.schedule(REQUEST_PAYMENT, offer)
        draft.schedule(PAYMENT_DUE, offer, at=sale.pay_by)
        _notify(draft, sale.buyer, Notice.of("offered", lot_id, lot))
        return
    draft.cancel(PAYMENT_DUE)
    _tell_outside(draft, lot_id, f"auctions.lot.{lot.status}", now)
    if sale:
        _notify(draft, sale.buyer, Notice.of("sold", lot_id, lot))
        draft.schedule(SEND_RECEIPT, LotRef(lot_id=lot_id))


def overdue(draft: Draft[Lot], lot_id: str, now: datetime) -> None:
    """Ask for the lot's next step once more."""
    lot, sale = draft.state, draft.state.sale
    if lot.status == "open":
        draft.schedule(CLOSE, LotRef(lot_id=lot_id), at=now)
    elif lot.status == "awaiting_payment" and sale:
        step = PAYMENT_DUE if sale.pay_by <= now else REQUEST_PAYMENT
        draft.schedule(step, OfferRef(lot_id=lot_id, offer=sale.offer), at=now)


def refunded(draft: Draft[Lot], payment: str) -> None:
    """Money that does not buy the lot goes back, all of it, once."""
    draft.schedule(GIVE_BACK, PaymentRef(payment=payment))


def _notify(draft: Draft[Lot], user: str, notice: Notice) -> None:
    """Tell one bidder. A user whose id cannot stand in a channel's name has no such channel, and misses nothing else."""
    if bidder_channel.match(user) and len(user.encode()) <= USER_MAX_BYTES:
        draft.publish(bidder_channel(user=user), notice)


def _tell_outside(draft: Draft[Lot], lot_id: str, type_: str, now: datetime) -> None:
    event = LotEvent.of(lot_id, draft.state)
    draft.enqueue(WEBHOOK_EVENT, WebhookEvent(type=type_, timestamp=rfc3339(now), data=event.model_dump(mode="json")))
