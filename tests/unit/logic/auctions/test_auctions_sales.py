"""Sales: whatever happens in whatever order, the money that a lot keeps is its price when it is sold, and nothing when it is not."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.auctions import sales
from apps.auctions.bidding import place, place_proxy
from apps.auctions.models import CONTENDERS_MAX, Entry, Lot
from causeway_logic import Reject
from unit.logic.auctions.lots import after, lot


def closed(*bids: tuple[str, int]) -> Lot:
    """A lot whose time is over, behind these bids."""
    item = lot()
    for user, amount in bids:
        place(item, user, amount, after(0))
    assert sales.close(item, after(3600))
    return item


def test_a_lot_is_not_closed_before_its_time_nor_twice() -> None:
    item = lot()
    place(item, "ann", 100, after(0))
    assert not sales.close(item, after(3599))
    assert sales.close(item, after(3600))
    assert not sales.close(item, after(7200))
    assert item.sale is not None
    assert (item.status, item.sale.buyer, item.sale.amount, item.sale.pay_by) == ("awaiting_payment", "ann", 100, after(7200))


def test_a_lot_without_bids_is_unsold() -> None:
    item = closed()
    assert (item.status, item.sale) == ("unsold", None)


def test_the_winner_pays_and_the_lot_is_sold() -> None:
    item = closed(("ann", 100), ("bob", 120))
    assert sales.expect(item, 1, "pay-1")
    assert sales.receive(item, "pay-1", 120, "EUR") == "sold"
    assert (item.status, sales.kept(item)) == ("sold", 120)
    assert sales.receive(item, "pay-1", 120, "EUR") == "known", "told twice"


def test_who_does_not_pay_in_time_makes_room_for_the_next_best_and_late_money_goes_back() -> None:
    item = closed(("ann", 100), ("bob", 120), ("ann", 130), ("cem", 150))
    sales.expect(item, 1, "pay-1")
    assert sales.lapse(item, 1, after(7200))
    assert not sales.lapse(item, 1, after(7200)), "a repeat finds another offer"
    assert item.sale is not None
    assert (item.sale.buyer, item.sale.amount, item.price, item.sale.offer) == ("ann", 130, 130, 2)
    assert sales.receive(item, "pay-1", 150, "EUR") == "refund"
    sales.expect(item, 2, "pay-2")
    assert sales.receive(item, "pay-2", 130, "EUR") == "sold"
    assert item.ledger == [Entry(payment="pay-1", amount=150, refunded=True), Entry(payment="pay-2", amount=130, refunded=False)]


def test_when_nobody_pays_the_lot_is_unsold() -> None:
    item = closed(("ann", 100), ("bob", 120))
    assert sales.lapse(item, 1, after(7200))
    assert sales.lapse(item, 2, after(9000))
    assert (item.status, item.sale) == ("unsold", None)
    assert sales.receive(item, "pay-2", 100, "EUR") == "refund"


@pytest.mark.parametrize(("payment", "amount", "currency"), [("pay-2", 120, "EUR"), ("pay-1", 119, "EUR"), ("pay-1", 120, "USD")])
def test_money_that_is_not_what_the_lot_waits_for_goes_back(payment: str, amount: int, currency: str) -> None:
    item = closed(("ann", 120))
    sales.expect(item, 1, "pay-1")
    assert sales.receive(item, payment, amount, currency) == "refund"
    assert (item.status, sales.kept(item)) == ("awaiting_payment", 0)


def test_an_offer_waits_for_one_payment() -> None:
    item = closed(("ann", 100))
    assert sales.expect(item, 1, "pay-1")
    assert sales.expect(item, 1, "pay-1")
    assert not sales.expect(item, 1, "pay-2")
    assert not sales.expect(item, 2, "pay-2")


STEPS = st.one_of(
    st.tuples(st.just("bid"), st.sampled_from("abcdefg"), st.integers(0, 300)),
    st.tuples(st.just("proxy"), st.sampled_from("abcdefg"), st.integers(1, 300)),
    st.tuples(st.just("close"), st.just(""), st.integers(0, 9000)),
    st.tuples(st.just("expect"), st.sampled_from(["p1", "p2", "p3"]), st.integers(1, 4)),
    st.tuples(st.just("receive"), st.sampled_from(["p1", "p2", "p3"]), st.integers(1, 300)),
    st.tuples(st.just("pay"), st.just(""), st.just(0)),
    st.tuples(st.just("lapse"), st.just(""), st.integers(1, 6)),
    st.tuples(st.just("withdraw"), st.just(""), st.just(0)),
)


@given(st.lists(STEPS, max_size=60), st.sampled_from([0, 100]))
def test_money_and_lots_balance_in_every_order(steps: list[tuple[str, str, int]], start_price: int) -> None:
    """Sold lots are paid lots: kept money is the sale's amount exactly when the lot is sold. Each payment stands once. No way back."""
    item, ended = lot(start_price=start_price), ""
    for kind, name, number in steps:
        with suppress(Reject):
            step(item, kind, name, number)
        if item.status == "sold":
            assert item.sale is not None
            assert sales.kept(item) == item.sale.amount == item.price
        else:
            assert sales.kept(item) == 0
        assert len({entry.payment for entry in item.ledger}) == len(item.ledger)
        assert (item.sale is None) == (item.status in ("open", "unsold"))
        assert item.sale is None or item.sale.offer <= CONTENDERS_MAX
        assert not ended or item.status == ended
        ended = item.status if item.status in ("sold", "unsold") else ""


def step(item: Lot, kind: str, name: str, number: int) -> None:
    """One thing that happens to a lot."""
    match kind:
        case "bid":
            place(item, name, number, after(1))
        case "proxy":
            place_proxy(item, name, number, after(1))
        case "close":
            sales.close(item, after(number))
        case "expect":
            sales.expect(item, number, name)
        case "receive":
            sales.receive(item, name, number, "EUR")
        case "pay" if item.sale:
            sales.receive(item, item.sale.payment or "p9", item.sale.amount, "EUR")
        case "lapse":
            sales.lapse(item, number, after(9000))
        case "withdraw" if item.status == "open":
            sales.withdraw(item)
        case _:
            pass
