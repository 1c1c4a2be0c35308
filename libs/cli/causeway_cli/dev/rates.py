"""Exchange rates for the currency switch of the demo: made up, always the same, and served by `causeway dev` itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

RATES_PATH: Final = "/rates"
"""The base of the outside API `rates`; it asks `/latest?base=EUR` below it."""
RATES_API: Final = "rates"
CACHE: Final = "1m"
_OF_ONE_EURO: Final = {
    code: Decimal(rate)
    for code, rate in {"EUR": "1", "USD": "1.0815", "GBP": "0.8512", "CHF": "0.9423", "JPY": "163.2", "SEK": "11.32"}.items()
}
_PLACES: Final = Decimal("0.000001")


def demo_rates(base: str) -> dict[str, object] | None:
    """What one unit of `base` is in each other currency, as `http.rates` answers; None for a currency that has no rate here."""
    unit = _OF_ONE_EURO.get(base)
    if unit is None:
        return None
    return {
        "base": base,
        "rates": {code: str((rate / unit).quantize(_PLACES)) for code, rate in _OF_ONE_EURO.items() if code != base},
    }
