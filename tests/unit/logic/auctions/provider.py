"""A payment provider in memory that honours idempotency keys, as the real one does; and the auction house around an AppTester."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from apps.auctions import app
from causeway_logic import Reject
from causeway_testing import AppTester, User

LOT: Final = {"title": "A chair", "currency": "EUR", "start_price": 100, "increment": 10, "closes_in": 600, "pay_within": 3600}


@dataclass
class Provider:
    """Payments by id. Money is `received` once a payment succeeds, and `refunded` at most as much, once per key."""

    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, int] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)

    def install(self, tester: AppTester) -> None:
        """Answer the payment operations of a tester."""
        for op in ("create", "get", "confirm", "cancel", "refund"):
            tester.calls[f"payments.{op}"] = getattr(self, op)

    def create(self, request: dict[str, Any], key: str) -> dict[str, Any]:
        """Ask for money; the same key is the same payment."""
        made = {
            "id": f"pi_{key[:16]}",
            "state": "open",
            "received": 0,
            "amount": request["amount"],
            "currency": request["currency"],
        }
        return self.payments.setdefault(
            str(made["id"]), {**made, "metadata": request.get("metadata", {}), "client_secret": "s3cret"}
        )

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Look."""
        if request["id"] not in self.payments:
            raise Reject(404, "no such payment")
        return self.payments[request["id"]]

    def confirm(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pay."""
        payment = self.get(request)
        if request.get("method") == "pm_card_declined":
            raise Reject(402, "declined")
        if payment["state"] == "canceled":
            raise Reject(400, "canceled")
        payment.update(state="succeeded", received=payment["amount"])
        return payment

    def cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask no more."""
        payment = self.get(request)
        if payment["state"] == "succeeded":
            raise Reject(400, "succeeded")
        payment["state"] = "canceled"
        return payment

    def refund(self, request: dict[str, Any], key: str) -> dict[str, Any]:
        """Give it all back, once per key."""
        payment = self.get(request)
        self.refunds.setdefault(key, payment["received"] if payment["id"] not in self.refunded else 0)
        self.refunded.add(payment["id"])
        return {
            "id": f"re_{key[:16]}",
            "payment": payment["id"],
            "amount": self.refunds[key],
            "currency": "EUR",
            "state": "succeeded",
        }

    def net(self, lot_id: str) -> int:
        """What the buyers of a lot have paid in all, less what they got back."""
        mine = [payment for payment in self.payments.values() if payment["metadata"].get("lot_id") == lot_id]
        return sum(payment["received"] for payment in mine if payment["id"] not in self.refunded)

    def intent(self, payment: str) -> dict[str, Any]:
        """The data of the provider's event about a payment."""
        found = self.payments[payment]
        known = {"id": payment, "amount_received": found["received"], "currency": found["currency"].lower()}
        return {**known, "metadata": found["metadata"], "object": "payment_intent"}


class House:
    """The auctions app with a provider and its regulars: sam sells, ann, bob and cem bid, max is an auctioneer."""

    def __init__(self, tester: AppTester | None = None) -> None:
        self.tester = tester or AppTester(app)
        if tester is None:
            self.tester.start()
        self.provider = Provider()
        self.provider.install(self.tester)
        for op in ("webhook.event", "email.send"):
            self.tester.calls[op] = {"deliveries": 1, "message_id": "m"}
        self.sam, self.ann, self.bob, self.cem = (self.tester.user(name) for name in ("sam", "ann", "bob", "cem"))
        self.max = self.tester.user("max", info={"role": "auctioneer"})
        self.nobody = self.tester.user("")

    async def lot(self, **fields: Any) -> str:
        """A lot of sam's."""
        return str((await self.sam.call("create_lot", {**LOT, **fields}))["lot_id"])

    async def sold_to(self, *bids: tuple[User, int], **fields: Any) -> str:
        """A lot whose time is over, behind these bids: it waits for the last one's payment."""
        lot_id = await self.lot(**fields)
        for user, amount in bids:
            await user.call("bid", {"lot_id": lot_id, "amount": amount})
        await self.tester.advance(seconds=700)
        return lot_id

    async def state(self, lot_id: str) -> Any:
        """The lot, as everybody sees it."""
        return await self.nobody.call("lot", {"lot_id": lot_id})

    def told(self, operation: str) -> list[dict[str, Any]]:
        """The payloads of the jobs of an operation, in order."""
        return [job.payload for job in self.tester.jobs if job.operation == operation]
