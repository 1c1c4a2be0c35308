"""The auction house of each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.logic.auctions.provider import House


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.tester.close()
