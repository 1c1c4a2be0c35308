"""Prices in other currencies are exact, and a rate that makes no sense gives no price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.auctions.rates import Rates, convert

RATES = Rates(
    base="EUR", rates={"USD": Decimal("1.0815"), "JPY": Decimal("163.2"), "KWD": Decimal("0.3325"), "XTS": Decimal("1e30")}
)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(1000, "EUR", 1000), (1000, "USD", 1082), (1000, "JPY", 1632), (1000, "KWD", 3325), (10**12, "USD", 1_081_500_000_000)],
)
def test_an_amount_is_converted_into_the_minor_units_of_the_other_currency(amount: int, currency: str, expected: int) -> None:
    assert convert(amount, RATES, currency) == expected


@pytest.mark.parametrize("currency", ["GBP", "XTS"])
def test_without_a_sane_rate_there_is_no_price(currency: str) -> None:
    assert convert(1000, RATES, currency) is None
