"""Takes the README's pictures of a stack of its own, in docs/pictures: the first screen, and the failure playground after four kills."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page, ViewportSize, async_playwright, expect

CAUSEWAY: Final = Path(sys.executable).with_name("causeway")
PICTURES: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WINDOW: Final[ViewportSize] = {"width": 1280, "height": 860}
START_SECONDS: Final = 120.0
LIFE_MS: Final = 120_000
BACK_MS: Final = 60_000
KILLS: Final = ("Kill gateway", "Kill storage", "Kill logic", "Kill NATS")
BETWEEN_MS: Final = 1200
"""The numbers flow for so long between two kills, and behind the last one, so that the picture shows both."""


@asynccontextmanager
async def running_stack(folder: Path) -> AsyncIterator[str]:
    """`causeway dev` with its crowd on a free port; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(CAUSEWAY), "dev", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220, S603 - our own command, started at once
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (process.poll() is None and is_ready(folder)):
                if process.poll() is not None:
                    sys.exit((folder / "log").read_text(errors="replace"))
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait)


def is_ready(folder: Path) -> bool:
    """Whether `stack.json` says so."""
    try:
        state: Any = json.loads((folder / "stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(state["ready"])


async def first_screen(page: Page) -> None:
    """The door, once the crowd bids and talks."""
    await page.goto("/")
    lots, lines = (page.get_by_role("list", name=name) for name in ("On offer right now", "Being said right now"))
    await expect(lots.get_by_text("leads")).to_have_count(4, timeout=LIFE_MS)
    await expect(lines.get_by_role("listitem")).to_have_count(5, timeout=LIFE_MS)
    await page.screenshot(path=PICTURES / "first-screen.png", animations="disabled")


async def playground(page: Page) -> None:
    """The failure playground, after everything that can be killed in it was killed."""
    await page.get_by_role("textbox", name="Your name", exact=True).fill("Ann")
    await page.get_by_role("button", name="Enter", exact=True).click()
    await page.get_by_role("button", name="Failure playground", exact=True).click()
    await page.wait_for_timeout(2 * BETWEEN_MS)
    happened = page.get_by_role("list", name="What happened").get_by_role("listitem")
    for number, button in enumerate(KILLS, 1):
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(happened).to_have_count(number)
        await expect(happened.first).to_have_text(re.compile(r"\.$"), timeout=BACK_MS)  # an open end is "…"
        await page.wait_for_timeout(BETWEEN_MS)
    await page.mouse.move(1, 1)
    await page.screenshot(path=PICTURES / "playground.png", animations="disabled")


async def main() -> None:
    """Both pictures."""
    chromium = shutil.which("chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with running_stack(Path(folder)) as url, async_playwright() as playwright:
            # No sandbox: it needs rights that a container's root lacks, and nothing but our own page is opened.
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = await (await browser.new_context(base_url=url, viewport=WINDOW)).new_page()
            await first_screen(page)
            await playground(page)
            await browser.close()
    for path in sorted(PICTURES.glob("*.png")):
        sys.stdout.write(f"{path.relative_to(PICTURES.parents[1])}: {path.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    asyncio.run(main())
