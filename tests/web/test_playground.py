"""The failure playground in a real browser, on a real stack: each kill is one, and the promise is seen kept."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from support.browser import MISSING, Visitor
from support.stack import Stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

COUNTS = ("Sent", "Received", "Lost", "Doubled", "Out of order")
KILLS = {"Kill gateway": "gateway", "Kill storage": "storage", "Kill logic": "logic-chat", "Kill NATS": "nats"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


STACK = {"crowd": True}
"""Simulated users come along: the first screen is seen with life in it, and numbers are counted beside others' messages."""


@asynccontextmanager
async def at_the_door(stack: Stack, browser: Browser, **options: Any) -> AsyncIterator[Visitor]:
    """A page; at the end it has logged nothing but the browser's own word about lost connections."""
    context = await browser.new_context(base_url=f"http://127.0.0.1:{stack.port}", **options)
    try:
        visitor = Visitor(await context.new_page())
        await visitor.page.goto("/")
        yield visitor
        assert [error for error in visitor.errors if "WebSocket connection to" not in error] == []
    finally:
        await context.close()


@asynccontextmanager
async def opened(stack: Stack, browser: Browser, **options: Any) -> AsyncIterator[Visitor]:
    """A page with the open playground."""
    async with at_the_door(stack, browser, **options) as visitor:
        await visitor.enter("Ann")
        await visitor.page.get_by_role("button", name="Failure playground", exact=True).click()
        await expect(count(visitor.page, "Received")).not_to_have_text("0")
        yield visitor


class BadWire:
    """Between a page and its gateway: the number 5 is lost, 9 comes twice, 14 and 15 change places."""

    def __init__(self, route: WebSocketRoute) -> None:
        self._route, self._held = route, ""
        route.connect_to_server().on_message(self._heard)

    def _heard(self, message: str | bytes) -> None:
        for line in str(message).split("\n"):
            found = re.search(r'"channel":"playground:.*"number":(\d+)', line)
            for each in self._made_worse(line, int(found[1]) if found else 0):
                self._route.send(each)

    def _made_worse(self, line: str, number: int) -> list[str]:
        if number == 14:
            self._held = line
        return {5: [], 9: [line, line], 14: [], 15: [line, self._held]}.get(number, [line])


def count(page: Page, name: str) -> Any:
    return page.get_by_role("status", name=name, exact=True)


async def counts(page: Page) -> dict[str, int]:
    """All counts, read at one moment."""
    read = "all => Object.fromEntries(all.map(each => [each.ariaLabel, parseInt(each.textContent)]))"
    found: dict[str, int] = await page.get_by_role("dialog").locator("output").evaluate_all(read)
    return found


async def all_came(page: Page, more_than: int) -> dict[str, int]:
    """The counts once numbers that were sent after so many are back, and none is on its way."""
    while (found := await counts(page))["Sent"] <= more_than or found["Received"] < found["Sent"]:
        await page.wait_for_timeout(20)
    return found


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
async def test_the_first_screen_is_alive_and_nobody_simulated_writes_into_the_lobby(
    stack: Stack, browser: Browser, look: Any
) -> None:
    """Before anybody said a name: lots with bids on them, lines as they are written, and what their offsets say of the promise."""
    async with at_the_door(stack, browser, **look) as ann:
        await expect(ann.page.get_by_role("heading", level=1)).to_have_text("Nothing lost. Once. In order. ")
        await expect(ann.page.get_by_role("list", name="On offer right now").get_by_text("leads").first).to_be_visible(
            timeout=30_000
        )
        await expect(ann.page.get_by_role("list", name="Being said right now").get_by_role("listitem").first).to_be_visible(
            timeout=30_000
        )
        await expect(
            ann.page.get_by_text(re.compile(r"^[1-9]\d* messages went by this window: 0 lost, 0 doubled\.$"))
        ).to_be_visible()
        assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await ann.screenshot(f"first-screen-{look.get('color_scheme', 'phone')}")
        assert await ann.faults() == []
        await ann.enter("Ann")
        await expect(ann.page.get_by_text("Nobody has said anything yet.")).to_be_visible()
        assert await ann.page.get_by_role("list", name="Messages", exact=True).get_by_role("listitem").count() == 0


async def test_whatever_is_killed_every_number_comes_once_and_in_order(stack: Stack, browser: Browser) -> None:
    """Gateway, storage, logic, NATS: each dies by SIGKILL, the interruption is told, and the flow catches up with what was sent."""
    async with opened(stack, browser, viewport={"width": 1280, "height": 900}) as ann:
        for button, name in KILLS.items():
            pid = stack.pid(name)
            await ann.page.get_by_role("button", name=button, exact=True).click()
            told = ann.page.get_by_role("list", name="What happened").get_by_role("listitem").first
            what = button.removeprefix("Kill ")
            await expect(told).to_have_text(
                re.compile(f"^{what} killed: .*(every one came|hardly noticed)", re.IGNORECASE), timeout=30_000
            )
            await expect(ann.page.get_by_role("button", name=button, exact=True)).to_be_enabled()
            assert stack.pid(name) not in (0, pid)
            found = await all_came(ann.page, (await counts(ann.page))["Sent"] + 10)
            assert {each: found[each] for each in COUNTS[2:]} == {"Lost": 0, "Doubled": 0, "Out of order": 0}
            assert found["Interruption"] > 0
            await ann.screenshot(f"playground-{name}")
        await ann.page.get_by_role("button", name="Close", exact=True).click()
        await expect(ann.page.get_by_role("button", name="Failure playground", exact=True)).to_be_focused()
        await expect(ann.page.get_by_role("dialog")).to_have_count(0)


async def test_what_a_wire_really_loses_doubles_and_swaps_is_counted_as_that(stack: Stack, browser: Browser) -> None:
    """The counter never flatters: between the page and its gateway one number is lost, one comes twice, two change places."""
    async with at_the_door(stack, browser) as ann:
        await ann.page.route_web_socket(re.compile("/connection/websocket"), BadWire)
        await ann.enter("Ann")
        await ann.page.get_by_role("button", name="Failure playground", exact=True).click()
        for name in ("Lost", "Doubled", "Out of order"):
            await expect(count(ann.page, name)).to_have_text("1", timeout=30_000)
        await ann.screenshot("playground-broken")
        assert await ann.faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_playground(stack: Stack, browser: Browser, scheme: str) -> None:
    async with opened(stack, browser, color_scheme=scheme, reduced_motion="reduce") as ann:
        assert await ann.faults() == []
        names = await ann.page.get_by_role("dialog").get_by_role("button").all_inner_texts()
        assert names == ["Close", "Kill gateway", "Kill logic", "Kill storage", "Kill NATS"]
        await ann.page.get_by_role("button", name="Kill logic", exact=True).click()
        await expect(ann.page.get_by_role("button", name="Kill logic", exact=True)).to_be_disabled()
        assert await ann.faults() == []
        await ann.screenshot(f"playground-{scheme}")
        await expect(ann.page.get_by_role("button", name="Kill logic", exact=True)).to_be_enabled(timeout=30_000)


async def test_on_a_phone_everything_of_the_playground_can_be_reached(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser, **PHONE) as ann:
        assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for name in COUNTS:
            await expect(count(ann.page, name)).to_be_visible()
        await ann.screenshot("playground-phone")
        for button in KILLS:
            await ann.page.get_by_role("button", name=button, exact=True).scroll_into_view_if_needed()
            await expect(ann.page.get_by_role("button", name=button, exact=True)).to_be_in_viewport()
