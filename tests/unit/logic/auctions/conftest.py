"""The auction house of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from unit.logic.auctions.provider import House


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    made.tester.close()
