"""The web application in a real browser, on the real stack: what people see."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from support.browser import MISSING, Visitor, running_browser
from support.stack import Stack, running_stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("web")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running


class Visits(Protocol):
    async def __call__(self, name: str = "", path: str = "/", **options: Any) -> Visitor: ...


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


async def test_two_users_chat_and_each_sees_each_message_once_and_in_order(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    mark = next(numbers)
    for number in range(3):
        await ann.say(f"ann {mark} {number}")
        await expect(bob.page.get_by_text(f"ann {mark} {number}")).to_be_visible()
        await bob.say(f"bob {mark} {number}")
        await expect(ann.page.get_by_text(f"bob {mark} {number}")).to_be_visible()

    said = [f"{who} {mark} {number}" for number in range(3) for who in ("ann", "bob")]
    for each in (ann, bob):
        items = each.page.get_by_role("list", name="Messages", exact=True).locator("> li")
        texts = await items.locator("p:last-child").all_inner_texts()
        assert [text for text in texts if f" {mark} " in text] == said
        await expect(each.page.get_by_role("list", name="People here").get_by_text("Ann", exact=True)).to_be_visible()
    await ann.screenshot("chat")


async def test_who_comes_later_sees_what_was_said_and_a_reload_stays_the_same_user(visit: Visits) -> None:
    ann = await visit("Ann")
    text = f"before {next(numbers)}"
    await ann.say(text)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    cid = await visit("Cid")
    await expect(cid.page.get_by_text(text)).to_have_count(1)
    await cid.page.reload()
    await expect(cid.page.get_by_text(text)).to_have_count(1)
    await expect(cid.page.get_by_text("You are Cid")).to_be_visible()


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)> & <b>bold</b>", "שלום עולם", "👩‍👩‍👧‍👦 🦊", "two\nlines"])
async def test_whatever_is_written_is_shown_as_it_was_written(visit: Visits, text: str) -> None:
    ann = await visit('Ann "the <b>" O\'Neil')
    written = f"{text} {next(numbers)}"
    await ann.say(written)
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    shown = await ann.page.get_by_role("list", name="Messages").locator("> li p:last-child").last.inner_text()
    assert shown == written


async def test_a_text_that_is_too_long_stays_where_it_was_typed(visit: Visits) -> None:
    ann = await visit("Ann")
    await ann.say("x" * 10_000)
    await expect(ann.page.get_by_role("alert")).to_contain_text("at most 4,000 characters, this one has 10,000")
    await expect(ann.page.get_by_role("textbox", name="Message")).to_have_value("x" * 10_000)


async def test_a_killed_gateway_is_told_and_nothing_is_lost_or_doubled(visit: Visits, stack: Stack) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    text = f"before the kill {next(numbers)}"
    await ann.say(text)
    await expect(bob.page.get_by_text(text)).to_have_count(1)
    stack.kill("gateway-1")
    await expect(bob.page.get_by_text("Connected again, nothing was missed")).to_be_visible(timeout=30_000)
    await expect(ann.page.get_by_role("status", name="Connection")).to_have_text("Connected", timeout=30_000)
    await ann.say(f"after {text}")
    await expect(bob.page.get_by_text(f"after {text}")).to_have_count(1)
    await expect(bob.page.get_by_text(text, exact=True)).to_have_count(1)
    for each in (ann, bob):  # the browser's own word about the lost connection
        assert all("WebSocket" in error for error in each.errors)
        each.errors.clear()


async def test_a_lot_is_offered_bid_on_and_its_price_is_live(visit: Visits) -> None:
    ann, bob = await visit("Ann"), await visit("Bob")
    title = f"A brass telescope {next(numbers)}"
    await ann.page.get_by_role("link", name="Auctions", exact=True).click()
    await ann.page.get_by_role("textbox", name="What is it?").fill(title)
    await ann.page.get_by_role("button", name="Offer", exact=True).click()
    price = ann.page.get_by_role("status", name="Current price", exact=True)
    await expect(price).to_have_text("€10.00")

    await bob.page.get_by_role("link", name="Auctions", exact=True).click()
    await bob.page.get_by_role("list", name="Lots").get_by_role("link", name=title).click()
    bid = bob.page.get_by_role("spinbutton", name="Your bid", exact=True)
    await bid.fill("3")
    await bob.page.get_by_role("button", name="Place bid", exact=True).click()
    await expect(bob.page.get_by_role("alert")).to_contain_text("Your bid was not taken")
    await expect(bid).to_have_value("3")
    await bid.fill("12.50")
    await bob.page.get_by_role("button", name="Place bid", exact=True).click()
    await expect(price).to_have_text("€12.50")
    await expect(ann.page.get_by_text("Bob leads")).to_be_visible()
    await expect(bob.page.get_by_text("You lead")).to_be_visible()
    await bob.screenshot("lot")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(visit: Visits, scheme: str) -> None:
    ann = await visit(color_scheme=scheme)
    await ann.screenshot(f"enter-{scheme}")
    assert await ann.faults() == []
    await ann.enter("")
    await ann.page.get_by_role("button", name="Enter", exact=True).click()
    assert await ann.faults() == []
    await ann.enter("Ann")
    await ann.say(f"hello {next(numbers)}")
    await expect(ann.page.get_by_role("listitem").first).to_be_visible()
    assert await ann.faults() == []
    await ann.page.get_by_role("link", name="Auctions", exact=True).click()
    await ann.page.get_by_role("textbox", name="What is it?").fill("A red bicycle")
    assert await ann.faults() == []
    await ann.page.get_by_role("button", name="Offer", exact=True).click()
    await expect(ann.page.get_by_role("status", name="Current price")).to_be_visible()
    await ann.screenshot(f"lot-{scheme}")
    assert await ann.faults() == []


async def test_on_a_phone_nothing_is_cut_off(visit: Visits) -> None:
    ann = await visit("A name of exactly forty characters, this", **PHONE)
    await ann.say("word " * 40 + "w" * 300)
    said = ann.page.get_by_text("w" * 300)
    await expect(said).to_be_in_viewport()
    await expect(ann.page.get_by_text("sending …")).to_have_count(0)
    for link in ("Lobby", "Auctions"):
        await ann.page.get_by_role("link", name=link, exact=True).click()
        await expect(ann.page.get_by_role("heading", level=1, name=link)).to_be_visible()
        assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await ann.screenshot(f"phone-{link.lower()}")


async def test_a_name_that_is_refused_leads_back_to_the_door_with_the_reason(visit: Visits) -> None:
    ann = await visit()
    await ann.enter("causeway")
    await expect(ann.page.get_by_role("alert")).to_have_text("You were not let in: this name is taken.")
    await ann.enter("Ann")
    await expect(ann.page.get_by_role("textbox", name="Message", exact=True)).to_be_visible()


async def test_a_deep_link_asks_for_the_name_and_leads_where_it_points(visit: Visits) -> None:
    ann = await visit("Ann", "/lots")
    await expect(ann.page.get_by_role("heading", name="Auctions", exact=True)).to_be_visible()
