"""Who may do what, in one place. Handlers ask here and nowhere else; every refusal is a Reject 403.

| who | may |
|---|---|
| anybody, signed in or not | look at lots, their lists, their bids and prices |
| signed in | all that, watch `lot:` channels and their own `bidder:` channel, make lots, bid on the lots of others, keep a watch list |
| the seller of a lot | withdraw it while nobody has bid |
| the buyer whom a lot is offered to | see its payment and pay |
| an auctioneer (`info.role` of the token is `auctioneer`) | withdraw any open lot |

Nobody but its owner ever sees the maximum of a proxy. Clients publish to no channel of this app: no option and no hook allows it.
"""

from __future__ import annotations

from typing import Any, Final

from apps.auctions.models import Lot, Sale
from causeway_logic import Reject

AUCTIONEER: Final = "auctioneer"


def require_user(user: str) -> str:
    """The user, who must be signed in."""
    if not user:
        raise Reject(403, "sign in first")
    return user


def is_auctioneer(user: str, info: Any) -> bool:
    """Whether what the token says beside the user makes them one."""
    return bool(user) and isinstance(info, dict) and info.get("role") == AUCTIONEER


def require_bidder(lot: Lot, user: str) -> None:
    """Nobody bids on their own lot: a seller would only drive up the price."""
    if require_user(user) == lot.seller:
        raise Reject(403, "this is your own lot")


def require_withdrawer(lot: Lot, user: str, *, auctioneer: bool) -> None:
    """A lot with bids is promised to somebody; only an auctioneer may break that."""
    if auctioneer:
        return
    if require_user(user) != lot.seller:
        raise Reject(403, "this is not your lot")
    if lot.bids:
        raise Reject(403, "somebody has bid already")


def require_buyer(lot: Lot, user: str) -> Sale:
    """The sale, for the one whom the lot is offered to or sold to."""
    if lot.sale is None or require_user(user) != lot.sale.buyer:
        raise Reject(403, "the lot is not offered to you")
    return lot.sale


def require_self(owner: str, user: str) -> None:
    """Notices for a bidder are for that bidder alone."""
    if require_user(user) != owner:
        raise Reject(403, "these are somebody else's notices")


def maximum_seen_by(lot: Lot, user: str) -> int | None:
    """The maximum of the standing proxy, for its owner; None for all others."""
    return lot.proxy.maximum if lot.proxy and user and lot.proxy.user == user else None
