"""Bidding: what every sequence of bids keeps, and what two proxies come to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.auctions.bidding import Bid, minimum, place, place_proxy, require_open
from apps.auctions.models import CONTENDERS_MAX, Lot
from causeway_logic import Reject
from unit.logic.auctions.lots import after, lot

USERS = ("ann", "bob", "cem", "dee", "eva", "fay", "gus")
Move = tuple[str, str, int]
moves = st.lists(st.tuples(st.sampled_from(["bid", "proxy"]), st.sampled_from(USERS), st.integers(1, 400)), max_size=40)


def made(item: Lot, move: Move, seconds: float = 1) -> list[Bid]:
    """One move; a refused one puts nothing on record."""
    kind, user, amount = move
    if amount < minimum(item):
        with pytest.raises(Reject) as refused:
            (place if kind == "bid" else place_proxy)(item, user, amount, after(seconds))
        assert refused.value.code == 409
        return []
    return (place if kind == "bid" else place_proxy)(item, user, amount, after(seconds))


def test_a_plain_bid_becomes_the_price() -> None:
    item = lot()
    assert place(item, "ann", 100, after(0)) == [Bid(1, "ann", 100)]
    assert place(item, "bob", 175, after(1)) == [Bid(2, "bob", 175)]
    assert (item.price, item.leader, item.bids, minimum(item)) == (175, "bob", 2, 185)


def test_the_leader_may_raise_their_own_bid() -> None:
    item = lot()
    place(item, "ann", 100, after(0))
    assert place(item, "ann", 110, after(0)) == [Bid(2, "ann", 110)]


@pytest.mark.parametrize(("bids", "amount"), [([], 99), ([100], 100), ([100], 109)])
def test_a_bid_below_the_next_step_is_refused_and_changes_nothing(bids: list[int], amount: int) -> None:
    item = lot()
    for each in bids:
        place(item, "ann", each, after(0))
    before = item.model_copy(deep=True)
    for take in (place, place_proxy):
        with pytest.raises(Reject, match="a higher bid stands") as refused:
            take(item, "bob", amount, after(1))
        assert refused.value.code == 409
    assert item == before


def test_a_lot_takes_bids_until_its_time_is_over_and_not_a_moment_longer() -> None:
    item = lot(closes_in=60)
    require_open(item, after(59.999))
    for take in (place, place_proxy):
        with pytest.raises(Reject) as refused:
            take(item, "bob", 500, after(60))
        assert refused.value.code == 410


def test_a_standing_proxy_answers_until_its_maximum() -> None:
    item = lot()
    assert place_proxy(item, "ann", 150, after(0)) == [Bid(1, "ann", 100)]
    assert place(item, "bob", 120, after(0)) == [Bid(2, "bob", 120), Bid(3, "ann", 130)]
    assert place(item, "bob", 141, after(0)) == [Bid(4, "bob", 141)], "151 would be above the maximum"
    assert item.proxy is None


def test_of_two_proxies_the_higher_wins_one_step_above_the_lower_and_the_earlier_wins_a_tie() -> None:
    item = lot()
    place_proxy(item, "ann", 1_000_000, after(0))
    assert place_proxy(item, "bob", 500_000, after(0)) == [Bid(2, "bob", 500_000), Bid(3, "ann", 500_010)]
    assert place_proxy(item, "cem", 1_000_000, after(0)) == [Bid(4, "cem", 999_990), Bid(5, "ann", 1_000_000)]
    assert place_proxy(item, "dee", 2_000_000, after(0)) == [Bid(6, "dee", 1_000_010)], "ann's maximum was spent"
    assert place_proxy(item, "eva", 2_000_003, after(0)) == [Bid(7, "dee", 1_999_993), Bid(8, "eva", 2_000_003)]
    assert item.leader == "eva"


def test_the_leader_sets_a_new_maximum_without_bidding_or_extending() -> None:
    item = lot(closes_in=60)
    place(item, "ann", 100, after(0))
    assert place_proxy(item, "ann", 300, after(59)) == []
    assert (item.price, item.bids, item.closes_at) == (100, 1, after(60))
    assert place(item, "bob", 110, after(59)) == [Bid(2, "bob", 110), Bid(3, "ann", 120)]


@pytest.mark.parametrize(
    ("closes_in", "at", "closes"), [(3600, 3500, 3600), (3600, 3580, 3610), (10, 1, 10), (10, 6, 11), (10, 9.5, 14.5)]
)
def test_a_bid_near_the_end_extends_the_lot(closes_in: int, at: float, closes: float) -> None:
    item = lot(closes_in=closes_in)
    place(item, "ann", 100, after(at))
    assert item.closes_at == after(closes)


@given(moves)
def test_whatever_is_bid_prices_rise_by_steps_and_numbers_have_no_holes(made_moves: list[Move]) -> None:
    """The record of a lot: numbers 1, 2, 3…, each amount at least one step above the one before; the last bidder leads at the price."""
    item = lot()
    record = [bid for move in made_moves for bid in made(item, move)]
    assert [bid.seq for bid in record] == list(range(1, item.bids + 1))
    assert all(later.amount >= earlier.amount + item.increment for earlier, later in pairwise(record))
    if record:
        assert record[0].amount >= item.start_price
        assert (record[-1].user, record[-1].amount) == (item.leader, item.price)
    best = {bid.user: bid.amount for bid in record}
    ranked = sorted(best.items(), key=lambda each: -each[1])
    assert [(each.user, each.amount) for each in item.contenders] == ranked[:CONTENDERS_MAX]


@given(moves)
def test_nobody_ever_bids_more_than_they_allowed(made_moves: list[Move]) -> None:
    item, allowed = lot(), dict.fromkeys(USERS, 0)
    for move in made_moves:
        allowed[move[1]] = max(allowed[move[1]], move[2])
        for bid in made(item, move):
            assert bid.amount <= allowed[bid.user]
        if item.proxy:
            assert item.proxy.user == item.leader
            assert item.proxy.maximum >= minimum(item)


@given(moves, st.lists(st.floats(0, 70), min_size=40, max_size=40))
def test_a_lot_never_closes_earlier_than_it_was_told_to(made_moves: list[Move], times: list[float]) -> None:
    item = lot(closes_in=60)
    for move, seconds in zip(made_moves, sorted(times), strict=False):
        before, taken = item.closes_at, item.bids
        if after(seconds) >= before:
            with pytest.raises(Reject) as refused:
                place(item, move[1], 10_000, after(seconds))
            assert refused.value.code == 410
            continue
        made(item, move, seconds)
        assert item.closes_at == (max(before, after(seconds) + item.soft_close) if item.bids > taken else before)


@given(st.lists(st.integers(1, 400), min_size=2, max_size=7))
def test_among_proxies_the_highest_maximum_leads_and_pays_what_beats_the_second(maxima: list[int]) -> None:
    """A second-price auction: nobody gains by telling another maximum than their own."""
    item, taken = lot(), dict[str, int]()
    for user, maximum in zip(USERS, maxima, strict=False):
        if made(item, ("proxy", user, maximum)):
            taken[user] = maximum
    if len(taken) > 1:
        (first, most), (_, second), *_ = sorted(taken.items(), key=lambda each: -each[1])
        assert item.leader == first, "sorted keeps the order of those that are equal: the earlier one leads"
        assert second - item.increment < item.price <= min(second + item.increment, most)
