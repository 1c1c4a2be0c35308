"""Debian's Chromium, driven by Playwright: a page for each user, which may log no error of its own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "clients" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / ".artifacts" / "web"
CHROMIUM = shutil.which("chromium")
MISSING = CHROMIUM is None and os.environ.get("CI") != "true"
"""There is no Chromium, and this is not CI, which has one."""
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
GIVEN_UP: Final = "WebSocket is closed before the connection is established"
SETTLED = "Promise.allSettled(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity).map((a) => a.finished))"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visitor:
    """One user's page, in a browser profile of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        # The browser's word for a try that the SDK gave up after its time-out, on a slow machine: the next one connects.
        if message.type in {"error", "warning"} and GIVEN_UP not in message.text:
            self.errors.append(message.text)

    async def enter(self, name: str) -> None:
        """Come in through the door."""
        await self.page.get_by_role("textbox", name="Your name", exact=True).fill(name)
        await self.page.get_by_role("button", name="Enter", exact=True).click()

    async def say(self, text: str) -> None:
        """Send a message."""
        await self.page.get_by_role("textbox", name="Message", exact=True).fill(text)
        await self.page.get_by_role("button", name="Send", exact=True).click()

    @property
    def message(self) -> Locator:
        """The box where one writes."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def items(self) -> Locator:
        """The messages of the room, as they stand in the page."""
        return self.page.get_by_role("list", name="Messages", exact=True).locator("> li")

    def button(self, name: str) -> Locator:
        """A button by its exact name."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def types_until(self, seen: Locator) -> None:
        """Type until that is seen: who is not in the room yet does not hear of the first letters."""
        async with asyncio.timeout(20):
            while await seen.count() == 0:
                await self.message.press_sequentially("hm ", delay=50)

    def forgive_lost_connections(self) -> None:
        """Forget what the browser itself has said about connections that were lost. Nothing else may have been said."""
        assert [error for error in self.errors if "WebSocket" not in error] == []
        self.errors.clear()

    async def screenshot(self, name: str) -> None:
        """Keep a picture of the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    async def doubled(self) -> list[str]:
        """The controls whose name another control of the page has, too."""
        snapshot = await self.page.locator("body").aria_snapshot()
        names = Counter(
            re.findall(
                r'- \'?((?:button|link|textbox|searchbox|checkbox|option|combobox|spinbutton|radio|switch|tab) "(?:[^"\\]|\\.)*")',
                snapshot,
            )
        )
        return [name for name, times in names.items() if times > 1]

    async def faults(self) -> list[str]:
        """What axe has against the page once nothing fades in any more: half-faded text has no contrast."""
        await self.page.evaluate(SETTLED)
        await self.page.evaluate(AXE.read_text())
        found: Any = await self.page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")
        return [f"{each['id']}: {each['nodes'][0]['html']}: {each['nodes'][0]['failureSummary']}" for each in found["violations"]]


class Visits(Protocol):
    """Opens a page for a user, in a browser profile of its own with these options; without a name it stays at the door."""

    async def __call__(self, name: str = "", path: str = "/", **options: Any) -> Visitor: ...


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Chromium for the block."""
    # No sandbox: it needs rights that a container's root lacks, and nothing but our own pages is opened.
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()
