"""The rules of bidding: increments, proxies, the soft close. Values in, values out: no clock, no storage, no awaiting.

Every bid on record is at least one increment above the price before it (the first: at least the start price), so prices rise
with the numbers of the bids, whoever made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.auctions.models import CONTENDERS_MAX, Contender, Lot, Proxy
from causeway_logic import Reject

SOFT_CLOSE_MAX: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Bid:
    """A bid on record: the lot's `seq`-th, counted from 1."""

    seq: int
    user: str
    amount: int


def soft_close_of(duration: timedelta) -> timedelta:
    """How long before its end a bid extends a lot: half a minute, or half of its whole time where that is shorter."""
    return min(SOFT_CLOSE_MAX, duration / 2)


def minimum(lot: Lot) -> int:
    """The least amount that the next bid must have."""
    return lot.price + lot.increment if lot.bids else lot.start_price


def require_open(lot: Lot, now: datetime) -> None:
    """Bids are taken until the lot closes, whether or not the timer that closes it has run. Raises Reject 410."""
    if lot.status != "open" or now >= lot.closes_at:
        raise Reject(410, "the lot is closed")


def place(lot: Lot, user: str, amount: int, now: datetime) -> list[Bid]:
    """A plain bid; a standing proxy of somebody else answers it at once, one increment higher, while its maximum allows.

    Returns:
        The bids that this puts on record, one or two.

    Raises:
        Reject: 410, the lot is closed; 409, a higher bid stands.
    """
    require_open(lot, now)
    _require_enough(lot, amount)
    proxy = lot.proxy
    bids = [_record(lot, user, amount)]
    if proxy and proxy.user != user and proxy.maximum >= minimum(lot):
        bids.append(_record(lot, proxy.user, minimum(lot)))
    _settle(lot, proxy, now)
    return bids


def place_proxy(lot: Lot, user: str, maximum: int, now: datetime) -> list[Bid]:
    """Have the lot bid for this user, as little as needed and never above `maximum`.

    Against another proxy the higher maximum wins, the earlier one a tie: one increment above the other, or at its own maximum where
    that is less. The record shows how far the loser went. The leader only sets a new maximum.

    Returns:
        The bids that this puts on record, none to two.

    Raises:
        Reject: 410, the lot is closed; 409, the maximum is below the least good bid.
    """
    require_open(lot, now)
    _require_enough(lot, maximum)
    mine = Proxy(user=user, maximum=maximum)
    if lot.leader == user:
        _settle(lot, mine, now, extend=False)
        return []
    if lot.proxy is None:
        bids, standing = [_record(lot, user, minimum(lot))], mine
    else:
        winner, loser = (mine, lot.proxy) if maximum > lot.proxy.maximum else (lot.proxy, mine)
        bids, standing = _contest(lot, winner, loser), winner
    _settle(lot, standing, now)
    return bids


def _contest(lot: Lot, winner: Proxy, loser: Proxy) -> list[Bid]:
    """The end of two proxies' bidding against each other, without its hundreds of steps."""
    final = min(loser.maximum + lot.increment, winner.maximum)
    bids: list[Bid] = []
    if final - lot.increment >= minimum(lot):
        bids.append(_record(lot, loser.user, final - lot.increment))
    bids.append(_record(lot, winner.user, final))
    return bids


def _require_enough(lot: Lot, amount: int) -> None:
    if amount < minimum(lot):
        raise Reject(409, f"a higher bid stands: bid at least {minimum(lot)}")


def _record(lot: Lot, user: str, amount: int) -> Bid:
    """Put one bid on record. Its amount is the highest so far, so its bidder leads."""
    others = [contender for contender in lot.contenders if contender.user != user]
    lot.contenders = [Contender(user=user, amount=amount), *others][:CONTENDERS_MAX]
    lot.price = amount
    lot.bids += 1
    return Bid(lot.bids, user, amount)


def _settle(lot: Lot, proxy: Proxy | None, now: datetime, *, extend: bool = True) -> None:
    """Keep the proxy while it can bid again for the leader; extend the lot where its end is near."""
    lot.proxy = proxy if proxy and proxy.user == lot.leader and proxy.maximum >= minimum(lot) else None
    if extend:
        lot.closes_at = max(lot.closes_at, now + lot.soft_close)
