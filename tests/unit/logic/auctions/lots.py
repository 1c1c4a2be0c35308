"""Lots and moments for the tests of the auctions app."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.auctions.bidding import soft_close_of
from apps.auctions.models import Lot

START = datetime(2025, 1, 1, tzinfo=UTC)
SELLER = "sam"


def after(seconds: float) -> datetime:
    """So many seconds after the lots of these tests opened."""
    return START + timedelta(seconds=seconds)


def lot(*, closes_in: int = 3600, **fields: Any) -> Lot:
    """An open lot without bids: from 100, by 10."""
    duration = timedelta(seconds=closes_in)
    start_price = fields.pop("start_price", 100)
    return Lot(
        **{
            "title": "A chair",
            "seller": SELLER,
            "currency": "EUR",
            "start_price": start_price,
            "price": start_price,
            "increment": 10,
            "closes_at": START + duration,
            "soft_close": soft_close_of(duration),
            "pay_within": timedelta(hours=1),
            **fields,
        }
    )
