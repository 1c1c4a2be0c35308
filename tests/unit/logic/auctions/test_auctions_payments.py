"""From the close to the money: the winner pays or loses the lot to the next, late money goes back, the outside is told, receipts are mailed."""

from __future__ import annotations

from typing import Any

import pytest

from causeway_logic import Reject
from causeway_logic.payments import KeptPayment
from causeway_testing import CallError
from unit.logic.auctions.provider import House

PAY = {"method": "pm_card_visa"}


async def test_the_winner_pays_and_the_lot_is_sold(house: House) -> None:
    lot_id = await house.lot()
    watcher = await house.cem.subscribe(f"lot:{lot_id}")
    mine = await house.ann.subscribe("bidder:ann")
    await house.ann.call("contact", {"email": "ann@example.com"})
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 250})
    await house.tester.advance(seconds=700)
    state = await house.state(lot_id)
    assert (state["status"], state["buyer"], state["pay_by"]) == ("awaiting_payment", "ann", "2025-01-01T01:10:00.000Z")
    checkout = await house.ann.call("checkout", {"lot_id": lot_id})
    assert (checkout["amount"], checkout["currency"], checkout["state"]) == (250, "EUR", "open")
    assert checkout["client_secret"] == "s3cret"
    assert (await house.ann.call("pay", {"lot_id": lot_id, **PAY}))["state"] == "succeeded"
    assert (await house.state(lot_id))["status"] == "sold"
    await house.tester.advance(hours=2)
    assert (await house.state(lot_id))["status"] == "sold", "the time to pay is over, and it was paid"
    assert house.provider.net(lot_id) == 250
    assert [message.get("status", "bid") for message in watcher.messages] == ["bid", "awaiting_payment", "sold"]
    assert [notice["type"] for notice in mine.messages] == ["offered", "sold"]
    assert [event["type"] for event in house.told("webhook.event")] == ["auctions.lot.closed", "auctions.lot.sold"]
    (mail,) = house.told("email.send")
    assert mail["to"] == ["ann@example.com"]
    assert lot_id in mail["text"]


