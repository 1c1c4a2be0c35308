"""The auctions app as its bidders see it: the handles, the refusals, what watchers are told, what stays secret."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from causeway_testing import CallError, User
from support.auctions import Auction
from unit.logic.auctions.provider import LOT, House

START = "2025-01-01T00:00:00.000Z"


async def code_of(user: User, method: str, data: Any) -> int:
    """The error code of a call, 0 for a success."""
    answer = await user.attempt(method, data)
    return answer.code if isinstance(answer, CallError) else 0


async def test_a_bid_is_answered_and_published_to_those_who_watch(house: House) -> None:
    lot_id = await house.lot()
    watcher = await house.bob.subscribe(f"lot:{lot_id}")
    answer = await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    assert answer == {"price": 100, "leader": "ann", "bids": 1, "closes_at": "2025-01-01T00:10:00.000Z"}
    await house.cem.call("bid", {"lot_id": lot_id, "amount": 150})
    assert [await watcher.next(), await watcher.next()] == [
        {"type": "bid", "seq": 1, "user": "ann", "amount": 100, "closes_at": "2025-01-01T00:10:00.000Z", "at": START},
        {"type": "bid", "seq": 2, "user": "cem", "amount": 150, "closes_at": "2025-01-01T00:10:00.000Z", "at": START},
    ]


async def test_a_lot_says_how_it_stands(house: House) -> None:
    lot_id = await house.lot()
    state = await house.state(lot_id)
    assert state == {
        "lot_id": lot_id,
        "title": "A chair",
        "category": "other",
        "seller": "sam",
        "currency": "EUR",
        "start_price": 100,
        "increment": 10,
        "price": 100,
        "minimum": 100,
        "leader": None,
        "bids": 0,
        "closes_at": "2025-01-01T00:10:00.000Z",
        "status": "open",
        "buyer": None,
        "pay_by": None,
        "maximum": None,
    }


@pytest.mark.parametrize("method", ["bid", "proxy_bid"])
async def test_bids_are_refused_below_the_next_step_on_ones_own_lot_and_after_the_end(house: House, method: str) -> None:
    lot_id = await house.lot()
    field = "amount" if method == "bid" else "maximum"
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    assert await code_of(house.bob, method, {"lot_id": lot_id, field: 109}) == 409
    assert await code_of(house.sam, method, {"lot_id": lot_id, field: 500}) == 403
    assert await code_of(house.nobody, method, {"lot_id": lot_id, field: 500}) == 403
    assert await code_of(house.bob, method, {"lot_id": "nowhere", field: 500}) == 404
    await house.tester.advance(seconds=601)
    assert await code_of(house.bob, method, {"lot_id": lot_id, field: 500}) == 410
    assert (await house.state(lot_id))["bids"] == 1


@pytest.mark.parametrize(("method", "field"), [("bid", "amount"), ("proxy_bid", "maximum")])
async def test_a_bid_that_is_sent_again_with_its_key_is_answered_as_the_first_time_and_stands_once(
    house: House, method: str, field: str
) -> None:
    lot_id = await house.lot()
    asked = {"lot_id": lot_id, field: 100, "key": "k1"}
    first = await house.ann.call(method, asked)
    await house.bob.call("bid", {"lot_id": lot_id, "amount": 110})
    assert await house.ann.call(method, asked) == first
    assert (await house.state(lot_id))["bids"] == 2
    refused = {"lot_id": lot_id, field: 115, "key": "k2"}
    assert [await code_of(house.cem, method, refused) for _ in range(2)] == [409, 409]
    assert await code_of(house.cem, method, {"lot_id": lot_id, field: 120, "key": "k2"}) == 107, "another bid needs another key"


async def test_the_clock_is_the_servers(house: House) -> None:
    assert await house.nobody.call("clock") == {"now": START}
    await house.tester.advance(seconds=5)
    assert await house.nobody.call("clock") == {"now": "2025-01-01T00:00:05.000Z"}


@pytest.mark.parametrize("amount", ["500", 500.0, -5, 10**15, None, True])
async def test_an_amount_is_a_whole_number_within_bounds(house: House, amount: Any) -> None:
    lot_id = await house.lot()
    assert await code_of(house.ann, "bid", {"lot_id": lot_id, "amount": amount}) == 107
    assert (await house.state(lot_id))["bids"] == 0


async def test_a_proxy_answers_for_its_owner_and_its_maximum_stays_secret(house: House) -> None:
    lot_id = await house.lot()
    watcher = await house.cem.subscribe(f"lot:{lot_id}")
    await house.ann.call("proxy_bid", {"lot_id": lot_id, "maximum": 7777})
    answer = await house.bob.call("bid", {"lot_id": lot_id, "amount": 200})
    assert (answer["price"], answer["leader"], answer["bids"]) == (210, "ann", 3)
    told = [await watcher.next() for _ in range(3)]
    assert [(each["seq"], each["user"], each["amount"]) for each in told] == [(1, "ann", 100), (2, "bob", 200), (3, "ann", 210)]
    assert (await house.ann.call("lot", {"lot_id": lot_id}))["maximum"] == 7777
    for user in (house.bob, house.sam, house.max, house.nobody):
        seen = [
            await user.call("lot", {"lot_id": lot_id}),
            await user.call("lots", {}),
            await user.call("bids", {"lot_id": lot_id}),
        ]
        assert "7777" not in json.dumps([*seen, *told])


async def test_a_bid_in_the_last_half_minute_extends_the_lot_and_its_timer(house: House) -> None:
    lot_id = await house.lot()
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    await house.tester.advance(seconds=590)
    answer = await house.bob.call("bid", {"lot_id": lot_id, "amount": 110})
    assert answer["closes_at"] == "2025-01-01T00:10:20.000Z"
    await house.tester.advance(seconds=29)
    assert (await house.state(lot_id))["status"] == "open"
    assert await code_of(house.ann, "bid", {"lot_id": lot_id, "amount": 120}) == 0
    await house.tester.advance(seconds=31)
    state = await house.state(lot_id)
    assert (state["status"], state["buyer"]) == ("awaiting_payment", "ann")


async def test_whoever_is_outbid_is_told_on_a_channel_of_their_own(house: House) -> None:
    lot_id = await house.lot()
    mine = await house.ann.subscribe("bidder:ann")
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    await house.bob.call("bid", {"lot_id": lot_id, "amount": 120})
    notice = await mine.next()
    assert notice == {"type": "outbid", "lot_id": lot_id, "title": "A chair", "amount": 120, "currency": "EUR", "pay_by": None}
    for stranger in (house.bob, house.max, house.nobody):
        with pytest.raises(CallError, match="403"):
            await stranger.subscribe("bidder:ann")


async def test_clients_publish_nowhere_and_strangers_watch_nothing(house: House) -> None:
    lot_id = await house.lot()
    await house.ann.subscribe(f"lot:{lot_id}")
    await house.ann.subscribe("bidder:ann")
    for channel in (f"lot:{lot_id}", "bidder:ann"):
        for user in (house.ann, house.sam, house.max, house.nobody):
            with pytest.raises(CallError, match="103"):
                await user.publish(channel, {"type": "bid", "seq": 1, "user": "ann", "amount": 1})
    with pytest.raises(CallError, match="103"):
        await house.nobody.subscribe(f"lot:{lot_id}")


async def test_a_user_whose_name_cannot_be_a_channel_bids_like_everybody(house: House) -> None:
    odd = house.tester.user("an odd # name\n" + "x" * 300)
    lot_id = await house.lot()
    assert (await odd.call("bid", {"lot_id": lot_id, "amount": 100}))["leader"] == odd.name
    assert (await house.bob.call("bid", {"lot_id": lot_id, "amount": 110}))["leader"] == "bob"


async def test_the_seller_withdraws_a_lot_until_somebody_bids_and_an_auctioneer_at_any_time(house: House) -> None:
    first, second = await house.lot(), await house.lot()
    for user in (house.ann, house.nobody):
        assert await code_of(user, "withdraw", {"lot_id": first}) == 403
    assert (await house.sam.call("withdraw", {"lot_id": first}))["status"] == "unsold"
    assert await code_of(house.ann, "bid", {"lot_id": first, "amount": 100}) == 410
    await house.ann.call("bid", {"lot_id": second, "amount": 100})
    assert await code_of(house.sam, "withdraw", {"lot_id": second}) == 403
    assert (await house.max.call("withdraw", {"lot_id": second}))["status"] == "unsold"
    assert await code_of(house.max, "withdraw", {"lot_id": second}) == 410


async def test_lots_are_listed_by_status_and_seller_those_that_close_first_first(house: House) -> None:
    late, soon = await house.lot(closes_in=900), await house.lot(closes_in=300)
    other = (await house.ann.call("create_lot", {**LOT, "closes_in": 600}))["lot_id"]
    assert [lot["lot_id"] for lot in (await house.bob.call("lots", {}))["lots"]] == [soon, other, late]
    page = await house.bob.call("lots", {"seller": "sam", "limit": 1})
    assert [lot["lot_id"] for lot in page["lots"]] == [soon]
    page = await house.bob.call("lots", {"seller": "sam", "limit": 1, "cursor": page["cursor"]})
    assert [lot["lot_id"] for lot in page["lots"]] == [late]
    await house.tester.advance(seconds=400)
    assert [lot["lot_id"] for lot in (await house.bob.call("lots", {"status": "unsold"}))["lots"]] == [soon]


async def test_lots_are_listed_by_category_and_by_who_bought_them_and_the_newest_first(house: House) -> None:
    made = {"closes_in": 100, "category": "clocks"}
    first, second, other = await house.lot(**made), await house.lot(**{**made, "closes_in": 200}), await house.lot()
    assert [lot["lot_id"] for lot in (await house.bob.call("lots", {"category": "clocks"}))["lots"]] == [first, second]
    assert [lot["lot_id"] for lot in (await house.bob.call("lots", {"newest": True}))["lots"]] == [other, second, first]
    for lot_id in (first, second):
        await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    await house.tester.advance(seconds=300)
    asked = {"status": "awaiting_payment", "newest": True}
    assert [lot["lot_id"] for lot in (await house.ann.call("lots", {**asked, "buyer": "ann"}))["lots"]] == [second, first]
    assert (await house.bob.call("lots", {**asked, "buyer": "bob"}))["lots"] == []
    assert await code_of(house.bob, "lots", {"category": "nothing"}) == 107


async def test_the_bids_of_a_lot_are_read_page_by_page(house: House) -> None:
    lot_id = await house.lot()
    for number in range(7):
        await (house.ann, house.bob)[number % 2].call("bid", {"lot_id": lot_id, "amount": 100 + 10 * number})
    newest = (await house.nobody.call("bids", {"lot_id": lot_id, "limit": 3}))["bids"]
    assert [bid["seq"] for bid in newest] == [5, 6, 7]
    older = (await house.nobody.call("bids", {"lot_id": lot_id, "limit": 3, "before": 5}))["bids"]
    assert [bid["seq"] for bid in older] == [2, 3, 4]
    assert (await house.nobody.call("bids", {"lot_id": lot_id, "before": 1}))["bids"] == []


async def test_a_snapshot_and_the_stream_behind_its_position_are_the_whole(house: House) -> None:
    lot_id = await house.lot()
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 100})
    found = await house.bob.call("snapshot", {"lot_id": lot_id})
    assert (found["lot"]["price"], found["offset"]) == (100, 1)
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 110})
    watcher = await house.bob.subscribe(f"lot:{lot_id}")
    behind = await house.bob.history(f"lot:{lot_id}", since=found["offset"])
    assert [each.data["seq"] for each in behind] == [2]
    assert watcher.offset == 2


async def test_a_lot_is_made_once_however_often_its_seller_sends_the_same_key(house: House) -> None:
    first = await house.sam.call("create_lot", {**LOT, "key": "k1"})
    assert await house.sam.call("create_lot", {**LOT, "key": "k1"}) == first
    assert await house.ann.call("create_lot", {**LOT, "key": "k1"}) != first, "a key is its user's own"
    assert len((await house.bob.call("lots", {"seller": "sam"}))["lots"]) == 1


async def test_a_watch_list_keeps_what_is_put_on_it(house: House) -> None:
    first, second = await house.lot(), await house.lot()
    assert await house.ann.call("watched") == {"lots": [], "cursor": ""}
    await house.ann.call("watch", {"lot_id": first})
    assert await house.ann.call("watch", {"lot_id": second}) == {"lot_ids": [first, second]}
    assert await house.ann.call("watch", {"lot_id": first}) == {"lot_ids": [second, first]}
    assert [lot["lot_id"] for lot in (await house.ann.call("watched"))["lots"]] == [first, second]
    assert await house.ann.call("watch", {"lot_id": first, "on": False}) == {"lot_ids": [second]}
    assert await code_of(house.ann, "watch", {"lot_id": "nowhere"}) == 404
    assert await code_of(house.nobody, "watched", None) == 403
    assert await house.bob.call("watched") == {"lots": [], "cursor": ""}


async def test_a_crowd_on_one_lot_is_one_linear_auction(house: House) -> None:
    """Forty bidders at once, each bidding on what they saw: every bid is answered, and the accepted ones are the record."""
    lot_id = await house.lot()
    watcher = await house.cem.subscribe(f"lot:{lot_id}")
    accepted: list[tuple[str, int]] = []
    refused: list[tuple[str, int]] = []

    async def bidder(number: int) -> None:
        me = house.tester.user(f"bidder-{number}")
        for _ in range(4):
            amount = (await me.call("lot", {"lot_id": lot_id}))["minimum"]
            answer = await me.attempt("bid", {"lot_id": lot_id, "amount": amount})
            if isinstance(answer, CallError):
                assert answer.code == 409, answer
                refused.append((me.name, amount))
            else:
                accepted.append((me.name, amount))

    await asyncio.gather(*(bidder(number) for number in range(40)))
    await house.tester.advance(seconds=5)
    auction = Auction(100, 10, watcher.messages, accepted, await house.state(lot_id), refused)
    assert auction.breaches() == []
    assert accepted
    assert refused
