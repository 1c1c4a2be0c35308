"""Fixtures of the suites: two storage processes on one MongoDB database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.mongo import SERVERS
from support.mongo_process import Process, process
from support.stores import mongo_uri


@pytest.fixture(params=sorted(SERVERS))
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return mongo_uri(request.param, tmp_path)


@pytest.fixture
async def one(uri: str) -> AsyncIterator[Process]:
    async with process(uri) as opened:
        yield opened


@pytest.fixture
async def two(uri: str, one: Process) -> AsyncIterator[Process]:
    async with process(uri) as opened:
        yield opened