async def test_the_seller_is_told_of_the_close_with_what_it_came_to(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    (event,) = house.told("webhook.event")
    data = {"lot_id": lot_id, "title": "A chair", "seller": "sam", "status": "awaiting_payment", "price": 150, "currency": "EUR"}
    assert event["data"] == {**data, "bids": 2, "buyer": "bob"}
    assert event["timestamp"] == "2025-01-01T00:10:00.000Z"


async def test_who_does_not_pay_in_time_loses_the_lot_to_the_next_best_bidder(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    await house.tester.advance(hours=1)
    state = await house.state(lot_id)
    assert (state["status"], state["buyer"], state["price"]) == ("awaiting_payment", "ann", 120)
    with pytest.raises(CallError, match="403"):
        await house.bob.call("pay", {"lot_id": lot_id, **PAY})
    await house.ann.call("pay", {"lot_id": lot_id, **PAY})
    assert (await house.state(lot_id))["status"] == "sold"
    assert house.provider.net(lot_id) == 120
    assert [payment["state"] for payment in house.provider.payments.values()] == ["canceled", "succeeded"]


async def test_when_nobody_pays_the_lot_is_unsold(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    await house.tester.advance(hours=3)
    assert (await house.state(lot_id))["status"] == "unsold"
    assert [event["type"] for event in house.told("webhook.event")] == ["auctions.lot.closed", "auctions.lot.unsold"]
    assert house.provider.net(lot_id) == 0


async def test_a_payment_that_succeeded_unnoticed_counts_when_its_time_is_over(house: House) -> None:
    """The buyer paid, and neither the answer nor the provider's event arrived: it cannot be cancelled, so it is looked at."""
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    (payment,) = house.provider.payments
    house.provider.confirm({"id": payment})
    await house.tester.advance(hours=2)
    assert (await house.state(lot_id))["status"] == "sold"
    assert house.provider.net(lot_id) == 150


async def test_the_providers_event_alone_sells_the_lot_and_told_twice_it_sells_it_once(house: House) -> None:
    """The buyer paid in the browser: nothing but the event says so."""
    lot_id = await house.sold_to((house.ann, 120))
    (payment,) = house.provider.payments
    house.provider.confirm({"id": payment})
    for _ in range(2):
        await house.tester.event("stripe", "payment_intent.succeeded", house.provider.intent(payment), id="evt_1")
    await house.tester.event("stripe", "payment_intent.succeeded", house.provider.intent(payment), id="evt_2")
    assert (await house.state(lot_id))["status"] == "sold"
    assert [event["type"] for event in house.told("webhook.event")] == ["auctions.lot.closed", "auctions.lot.sold"]
    assert house.told("payments.refund") == []


async def test_money_that_comes_too_late_goes_back(house: House) -> None:
    """The payment could not be cancelled in time by anybody's fault, and succeeded when the lot was another's."""
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    (late,) = house.provider.payments
    await house.tester.advance(hours=1)
    house.provider.payments[late].update(state="succeeded", received=150)
    for number in range(2):
        await house.tester.event("stripe", "payment_intent.succeeded", house.provider.intent(late), id=f"evt_{number}")
    assert (await house.state(lot_id))["buyer"] == "ann"
    (asked,) = house.told("payments.refund")
    assert (asked["id"], asked["amount"]) == (late, 150)
    await house.tester.run_jobs()
    assert house.provider.net(lot_id) == 0
    await house.ann.call("pay", {"lot_id": lot_id, **PAY})
    assert house.provider.net(lot_id) == 120


async def test_what_the_provider_said_is_kept_with_each_payment(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120))
    (payment,) = house.provider.payments
    assert house.tester.entity(KeptPayment, payment).status == "created"
    with pytest.raises(CallError, match="402: declined"):
        await house.ann.call("pay", {"lot_id": lot_id, "method": "pm_card_declined"})
    assert house.tester.entity(KeptPayment, payment).status == "failed"
    house.provider.confirm({"id": payment})
    await house.tester.event("stripe", "payment_intent.succeeded", house.provider.intent(payment))
    kept = house.tester.entity(KeptPayment, payment)
    assert (kept.status, kept.received, kept.received_in, kept.strange) == ("succeeded", 120, "EUR", [])


async def test_events_about_other_peoples_payments_change_nothing(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120))
    intent = {"id": "pi_x", "amount_received": 120, "currency": "eur", "metadata": {}}
    await house.tester.event("stripe", "payment_intent.succeeded", intent)
    await house.tester.event("stripe", "payment_intent.succeeded", {**intent, "metadata": {"lot_id": "nowhere"}})
    await house.tester.event("stripe", "charge.refunded", {"anything": 1})
    assert (await house.state(lot_id))["status"] == "awaiting_payment"
    assert house.told("payments.refund") == []


async def test_a_lot_that_goes_for_nothing_is_sold_without_a_payment(house: House) -> None:
    lot_id = await house.lot(start_price=0)
    await house.ann.call("contact", {"email": "ann@example.com"})
    await house.ann.call("bid", {"lot_id": lot_id, "amount": 0})
    await house.tester.advance(seconds=700)
    state = await house.state(lot_id)
    assert (state["status"], state["buyer"], state["price"]) == ("sold", "ann", 0)
    assert house.provider.payments == {}
    assert [event["type"] for event in house.told("webhook.event")] == ["auctions.lot.closed", "auctions.lot.sold"]
    assert len(house.told("email.send")) == 1
    assert (await house.ann.call("checkout", {"lot_id": lot_id}))["state"] == "free"
    with pytest.raises(CallError, match="410: the lot is paid"):
        await house.ann.call("pay", {"lot_id": lot_id, **PAY})


async def test_a_second_chance_may_be_for_nothing(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 0), (house.bob, 150), start_price=0)
    await house.tester.advance(hours=2)
    state = await house.state(lot_id)
    assert (state["status"], state["buyer"], state["price"]) == ("sold", "ann", 0)
    assert house.provider.net(lot_id) == 0


