"""Every handler with inputs that fit its schema and inputs that do not, by users of every role: no 100, and no rule is passed by.

The rules are told a second time here, from the lots as they are stored, and every answer is held against them.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.auctions import app
from apps.auctions.bidding import minimum
from apps.auctions.models import Lot
from apps.auctions.sales import kept
from causeway_common.contracts.errors import ErrorName
from causeway_testing import CallError, User
from support.inputs import fitting, wild
from unit.logic.auctions.provider import House

METHODS: Final = {method.name: json.loads(method.input) if method.input else {} for method in app.manifest().methods}
ROLES: Final = ("sam", "ann", "bob", "cem", "max", "nobody")
SECRET: Final = 777_777_777
STEPS: Final = 12


class Furnished(House):
    """A house with one lot of each kind: fresh, with a proxy, waiting for ann's payment, sold, unsold."""

    async def furnish(self) -> tuple[str, ...]:
        """Their ids, the same in every house."""
        fresh, contested = await self.lot(closes_in=90_000), await self.lot(closes_in=90_000)
        await self.bob.call("proxy_bid", {"lot_id": contested, "maximum": SECRET})
        waiting, sold, unsold = await self.lot(pay_within=90_000), await self.lot(pay_within=90_000), await self.lot()
        for lot_id in (waiting, sold):
            await self.ann.call("bid", {"lot_id": lot_id, "amount": 150})
        await self.tester.advance(seconds=700)
        await self.ann.call("pay", {"lot_id": sold, "method": "pm_card_visa"})
        self.tester.calls["http.rates"] = {"status": 200, "data": {"base": "EUR", "rates": {"USD": 1.1}}}
        return fresh, contested, waiting, sold, unsold


@cache
def inputs(method: str, lots: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Inputs of a method that know which lots there are: as many that fit its schema as others."""
    known: dict[str, list[Any]] = {
        "lot_id": list(lots),
        "amount": [100, 160, SECRET - 10],
        "maximum": [200, SECRET],
        "seller": list(ROLES),
        "currency": ["EUR", "JPY"],
        "currencies": [["USD"], ["EUR", "USD"]],
        "email": ["ann@example.com"],
    }
    return st.one_of(fitting(METHODS[method], known), wild(METHODS[method], known))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_input_of_any_user_is_an_internal_error_or_passes_a_rule_by(method: str, data: st.DataObject) -> None:
    house = Furnished()
    try:
        lots = house.tester.run(house.furnish())
        for _ in range(STEPS):
            who = data.draw(st.sampled_from(ROLES), label="user")
            given_ = data.draw(inputs(method, lots), label="input")
            before = house.tester.entities(Lot)
            answer = house.tester.run(getattr(house, who).attempt(method, given_))
            judge(method, getattr(house, who), given_, answer, before=before, after=house.tester.entities(Lot))
    finally:
        house.tester.close()


def judge(method: str, user: User, given_: Any, answer: Any, *, before: dict[str, Lot], after: dict[str, Lot]) -> None:
    """Hold one call against the rules, as they are told here."""
    changed = {lot_id for lot_id, lot in after.items() if before.get(lot_id) != lot}
    if isinstance(answer, CallError):
        assert answer.name in (ErrorName.REJECTED, ErrorName.BAD_REQUEST), answer
        assert not changed, "a refused call has no effect"
        return
    assert len(changed) <= 1
    for lot_id in changed:
        lot, old = after[lot_id], before.get(lot_id)
        allowed(method, user, given_, old, lot)
        assert kept(lot) == (lot.price if lot.status == "sold" else 0)
    bid = any(contender.amount == SECRET for lot in after.values() for contender in lot.contenders)
    if user.name != "bob" and not bid:  # whose maximum was bid, by them or for them, has no secret any more
        assert str(SECRET) not in json.dumps(answer), "a maximum is its owner's secret"


def allowed(method: str, user: User, given_: Any, old: Lot | None, lot: Lot) -> None:
    """Who may change a lot, and how."""
    assert user.name, "an anonymous user changes nothing"
    match method:
        case "create_lot":
            assert old is None
            assert (lot.seller, lot.status, lot.bids) == (user.name, "open", 0)
        case "bid" | "proxy_bid":
            assert old is not None
            assert old.status == lot.status == "open"
            assert user.name != lot.seller
            asked = given_["amount"] if method == "bid" else given_["maximum"]
            assert asked >= minimum(old)
            assert lot.price <= max(asked, old.proxy.maximum if old.proxy else 0)
        case "withdraw":
            assert old is not None
            assert old.status == "open"
            assert lot.status == "unsold"
            assert user.name == "max" or (user.name == lot.seller and not old.bids)
        case "pay":
            assert old is not None
            assert old.sale is not None
            assert user.name == old.sale.buyer
            assert (old.status, lot.status) == ("awaiting_payment", "sold")
        case _:
            raise AssertionError(f"{method} changed a lot")
