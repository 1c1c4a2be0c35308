"""What the tests of the web application share: a stack and a browser for each module, and pages that may log no error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from support.browser import Visitor, Visits, running_browser
from support.stack import Stack, running_stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The stack of a module, with the options that its `STACK` names."""
    async with running_stack(tmp_path_factory.mktemp("web"), **getattr(request.module, "STACK", {})) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with running_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(stack: Stack, browser: Browser) -> AsyncIterator[Visits]:
    """Opens a page for a user; at the end none may have logged an error."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as contexts:

        async def opened(name: str = "", path: str = "/", **options: Any) -> Visitor:
            context = await browser.new_context(base_url=f"http://127.0.0.1:{stack.port}", **options)
            contexts.push_async_callback(context.close)
            visitor = Visitor(await context.new_page())
            visitors.append(visitor)
            await visitor.page.goto(path)
            if name:
                await visitor.enter(name)
                await expect(visitor.page.get_by_role("status", name="Connection")).to_have_text("Connected")
            return visitor

        yield opened
        assert [visitor.errors for visitor in visitors] == [[] for _ in visitors]
