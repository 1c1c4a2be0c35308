"""Fixtures of the suites: an open store of each adapter; two storage processes on one MongoDB database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.mongo import SERVERS
from support.mongo_process import Process, process
from support.stores import OPENERS, Opener, Store, mongo_uri


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


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as opened:
        yield opened
