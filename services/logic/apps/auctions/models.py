"""What auctions stores. A lot holds everything that must agree with itself: its bids, its price, who must pay, and what was paid.

Amounts are whole minor units (cents) of the lot's currency; times are aware and in UTC.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field

from causeway_logic.connectors import AMOUNT_MAX

CONTENDERS_MAX: Final = 5
"""So many bidders are remembered for a second chance."""
WATCHED_MAX: Final = 50

Status = Literal["open", "awaiting_payment", "sold", "unsold"]
Category = Literal["clocks", "home", "instruments", "music", "outdoors", "paper", "travel", "other"]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
"""Minor units; no price, increment or maximum is higher than the largest payment."""


class Contender(BaseModel):
    """A bidder and the highest amount that they bid."""

    user: str
    amount: int


class Proxy(BaseModel):
    """The leader's order to answer others' bids up to a maximum, which is their secret."""

    user: str
    maximum: int


class Sale(BaseModel):
    """Who may buy the lot now, for how much and until when. `offer` counts the contenders that were asked, from 1.

    `payment` is the provider's id of the payment that was asked for, "" until there is one.
    """

    offer: int
    buyer: str
    amount: int
    pay_by: AwareDatetime
    payment: str = ""


class Entry(BaseModel):
    """Money that came in for the lot. `refunded`: it does not buy the lot and goes back."""

    payment: str
    amount: int
    refunded: bool


class Lot(BaseModel):
    """One lot. Changed by the functions of `bidding` and `sales` alone."""

    title: str
    category: Category = "other"
    seller: str
    currency: str
    start_price: int
    increment: int
    closes_at: AwareDatetime
    soft_close: timedelta
    pay_within: timedelta
    price: int
    status: Status = "open"
    bids: int = 0
    contenders: list[Contender] = []
    proxy: Proxy | None = None
    sale: Sale | None = None
    ledger: list[Entry] = []

    @property
    def buyer(self) -> str | None:
        """Who may buy the lot, or has bought it; None for nobody."""
        return self.sale.buyer if self.sale else None

    @property
    def leader(self) -> str | None:
        """Who bid most; None while nobody has bid."""
        return self.contenders[0].user if self.contenders else None


class Person(BaseModel):
    """What a user told about themselves: where receipts go ("": nowhere), and the lots that they watch, the latest last."""

    email: str = ""
    watched: list[str] = []