async def test_a_declined_card_is_told_and_may_be_tried_again(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120))
    with pytest.raises(CallError, match="402: declined"):
        await house.ann.call("pay", {"lot_id": lot_id, "method": "pm_card_declined"})
    await house.ann.call("pay", {"lot_id": lot_id, **PAY})
    assert (await house.state(lot_id))["status"] == "sold"


async def test_while_the_provider_is_away_the_sale_waits_and_goes_on_when_it_is_back(house: House) -> None:
    def away(_request: Any) -> Any:
        raise Reject(503, "away", temporary=True)

    house.tester.calls["payments.create"] = away
    lot_id = await house.sold_to((house.ann, 120))
    with pytest.raises(CallError) as early:
        await house.ann.call("pay", {"lot_id": lot_id, **PAY})
    assert early.value.temporary
    assert (await house.ann.call("checkout", {"lot_id": lot_id}))["state"] == "pending"
    house.provider.install(house.tester)
    await house.tester.advance(minutes=20)
    await house.ann.call("pay", {"lot_id": lot_id, **PAY})
    assert (await house.state(lot_id))["status"] == "sold"


async def test_a_provider_that_is_away_for_a_day_delays_the_second_chance_and_loses_nothing(house: House) -> None:
    """Every try of the task fails until it is dead; the sweep asks again."""
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    del house.tester.calls["payments.cancel"]
    await house.tester.advance(days=1)
    assert (await house.state(lot_id))["buyer"] == "bob", "nobody else is asked while the payment may still succeed"
    assert len([task for task in house.tester.tasks if task.state == "pending"]) <= 1, "tries do not pile up"
    house.provider.install(house.tester)
    await house.tester.advance(hours=9)
    state = await house.state(lot_id)
    assert state["status"] == "unsold" or state["buyer"] == "ann"
    assert house.provider.net(lot_id) == 0


async def test_only_the_buyer_sees_and_pays(house: House) -> None:
    lot_id = await house.sold_to((house.ann, 120), (house.bob, 150))
    for user in (house.ann, house.sam, house.max, house.nobody):
        for method, data in (("checkout", {}), ("pay", PAY)):
            with pytest.raises(CallError, match="403"):
                await user.call(method, {"lot_id": lot_id, **data})
    open_lot = await house.lot()
    with pytest.raises(CallError, match="403"):
        await house.ann.call("pay", {"lot_id": open_lot, **PAY})


RATES = {"status": 200, "data": {"base": "EUR", "rates": {"USD": 1.08, "JPY": 163}}}


@pytest.mark.parametrize(("reply", "rates"), [(RATES, "fresh"), ({**RATES, "stale": True, "age_ms": 9}, "stale")])
async def test_a_price_is_shown_in_other_currencies(house: House, reply: Any, rates: str) -> None:
    house.tester.calls["http.rates"] = reply
    lot_id = await house.lot(start_price=1000)
    answer = await house.nobody.call("prices", {"lot_id": lot_id, "currencies": ["USD", "JPY", "GBP"]})
    assert answer == {"price": 1000, "currency": "EUR", "prices": {"USD": 1080, "JPY": 1630}, "rates": rates}


@pytest.mark.parametrize("data", [None, "nonsense", {"base": "USD", "rates": {}}, {"base": "EUR", "rates": {"USD": "much"}}])
async def test_without_usable_rates_the_price_is_still_there(house: House, data: Any) -> None:
    if data is not None:
        house.tester.calls["http.rates"] = {"status": 200, "data": data}
    lot_id = await house.lot()
    answer = await house.ann.call("prices", {"lot_id": lot_id, "currencies": ["USD"]})
    assert answer == {"price": 100, "currency": "EUR", "prices": {}, "rates": "away"}
