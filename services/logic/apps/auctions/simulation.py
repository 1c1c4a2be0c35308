"""A crowd at an auction: some sell, most watch and bid, plainly or by proxy, and who wins pays (or, now and then, does not)."""

from __future__ import annotations

from typing import Any, Final

from causeway_logic.simulation import Crowd, Refused, Unanswered, Visitor

OPEN_AT_ONCE: Final = 8
"""So many lots are open at a time."""
CLOSES_IN: Final = (15, 60)
LASTS: Final = (180, 600)
"""Of half of the lots, so that there is time to look at one, to bid and to be outbid."""
PAY_WITHIN: Final = 20
MOST_WORTH: Final = 3
"""A lot is worth one to so many times its start price, to each user another amount: so that bidding ends."""
FORGETFUL: Final = 0.15
"""So many winners do not pay, and the next bidder gets a chance."""
THINGS: Final = {
    "A brass telescope": "instruments",
    "A naval spyglass": "instruments",
    "A box of letters": "paper",
    "A map of the coast": "paper",
    "A red bicycle": "travel",
    "A tandem": "travel",
    "A cracked teapot": "home",
    "A coffee pot": "home",
    "A cello without strings": "music",
    "A parlour guitar": "music",
    "A station clock": "clocks",
    "A pocket watch": "clocks",
    "A pair of snow shoes": "outdoors",
    "A climber's rope": "outdoors",
}
"""What is sold, and its category."""
YEARS: Final = (1880, 1980)


async def visit(crowd: Crowd, me: Visitor) -> None:
    """One user, until the crowd goes home."""
    owed: list[str] = []
    worth: dict[str, int] = {}

    def noticed(notice: Any) -> None:
        crowd.count(f"told {notice['type']}")
        if notice["type"] == "offered" and crowd.random.random() >= FORGETFUL:
            owed.append(notice["lot_id"])

    await me.watch(f"bidder:{me.name}", noticed)
    while await crowd.turn():
        try:
            await _act(crowd, me, owed, worth)
        except Unanswered:
            crowd.count("calls without an answer")
        except Refused as refusal:
            crowd.count(f"refused {refusal.code}")


async def _act(crowd: Crowd, me: Visitor, owed: list[str], worth: dict[str, int]) -> None:
    """One turn: pay what is won; else sell where little is on offer; else bid, up to what a lot is worth to this user."""
    if owed:
        await _pay(crowd, me, owed)
        return
    begun, selling = crowd.shared.setdefault("begun", []), crowd.shared.setdefault("selling", [])
    before = len(begun)
    lots: list[Any] = (await me.call("auctions.lots", {"limit": OPEN_AT_ONCE}))["lots"]
    # What somebody began to sell meanwhile may be missing in the answer; what is being sold may be missing, too.
    if len(begun) == before and len(lots) + len(selling) < OPEN_AT_ONCE and crowd.random.random() < 0.5:
        begun.append(me.name)
        selling.append(me.name)
        try:
            lasting = crowd.shared.setdefault("lasting", [])
            await _sell(crowd, me, lasts=sum(lot["lot_id"] in lasting for lot in lots) < OPEN_AT_ONCE // 2)
        finally:
            selling.remove(me.name)
    elif lots:
        lot = crowd.random.choice(lots)
        limit = worth.setdefault(lot["lot_id"], int(lot["start_price"] * crowd.random.uniform(1, MOST_WORTH)))
        if lot["minimum"] <= limit:
            await _bid(crowd, me, lot, limit)


async def _pay(crowd: Crowd, me: Visitor, owed: list[str]) -> None:
    lot_id = owed.pop(0)
    try:
        await me.call("auctions.pay", {"lot_id": lot_id, "method": "pm_card_visa"})
    except Unanswered:
        owed.append(lot_id)
        raise
    crowd.count("payments")


async def _sell(crowd: Crowd, me: Visitor, *, lasts: bool) -> None:
    start_price = crowd.random.randrange(5, 50) * 100
    thing = crowd.random.choice(sorted(THINGS))
    lot = {
        "title": f"{thing}, {crowd.random.randrange(*YEARS)}",
        "category": THINGS[thing],
        "currency": "EUR",
        "start_price": start_price,
        "increment": max(50, start_price // 40) if lasts else max(100, start_price // 20),
        "closes_in": crowd.random.randint(*(LASTS if lasts else CLOSES_IN)),
        "pay_within": PAY_WITHIN,
    }
    made = await me.call("auctions.create_lot", lot)
    if lasts:
        crowd.shared["lasting"].append(made["lot_id"])
    crowd.count("lots")


async def _bid(crowd: Crowd, me: Visitor, lot: Any, limit: int) -> None:
    if me.name in (lot["seller"], lot["leader"]):
        return
    await me.watch(f"lot:{lot['lot_id']}", lambda message: crowd.count(f"{message['type']} messages"))
    if crowd.random.random() < 0.2:
        await me.call("auctions.proxy_bid", {"lot_id": lot["lot_id"], "maximum": limit})
        crowd.count("proxy bids")
    else:
        await me.call("auctions.bid", {"lot_id": lot["lot_id"], "amount": lot["minimum"]})
        crowd.count("bids")
