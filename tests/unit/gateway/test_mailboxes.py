"""Lines on their way to one asker: bounded, what is left out counted, an end that is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from causeway_gateway.handlers.api import streaming
from causeway_gateway.handlers.api.streaming import ROOM, WAITING_MAX, WAITING_MAX_BYTES, Mailbox, Mailboxes


async def read(lines: AsyncIterator[bytes]) -> Any:
    return json.loads(await anext(lines))


async def test_lines_come_in_order_and_then_the_end() -> None:
    mailbox = Mailbox()
    mailbox.put({"n": 1})
    mailbox.put({"n": 2})
    mailbox.end("enough")

    assert [json.loads(line) async for line in mailbox.lines()] == [{"n": 1}, {"n": 2}, {"type": "end", "reason": "enough"}]


async def test_a_slow_reader_misses_the_oldest_lines_and_is_told_how_many() -> None:
    mailbox = Mailbox()
    for number in range(WAITING_MAX + 5):
        mailbox.put({"n": number})
    lines = mailbox.lines()

    assert await read(lines) == {"type": "skipped", "count": 5}
    assert await read(lines) == {"n": 5}


async def test_few_large_lines_are_as_bounded_as_many_small_ones() -> None:
    mailbox, large = Mailbox(), "x" * (WAITING_MAX_BYTES // 2)
    for _ in range(5):
        mailbox.put(large)
    lines = mailbox.lines()

    assert await read(lines) == {"type": "skipped", "count": 4}
    assert await read(lines) == large


async def test_a_reader_without_news_hears_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "ALIVE_SECONDS", 0.01)

    assert await read(Mailbox().lines()) == {"type": "alive"}


async def test_whoever_can_wait_waits_for_room_and_nothing_is_left_out() -> None:
    mailbox = Mailbox()

    async def write() -> None:
        for number in range(3 * ROOM):
            await mailbox.room()
            mailbox.put(number)
        mailbox.end("done")

    writing = asyncio.create_task(write())
    found = [json.loads(line) async for line in mailbox.lines()]
    await writing

    assert found[:-1] == list(range(3 * ROOM))


async def test_all_mailboxes_end_together_but_for_those_that_are_closed() -> None:
    boxes = Mailboxes()
    open_, closed = boxes.open(), boxes.open()
    boxes.close(closed)
    await boxes.end()
    closed.put(1)

    assert (await read(open_.lines()))["type"] == "end"
    assert await read(closed.lines()) == 1
