"""Counters and gauges of a process, as Prometheus reads them from its internal port."""

from __future__ import annotations

import re
from collections import defaultdict

import aiohttp

_SAMPLE = re.compile(r"^(causeway_[a-z_]+)\{(.*)\} ([-+.eE0-9]+)$")
_LABEL = re.compile(r'([a-z_.]+)="([^"]*)"')


async def scrape(internal_port: int) -> dict[tuple[str, str], float]:
    """Every sample of `causeway_…` by name and the value of its one label ("" without one); 0 for what was never counted."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{internal_port}/metrics") as response:
        text = await response.text()
    found: dict[tuple[str, str], float] = defaultdict(float)
    for line in text.splitlines():
        if (match := _SAMPLE.match(line)) is not None:
            labels = [value for name, value in _LABEL.findall(match[2]) if not name.startswith("otel_")]
            found[match[1], labels[0] if labels else ""] = float(match[3])
    return found
