"""What crosses the border of auctions: inputs, answers, publications. Ids are strings, amounts whole minor units, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, PlainSerializer

from apps.auctions.models import Amount, Category, Lot, Status
from causeway_logic.connectors import CURRENCIES

TITLE_MAX_CHARS: Final = 200
CLOSES_IN_MAX: Final = 30 * 24 * 3600
PAY_WITHIN_DEFAULT: Final = 2 * 24 * 3600
PAY_WITHIN_MAX: Final = 14 * 24 * 3600
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 100


def rfc3339(moment: datetime) -> str:
    """A time of day in UTC with milliseconds: `2025-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str)]
LotId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


def iso_4217(code: str) -> str:
    """A currency that people pay with. Raises ValueError."""
    if code not in CURRENCIES:
        raise ValueError("no currency of ISO 4217")
    return code


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(iso_4217)]


IdempotencyKey = Annotated[str, Field(min_length=1, max_length=64)]


class CreateLot(BaseModel):
    """Input of `create_lot`. `closes_in` and `pay_within` (the time that a buyer has to pay) are seconds.

    Who sends the same `key` again, since no answer came, gets the first lot and makes no second one.
    """

    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX_CHARS)]
    category: Category = "other"
    currency: Currency
    start_price: Amount
    increment: Annotated[Amount, Field(ge=1)]
    closes_in: Annotated[int, Field(ge=1, le=CLOSES_IN_MAX)]
    pay_within: Annotated[int, Field(ge=1, le=PAY_WITHIN_MAX)] = PAY_WITHIN_DEFAULT
    key: IdempotencyKey | None = None


class LotRef(BaseModel):
    """A lot by its id."""

    lot_id: LotId


class PlaceBid(BaseModel):
    """Input of `bid`: a plain bid, whose amount becomes the price.

    Who sends the same `key` again, since no answer came, gets the first answer and bids no second time.
    """

    lot_id: LotId
    amount: Amount
    key: IdempotencyKey | None = None


class PlaceProxy(BaseModel):
    """Input of `proxy_bid`: bid for me, as little as needed, up to this maximum. `key` as of `bid`."""

    lot_id: LotId
    maximum: Amount
    key: IdempotencyKey | None = None


class Standing(BaseModel):
    """Answer of `bid` and `proxy_bid`: how the lot stands behind it, answers of a proxy included."""

    price: int
    leader: str
    bids: int
    closes_at: Time


class LotView(BaseModel):
    """A lot as its reader sees it. `price` is the start price until somebody bids, `minimum` the least good next bid.

    `pay_by` is set while the lot waits for its buyer (the `leader`, or who got a second chance: `buyer`); `maximum` is the reader's own
    standing proxy bid.
    """

    lot_id: str
    title: str
    category: Category
    seller: str
    currency: str
    start_price: int
    increment: int
    price: int
    minimum: int
    leader: str | None
    bids: int
    closes_at: Time
    status: Status
    buyer: str | None
    pay_by: Time | None
    maximum: int | None


class LotSnapshot(BaseModel):
    """A lot, and the position of its channel that goes with it: what an SDK's `getState` asks for."""

    lot: LotView
    offset: int
    epoch: str


class ListLots(BaseModel):
    """Input of `lots`: those that close first come first, or with `newest` last; of one status, seller, buyer, category.

    `cursor` is an answer's, for the page behind it.
    """

    status: Status = "open"
    seller: str | None = None
    buyer: str | None = None
    category: Category | None = None
    newest: bool = False
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    cursor: Annotated[str, Field(max_length=1000)] = ""


class Lots(BaseModel):
    """A page of lots. `cursor` "": there are no more."""

    lots: list[LotView]
    cursor: str


class ListBids(BaseModel):
    """Input of `bids`: the newest, or those right before the bid `before`."""

    lot_id: LotId
    before: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT


class Clock(BaseModel):
    """Answer of `clock`: the server's time of day, for countdowns that trust no other clock."""

    now: Time


class Watched(BaseModel):
    """Answer of `watch`: the lots on the watch list, the latest last."""

    lot_ids: list[str]


class Watch(BaseModel):
    """Input of `watch`: put a lot on the watch list, or (`on` false) take it off."""

    lot_id: LotId
    on: bool = True


class Contact(BaseModel):
    """Input of `contact`: where receipts go; "" for nowhere."""

    email: Annotated[str, Field(max_length=254, pattern=r"^$|^[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+$")]


class AskPrices(BaseModel):
    """Input of `prices`."""

    lot_id: LotId
    currencies: Annotated[list[Currency], Field(min_length=1, max_length=10)]


class Prices(BaseModel):
    """A lot's price in other currencies, in their minor units; those without a rate are left out.

    `rates`: `fresh`, `stale` (the rates of before, since the source is away) or `away` (there are none).
    """

    price: int
    currency: str
    prices: dict[str, int]
    rates: Literal["fresh", "stale", "away"]


class Checkout(BaseModel):
    """What the buyer pays, until when, and with which payment. `client_secret` is for the buyer's browser alone.

    `state` is the provider's; `pending` while the payment is being asked for, `free` where nothing is to be paid.
    """

    amount: int
    currency: str
    pay_by: Time
    payment: str
    state: str
    client_secret: str


class Pay(BaseModel):
    """Input of `pay`: with this payment method of the provider."""

    lot_id: LotId
    method: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[0-9A-Za-z_]+$")]


class BidPublished(BaseModel):
    """A bid on a lot's channel: `seq` counts 1, 2, 3… per lot. `at` is missing in those of versions before 0.2.0."""

    type: Literal["bid"] = "bid"
    seq: int
    user: str
    amount: int
    closes_at: Time
    at: Time | None = None


class StatusPublished(BaseModel):
    """A lot's new status on its channel: closed, offered to the next bidder, sold, unsold."""

    type: Literal["status"] = "status"
    status: Status
    price: int
    buyer: str | None
    at: Time


class Bids(BaseModel):
    """Answer of `bids`, oldest first."""

    bids: list[BidPublished]


LotMessage = BidPublished | StatusPublished


class Notice(BaseModel):
    """What a bidder is told on their own channel: `outbid`, `offered` (pay until `pay_by`), `sold` (to you). `amount` is the price."""

    type: Literal["outbid", "offered", "sold"]
    lot_id: str
    title: str
    amount: int
    currency: str
    pay_by: Time | None

    @classmethod
    def of(cls, type_: Literal["outbid", "offered", "sold"], lot_id: str, lot: Lot) -> Notice:
        """The notice about a lot as it is now."""
        pay_by = lot.sale.pay_by if lot.sale and type_ == "offered" else None
        return cls(type=type_, lot_id=lot_id, title=lot.title, amount=lot.price, currency=lot.currency, pay_by=pay_by)


class LotEvent(BaseModel):
    """A lot as outside receivers are told of it: with `auctions.lot.closed`, `auctions.lot.sold` and `auctions.lot.unsold`."""

    lot_id: str
    title: str
    seller: str
    status: Status
    price: int
    currency: str
    bids: int
    buyer: str | None

    @classmethod
    def of(cls, lot_id: str, lot: Lot) -> LotEvent:
        """The lot as it is now."""
        known = {name: getattr(lot, name) for name in ("title", "seller", "status", "price", "currency", "bids")}
        return cls(lot_id=lot_id, buyer=lot.sale.buyer if lot.sale else None, **known)


class OfferRef(BaseModel):
    """An offer of a lot to one of its bidders: payload of the tasks about its payment."""

    lot_id: str
    offer: int


class PaymentRef(BaseModel):
    """A payment by the provider's id: payload of the task that gives it back."""

    payment: str
