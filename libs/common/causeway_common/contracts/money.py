"""Amounts: whole minor units of an ISO 4217 currency."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.errors import bad_request

AMOUNT_MAX: Final = 99_999_999_999
CURRENCIES: Final = frozenset(
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP
    CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
    NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905 - a table
)
"""The active codes of ISO 4217 for what people pay with."""


def check_amount(amount: int, *, least: int = 1) -> int:
    """`amount` where it is one. Raises CausewayError 107."""
    if not least <= amount <= AMOUNT_MAX:
        raise bad_request(f"an amount is {least} to {AMOUNT_MAX} minor units, got {amount}")
    return amount


def check_currency(code: str) -> str:
    """The code in capitals. Raises CausewayError 107."""
    found = code.upper()
    if found not in CURRENCIES:
        raise bad_request(f"there is no currency {code!r:.20} in ISO 4217")
    return found
