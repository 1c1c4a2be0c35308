"""What happens to a slow reader is its namespace's choice, over the real stack: conflated or dropped, it is not closed and goes on in order."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import pytest

from support.metrics import scrape
from support.raw import Target, Wire, client
from support.stack import running_stack

COUNT = 160  # of 60 KB: the kernels' buffers on both sides hold some megabytes
CONFIG = "".join(
    f"""
[[channel.namespaces]]
name = "{choice}"
slow_reader = "{choice}"
allow_subscribe_for_client = true
"""
    for choice in ("conflate", "drop")
)


async def numbers_until(wire: Wire, last: int) -> list[int]:
    """The numbers of the publications that come, up to this one or a later one."""
    found: list[int] = []
    while not found or found[-1] < last:
        got = await wire.frame()
        assert got is not None
        assert got[0] == 1, f"closed: {got}"
        for line in got[1].split(b"\n"):
            message = json.loads(line)
            if "push" in message:
                found.append(message["push"]["pub"]["data"]["n"])
    return found


async def go_on(target: Target, channel: str) -> None:
    """Publish and publish."""
    for number in itertools.count(COUNT):
        await target.publish(channel, {"n": number}, times=1)


@pytest.mark.stack
@pytest.mark.timeout(90)
async def test_a_slow_reader_misses_some_or_gets_the_newest_as_its_namespace_says(tmp_path: Path) -> None:
    async with running_stack(tmp_path, config=CONFIG) as stack:
        target = Target(stack.port, stack.credentials["token_hmac_secret_key"], stack.credentials["api_key"])
        entry = next(each for each in stack.state()["processes"] if each["service"] == "gateway")
        for choice, reason in (("conflate", "conflated"), ("drop", "dropped")):
            channel = f"{choice}:a"
            async with client(target, "slow", receive_buffer=4096) as wire:
                await wire.say({"id": 2, "subscribe": {"channel": channel}})
                await wire.replies()
                wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
                for number in range(COUNT):
                    await target.publish(channel, {"n": number, "much": "x" * 60_000}, times=1)
                skipped = (await scrape(entry["internal_port"]))["causeway_gateway_publications_skipped_total", reason]
                assert skipped > 0
                wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
                if choice == "conflate":
                    found = await numbers_until(wire, COUNT - 1)
                else:
                    publishing = asyncio.create_task(go_on(target, channel))  # until it has caught up
                    found = await numbers_until(wire, COUNT)
                    publishing.cancel()

            assert found == sorted(set(found)), "in order, none twice"
            assert len(found) < COUNT
