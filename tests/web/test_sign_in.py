"""The sign-in of docs/sign-in.md: the page as it is built, a gateway configured as the document says, an issuer of OIDC on loopback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from support.browser import MISSING, Visitor
from support.issuer import AUDIENCE, CLIENT_ID, Issuer
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

DOCUMENT = Path(__file__).parents[2] / "docs" / "sign-in.md"


def configuration(issuer: Issuer) -> str:
    """The document's own configuration, with this issuer in place of its example, and leave to reach it on loopback."""
    (block,) = re.findall(r"^```toml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)[:1]
    for example, here in {
        "https://id.example.com/.well-known/jwks.json": f"{issuer.url}/jwks",
        "https://id.example.com": issuer.url,
        '"causeway-web"': f'"{CLIENT_ID}"',
        '"causeway"': f'"{AUDIENCE}"',
    }.items():
        assert example in block
        block = block.replace(example, here)
    return f'{block}\n[integrations.webhook]\nallow_hosts = ["127.0.0.1"]\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("sign-in"), config=configuration(issuer)) as running:
        yield running


@asynccontextmanager
async def signed_in(stack: Stack, browser: Browser, issuer: Issuer, path: str = "/lots") -> AsyncIterator[Visitor]:
    """A page whose user came in through the issuer; at the end it may have logged no error."""
    context = await browser.new_context(base_url=f"http://127.0.0.1:{stack.port}")
    try:
        visitor = Visitor(await context.new_page())
        await visitor.page.goto(path)
        await visitor.page.get_by_role("button", name="Sign in", exact=True).click()
        await visitor.page.get_by_role("link", name=f"Continue as {issuer.who}").click()
        await expect(visitor.page.get_by_role("status", name="Connection")).to_have_text("Connected", timeout=20_000)
        yield visitor
        assert visitor.errors == []
    finally:
        await context.close()


async def test_who_signs_in_at_the_issuer_is_who_the_gateway_knows_and_comes_back_to_where_they_were(
    stack: Stack, browser: Browser, issuer: Issuer
) -> None:
    """And a name alone opens nothing: there is no door without the issuer."""
    async with signed_in(stack, browser, issuer) as ann:
        await expect(ann.page.get_by_text(f"You are {issuer.who}")).to_be_visible()
        assert ann.page.url == f"http://127.0.0.1:{stack.port}/lots"
        await ann.page.get_by_role("textbox", name="What is it?", exact=True).fill("A signed chair")
        await ann.page.get_by_role("button", name="Offer", exact=True).click()
        await expect(ann.page.get_by_text(f"Offered by {issuer.who}")).to_be_visible()
        await ann.page.reload()
        await expect(ann.page.get_by_text(f"You are {issuer.who}")).to_be_visible()
        await ann.screenshot("signed-in")


async def test_a_token_that_runs_out_is_replaced_and_the_connection_stays(stack: Stack, browser: Browser, issuer: Issuer) -> None:
    issuer.lives, before = 3, issuer.refreshes
    try:
        async with signed_in(stack, browser, issuer) as ann:
            connection = ann.page.get_by_role("status", name="Connection")
            await connection.evaluate(
                "(e) => { window.said = []; new MutationObserver(() => window.said.push(e.textContent)).observe(e, {subtree: true, childList: true, characterData: true}) }"
            )
            await until(lambda: issuer.refreshes >= before + 2, 60)
            await expect(connection).to_have_text("Connected")
            assert await ann.page.evaluate("window.said") == []
    finally:
        issuer.lives = 300


async def test_where_the_issuer_gives_no_new_token_the_page_says_so_and_one_signs_in_again(
    stack: Stack, browser: Browser, issuer: Issuer
) -> None:
    issuer.lives = 3
    try:
        async with signed_in(stack, browser, issuer) as ann:
            issuer.ended = True
            await expect(ann.page.get_by_role("alert")).to_have_text("Your sign-in has run out. Sign in again.", timeout=60_000)
            issuer.ended, issuer.lives = False, 300
            ann.errors.clear()  # the browser's own word about the answer 400
            assert await ann.faults() == []
            await ann.page.get_by_role("button", name="Sign in", exact=True).click()
            await ann.page.get_by_role("link", name=f"Continue as {issuer.who}").click()
            await expect(ann.page.get_by_role("status", name="Connection")).to_have_text("Connected", timeout=20_000)
    finally:
        issuer.ended, issuer.lives = False, 300


async def test_who_leaves_is_out(stack: Stack, browser: Browser, issuer: Issuer) -> None:
    async with signed_in(stack, browser, issuer) as ann:
        await ann.page.get_by_role("button", name="Leave", exact=True).click()
        await expect(ann.page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
        await ann.page.reload()
        await expect(ann.page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
