"""Money and lots balance in every order of things, whatever is lost, repeated or killed: a search over schedules, each replayed by its seed."""

from __future__ import annotations

import asyncio
from typing import Any

from apps.auctions import app
from apps.auctions.models import Lot
from apps.auctions.sales import kept
from causeway_testing import AppTester, CallError, User, explore
from support.auctions import Auction
from unit.logic.auctions.provider import House

SCHEDULES = 150
PAY = {"method": "pm_card_visa"}


class Evening(House):
    """One lot and what its bidders were answered, for one schedule."""

    def __init__(self, tester: AppTester) -> None:
        super().__init__(tester)
        self.lot_id = ""
        self.accepted: list[tuple[str, int]] = []
        self.unknown: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []

    async def bid(self, user: User, amount: int) -> None:
        """A bid, and its answer noted."""
        answer = await user.attempt("bid", {"lot_id": self.lot_id, "amount": amount})
        if not isinstance(answer, CallError):
            self.accepted.append((user.name, amount))
        elif answer.temporary:
            self.unknown.append((user.name, amount))
        else:
            assert answer.code == 409, answer
            self.refused.append((user.name, amount))

    async def pay(self, user: User, after_seconds: float) -> None:
        """Try to pay, at a time of the schedule's."""
        await asyncio.sleep(after_seconds)
        answer = await user.attempt("pay", {"lot_id": self.lot_id, **PAY})
        for payment, found in self.provider.payments.items():
            if found["state"] == "succeeded":
                await self.tester.event("stripe", "payment_intent.succeeded", self.provider.intent(payment), id=payment)
        assert not isinstance(answer, CallError) or answer.temporary or answer.code in (400, 403, 410, 425), answer

    async def judge(self) -> None:
        """What must hold once all is at rest and every job was tried."""
        for _ in range(3):
            await self.tester.run_jobs()
        lot = self.tester.entity(Lot, self.lot_id)
        assert lot.status in ("sold", "unsold"), lot
        price = lot.price if lot.status == "sold" else 0
        assert (kept(lot), self.provider.net(self.lot_id)) == (price, price), (lot, self.provider)
        watcher = self.tester.user("eve")
        await watcher.subscribe(f"lot:{self.lot_id}")
        published = [each.data for each in await watcher.history(f"lot:{self.lot_id}")]
        state = await watcher.call("lot", {"lot_id": self.lot_id})
        auction = Auction(100, 10, published, self.accepted, state, self.refused, self.unknown)
        assert auction.breaches() == []
        assert [event["type"] for event in self.told("webhook.event")] == ["auctions.lot.closed", f"auctions.lot.{lot.status}"]
        assert [job.note for job in self.tester.jobs if job.state == "dead"] == []


def searched(scenario: Any, *, closes_in: int = 60) -> None:
    """Look for a schedule of this scenario in which money and lots do not balance."""
    evenings: dict[int, Evening] = {}

    async def setup(tester: AppTester) -> None:
        evenings.clear()
        evening = evenings[id(tester)] = Evening(tester)
        evening.lot_id = await evening.lot(closes_in=closes_in, pay_within=60)

    async def played(tester: AppTester) -> None:
        await scenario(evenings[id(tester)])

    async def judged(tester: AppTester) -> None:
        await evenings[id(tester)].judge()

    found = explore(app, played, judged, schedules=SCHEDULES, setup=setup)
    assert found.schedules == SCHEDULES


def test_bidders_who_race_make_one_linear_auction() -> None:
    async def scenario(evening: Evening) -> None:
        await asyncio.gather(
            evening.bid(evening.ann, 100),
            evening.bid(evening.bob, 110),
            evening.bid(evening.cem, 120),
            evening.bid(evening.ann, 130),
        )

    searched(scenario)


def test_a_buyer_who_pays_in_the_last_moment_has_the_lot_or_the_money() -> None:
    async def scenario(evening: Evening) -> None:
        await evening.bid(evening.bob, 110)
        await evening.bid(evening.ann, 120)
        await asyncio.gather(
            evening.pay(evening.ann, 119.9),
            evening.pay(evening.ann, 120),
            evening.pay(evening.bob, 121),
            evening.pay(evening.bob, 179.9),
            evening.tester.advance(seconds=200),
        )

    searched(scenario)
