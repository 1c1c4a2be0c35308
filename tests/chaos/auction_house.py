"""Bidders and buyers of the auctions' killing test: published clients, whose every bid and its answer is kept."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, Final

import msgspec
from cent import AsyncClient, HistoryRequest, StreamPosition
from centrifuge import CentrifugeError, Client, PublicationContext, ReplyError, SubscriptionEventHandler

from support.auctions import Auction
from support.stack import Stack

STANDS, CLOSED, OWN = 409, 410, 403
PAUSE_SECONDS: Final = 0.02
INCREMENT: Final = 10
START_PRICE: Final = 100
OVER: Final = ("sold", "unsold")


class Price(SubscriptionEventHandler):
    """What a bidder sees of a lot."""

    def __init__(self) -> None:
        self.amount = START_PRICE - INCREMENT

    async def on_publication(self, ctx: PublicationContext) -> None:
        """A bid."""
        if ctx.pub.data["type"] == "bid":
            self.amount = max(self.amount, ctx.pub.data["amount"])


class Bidder:
    """Bids on every lot again and again, until it is closed; pays what is offered to them, or (`forgetful`) lets it lapse.

    Attributes:
        accepted, refused, unknown: by lot, what became of each bid.
        waits_for: by lot, what it has last seen of one that is not over.
    """

    def __init__(self, client: Client, name: str, draw: random.Random, *, forgetful: bool) -> None:
        self.client, self.name, self._draw, self._forgetful = client, name, draw, forgetful
        self.accepted: dict[str, list[tuple[str, int]]] = {}
        self.refused: dict[str, list[tuple[str, int]]] = {}
        self.unknown: dict[str, list[tuple[str, int]]] = {}
        self.payments = 0
        self._enough = asyncio.Event()
        self.waits_for: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, lots: list[str]) -> None:
        """Connect and begin."""
        await self.client.connect()
        for lot in lots:
            price = Price()
            await self.client.new_subscription(f"lot:{lot}", price).subscribe()
            for kept in (self.accepted, self.refused, self.unknown):
                kept[lot] = []
            self._tasks.append(asyncio.create_task(self._take_part(lot, price)))

    def enough(self) -> None:
        """Bid no more: each late bid makes its lot close later."""
        self._enough.set()

    async def finish(self) -> None:
        """Wait until every lot is over for this bidder."""
        await asyncio.gather(*self._tasks)
        await self.client.disconnect()

    def bids(self) -> int:
        """How many were accepted."""
        return sum(map(len, self.accepted.values()))

    async def _take_part(self, lot: str, price: Price) -> None:
        self.waits_for[lot] = "its end"
        while not self._enough.is_set() and await self._bid(lot, price.amount + INCREMENT):
            await asyncio.sleep(self._draw.uniform(0, 4 * PAUSE_SECONDS))
        while (state := await self._state(lot))["status"] not in OVER:
            self.waits_for[lot] = state
            if state["buyer"] == self.name and not self._forgetful:
                await self._pay(lot)
            await asyncio.sleep(self._draw.uniform(0, 1))
        del self.waits_for[lot]

    async def _bid(self, lot: str, amount: int) -> bool:
        """One bid; False: the lot is closed."""
        bid = (self.name, amount)
        try:
            await self.client.rpc("auctions.bid", {"lot_id": lot, "amount": amount})
        except ReplyError as error:
            if error.code == CLOSED:
                return False
            if error.temporary:
                self.unknown[lot].append(bid)
            elif error.code == STANDS:
                self.refused[lot].append(bid)
            else:
                raise
        except CentrifugeError:
            self.unknown[lot].append(bid)
        else:
            self.accepted[lot].append(bid)
        return True

    async def _state(self, lot: str) -> Any:
        while True:
            try:
                return (await self.client.rpc("auctions.lot", {"lot_id": lot})).data
            except CentrifugeError:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _pay(self, lot: str) -> None:
        """Once; whatever the answer, the lot's state tells what came of it."""
        try:
            await self.client.rpc("auctions.pay", {"lot_id": lot, "method": "pm_card_visa"})
        except ReplyError as error:
            if not (error.temporary or error.code in (400, 403, 410, 425)):  # too early, or too late
                raise
        except CentrifugeError:
            pass
        else:
            self.payments += 1


async def published(api: AsyncClient, lot: str) -> list[Any]:
    """The whole channel of a lot."""
    found: list[Any] = []
    offset = 0
    while True:
        page = await api.history(HistoryRequest(channel=f"lot:{lot}", limit=1000, since=StreamPosition(offset=offset)))
        if not page.publications:
            return found
        found += [publication.data for publication in page.publications]
        offset = page.publications[-1].offset


def paid(stack: Stack) -> dict[str, int]:
    """What the payment provider has of each lot: received less given back."""
    net: dict[str, int] = {}
    for file in Path(stack.data_dir / "payments").glob("*.json"):
        account = msgspec.json.decode(file.read_bytes())
        lot = account["payment"]["metadata"]["lot_id"]
        back = sum(refund["amount"] for refund in account.get("refunds", {}).values())
        net[lot] = net.get(lot, 0) + account["payment"].get("received", 0) - back
    return net


def unbalanced(lots: dict[str, Any], net: dict[str, int]) -> list[str]:
    """Every lot whose money is not its price when it is sold, or anything when it is not."""
    found = [f"{lot} is {state['status']}" for lot, state in lots.items() if state["status"] not in OVER]
    for lot, state in lots.items():
        expected = state["price"] if state["status"] == "sold" else 0
        if net.get(lot, 0) != expected:
            found.append(f"{lot} is {state['status']} at {state['price']}, the provider has {net.get(lot, 0)} for it")
    return found


def auction_of(bidders: list[Bidder], lot: str, messages: list[Any], state: Any) -> Auction:
    """One lot's record and what its bidders were answered."""

    def all_(kept: str) -> list[tuple[str, int]]:
        return [bid for bidder in bidders for bid in getattr(bidder, kept)[lot]]

    return Auction(START_PRICE, INCREMENT, messages, all_("accepted"), state, all_("refused"), all_("unknown"))
