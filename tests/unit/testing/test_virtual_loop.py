"""The loop on which an app under test runs: asyncio's own words hold on it, time is virtual, and there is nothing outside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from causeway_testing import HarnessError
from causeway_testing.loop import VirtualLoop


class NoSteps:
    def release(self) -> bool:
        return False


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def loop(told: list[dict[str, Any]]) -> VirtualLoop:
    return VirtualLoop(NoSteps(), told.append)


def test_asyncios_own_words_hold_in_virtual_time(loop: VirtualLoop) -> None:
    async def work() -> tuple[float, Any, int]:
        async with asyncio.timeout(5):
            await asyncio.sleep(2)
        async with asyncio.TaskGroup() as group:
            slept, threaded = group.create_task(asyncio.sleep(1, "x")), group.create_task(asyncio.to_thread(lambda: 7))
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.Lock():
            await queue.put(1)
        await queue.get()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(3600), 3)
        return loop.time(), slept.result(), threaded.result()

    began = time.monotonic()
    assert loop.run(work()) == (6.0, "x", 7)
    assert loop.run(asyncio.sleep(86_400)) is None
    assert loop.time() == 86_406
    assert time.monotonic() - began < 20


async def test_it_is_driven_from_another_loop_and_from_within_its_tasks(loop: VirtualLoop) -> None:
    here = asyncio.current_task()
    asked = await asyncio.gather(loop.ask(asyncio.sleep(1, "a")), loop.ask(asyncio.sleep(2, "b")))

    assert list(asked) == ["a", "b"]
    assert loop.run(asyncio.sleep(1, "c")) == "c"
    assert asyncio.current_task() is here
    assert asyncio.get_running_loop() is not loop
    assert loop.time() == 3


async def test_what_the_test_says_meanwhile_comes_before_time(loop: VirtualLoop) -> None:
    """A handler that waits for the test's own event is not cut off by a deadline that is virtual."""
    event = asyncio.Event()

    async def work() -> float:
        async with asyncio.timeout(4):
            await event.wait()
        return loop.time()

    waiting = loop.ask(work())
    await asyncio.sleep(0)
    event.set()

    assert await waiting == 0


async def test_giving_up_cancels_what_was_asked(loop: VirtualLoop) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await loop.ask(work())
    loop.finish()

    assert ended == ["cancelled"]


def test_what_nobody_hears_of_is_told(loop: VirtualLoop, told: list[dict[str, Any]]) -> None:
    async def work() -> None:
        loop.call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    loop.run(work())
    assert isinstance(told[0]["exception"], ZeroDivisionError)


def test_cancelled_timers_do_not_pile_up(loop: VirtualLoop) -> None:
    async def work() -> None:
        for _ in range(10_000):
            asyncio.get_running_loop().call_later(3600, print).cancel()

    loop.run(work())
    assert len(loop._alarms) < 200
    assert loop.time() == 0


def test_there_are_no_sockets_and_it_says_what_to_do(loop: VirtualLoop) -> None:
    with pytest.raises(HarnessError, match="services"):
        loop.run(asyncio.open_connection("127.0.0.1", 1))
