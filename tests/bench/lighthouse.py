"""What Lighthouse says of the built page, on its own idea of a phone: performance and accessibility, served by a real `causeway dev`.

Lighthouse is an npm package with a lock file of its own (`page/`), installed by this figure alone; the browser is Debian's Chromium.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from bench.plan import Plan
from bench.processes import CORES
from bench.table import Goal, Pair, Row
from support.node import NODE, install
from support.stack import Stack, running_stack

PACKAGE: Final = Path(__file__).parent / "page"
PARTS: Final = (
    ("first paint", "first-contentful-paint", 0, " ms"),
    ("largest paint", "largest-contentful-paint", 0, " ms"),
    ("speed index", "speed-index", 0, " ms"),
    ("blocked", "total-blocking-time", 0, " ms"),
    ("layout shift", "cumulative-layout-shift", 3, ""),
)
RUNS_MAX: Final = 3
LOTS: Final = 8
PAGES: Final = (
    ("the first page", "/", ""),
    ("the room", "/chat/lobby", "ann"),
    ("the auctions", "/lots", "ann"),
    ("a lot", "/lots/{lot}", "ann"),
)
"""What is looked at: its name, its path, and who is signed in there."""
BIDS: Final = 40
CATEGORIES: Final = ("performance", "accessibility")
GOAL: Final = Goal(95, absolute=True, least=True)
SECONDS: Final = 180
TRIES: Final = 3


class LighthouseError(Exception):
    """It could not look at the page; its own words."""


async def figures(plan: Plan) -> list[Row]:
    """A row for each page and category; none where there is no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        plan.say("no Chromium here, so Lighthouse looks at nothing")
        return []
    install(PACKAGE)
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)  # a page and its server beside each other, as in a working copy
    try:
        async with running_stack(plan.directory / "lighthouse") as stack:
            lot = await _offer(stack)
            found: dict[str, list[Any]] = {name: [] for name, _, _ in PAGES}
            for run in range(min(plan.count, RUNS_MAX)):
                for name, path, user in PAGES:
                    plan.say(f"Lighthouse looks at {name}: run {run + 1}")
                    found[name].append(
                        await asyncio.to_thread(_look, chromium, f"http://127.0.0.1:{stack.port}{path.format(lot=lot)}", user)
                    )
    finally:
        os.sched_setaffinity(0, mine)
    return [_row(name, category, found[name]) for name, _, _ in PAGES for category in CATEGORIES]


async def _offer(stack: Stack) -> str:
    """Something to look at; the id of a lot that was bid on."""
    client, bidder = stack.client("sam"), stack.client("bob")
    for each in (client, bidder):
        await each.connect()
        await each.ready(10)
    lot_id = ""
    for number in range(LOTS):
        lot = {"title": f"A chair, {1900 + number}", "currency": "EUR", "start_price": 1000, "increment": 50, "closes_in": 3600}
        lot_id = str((await client.rpc("auctions.create_lot", lot)).data["lot_id"])
    for number in range(BIDS):
        await bidder.rpc("auctions.bid", {"lot_id": lot_id, "amount": 1000 + 50 * number})
    for each in (client, bidder):
        await each.disconnect()
    return lot_id


def _look(chromium: str, url: str, user: str) -> Any:
    """What it found. It fails to record a page now and then (NO_NAVSTART on a busy machine), and says itself to try again."""
    command = [str(NODE), "run.mjs", chromium, url, user]
    said = ""
    for _ in range(TRIES):
        done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        said = done.stderr
    raise LighthouseError(said)


def _row(name: str, category: str, found: list[Any]) -> Row:
    timings = [each["timings"] for each in found]
    said = ", ".join(
        f"{title} {sorted(each[timing] for each in timings)[len(timings) // 2]:.{digits}f}{unit}"
        for title, timing, digits, unit in PARTS
    )
    faults = sorted({fault for each in found for fault in each["faults"]})
    notes = {
        "performance": f"Lighthouse {found[0]['version']}'s phone (slow 4G, processor slowed down four times): {said}",
        "accessibility": f"faults: {', '.join(faults) or 'none'}",
    }
    pairs = [Pair(None, each[category]) for each in found]
    return Row(f"Lighthouse, {name}: {category}", "", pairs, GOAL, notes[category])
