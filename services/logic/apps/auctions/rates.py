"""Amounts of one currency in another. Exact: decimal arithmetic, whole minor units."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from pydantic import BaseModel

_WHOLE: Final = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
_THOUSANDTHS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS: Final = dict.fromkeys(_WHOLE, 0) | dict.fromkeys(_THOUSANDTHS, 3)
_SANE: Final = (Decimal("1e-9"), Decimal("1e9"))


class Rates(BaseModel):
    """What the rates API answers: how much of each currency one unit of `base` is."""

    base: str
    rates: dict[str, Decimal]


def exponent(currency: str) -> int:
    """How many digits the minor unit of a currency has (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


def convert(amount: int, rates: Rates, currency: str) -> int | None:
    """An amount of the base's minor units in the minor units of another currency; None where there is no (sane) rate."""
    rate = Decimal(1) if currency == rates.base else rates.rates.get(currency)
    if rate is None or not _SANE[0] <= rate <= _SANE[1]:
        return None
    scaled = Decimal(amount).scaleb(exponent(currency) - exponent(rates.base)) * rate
    return int(scaled.to_integral_value(ROUND_HALF_EVEN))
