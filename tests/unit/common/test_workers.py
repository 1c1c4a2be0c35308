"""Workers: everything is done once, what waits holds nobody up, and each work has its own context and cancellation. And deadlines."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.bus.late import TURN_SECONDS, Deadlines
from causeway_common.bus.workers import IDLE_MAX, Workers
from support.waiting import until

variable = contextvars.ContextVar("variable", default="unset")


class Job:
    def __init__(self, doing: Callable[[], Awaitable[None]]) -> None:
        self._doing = doing
        self.worker: asyncio.Task[None] | None = None
        self.cancelled = False

    async def run(self) -> None:
        try:
            await self._doing()
        except asyncio.CancelledError:
            if self.worker is None:
                raise
            self.cancelled = True

    def waits(self, worker: asyncio.Task[None]) -> None:
        self.worker = worker


async def nothing() -> None:
    """Does not wait."""


async def test_what_does_not_wait_is_done_by_one_worker_in_order() -> None:
    workers, done, tasks = Workers(), list[int](), set[object]()

    def work(number: int) -> Job:
        async def run() -> None:
            done.append(number)
            tasks.add(asyncio.current_task())

        return Job(run)

    for number in range(100):
        workers.put(work(number))
    await until(lambda: len(done) == 100)
    workers.put(work(100))
    await until(lambda: len(done) == 101)

    assert done == list(range(101))
    assert len(tasks) == 1
    assert await workers.stop(1) == 0


async def test_what_waits_holds_nobody_up() -> None:
    workers, gate, done = Workers(), asyncio.Event(), list[str]()

    async def waits() -> None:
        await gate.wait()
        done.append("waited")

    async def quick() -> None:
        done.append("quick")

    for _ in range(3):
        workers.put(Job(waits))
    workers.put(Job(quick))
    await until(lambda: done == ["quick"])
    gate.set()
    await until(lambda: len(done) == 4)
    assert await workers.stop(1) == 0


@given(st.lists(st.integers(0, 3), max_size=40))
async def test_everything_is_done_once_however_often_it_waits(waits: list[int]) -> None:
    workers, done = Workers(), list[int]()

    def work(number: int, times: int) -> Job:
        async def run() -> None:
            for _ in range(times):
                await asyncio.sleep(0)
            done.append(number)

        return Job(run)

    for number, times in enumerate(waits):
        workers.put(work(number, times))
    assert await workers.stop(5) == 0

    assert sorted(done) == list(range(len(waits)))


async def test_no_context_leaks_from_one_work_to_the_next() -> None:
    workers, seen = Workers(), list[str]()

    async def sets() -> None:
        seen.append(variable.get())
        variable.set("mine")
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def reads() -> None:
        seen.append(variable.get())

    for work in (sets, reads):
        workers.put(Job(work))
    await until(lambda: len(seen) == 3)
    workers.put(Job(reads))
    await until(lambda: len(seen) == 4)

    assert sorted(seen) == ["mine", "unset", "unset", "unset"]


async def test_a_work_can_use_timeouts_and_task_groups_of_its_own() -> None:
    workers, seen = Workers(), list[str]()

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(nothing())
        seen.append("done")

    for _ in range(2):
        workers.put(Job(work))
    await until(lambda: len(seen) == 2)


async def test_cancelling_a_work_ends_it_alone() -> None:
    workers, forever, done = Workers(), Job(asyncio.Event().wait), list[bool]()  # type: ignore[arg-type]
    workers.put(forever)
    await until(lambda: forever.worker is not None)
    assert forever.worker is not None
    forever.worker.cancel()
    await until(lambda: forever.cancelled)

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(True)

    for _ in range(3):
        workers.put(Job(work))
    await until(lambda: len(done) == 3)


async def test_a_work_that_cancels_its_own_task_does_not_take_the_next_one_along() -> None:
    workers, done = Workers(), list[bool]()

    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(True)

    workers.put(Job(cancels))
    workers.put(Job(work))
    await until(lambda: done == [True])


async def test_stopping_finishes_what_was_put_and_cancels_what_takes_too_long() -> None:
    workers, begun, ended = Workers(), asyncio.Event(), list[str]()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def quick() -> None:
        ended.append("done")

    workers.put(Job(forever))
    workers.put(Job(quick))
    assert await workers.stop(0.05) == 1

    assert begun.is_set()
    assert sorted(ended) == ["cancelled", "done"]


async def test_idle_workers_are_bounded() -> None:
    workers, gate = Workers(), asyncio.Event()
    for _ in range(3 * IDLE_MAX):
        workers.put(Job(gate.wait))  # type: ignore[arg-type]
    await until(lambda: len(workers._tasks) == 3 * IDLE_MAX)
    gate.set()
    await until(lambda: len(workers._tasks) == IDLE_MAX)
    assert await workers.stop(1) == 0
    assert workers._tasks == set()


class Thing:
    def __init__(self, seconds: float) -> None:
        self.at = asyncio.get_running_loop().time() + seconds
        self.late = 0

    def expire(self) -> None:
        self.late += 1


async def test_what_is_late_is_told_once_and_what_was_taken_never() -> None:
    deadlines: Deadlines[str, Thing] = Deadlines()
    soon, taken, later = Thing(TURN_SECONDS / 2), Thing(TURN_SECONDS / 2), Thing(3600)
    for key, thing in (("soon", soon), ("taken", taken), ("later", later)):
        deadlines.hold(key, thing)
    assert deadlines.take("taken") is taken
    assert deadlines.take("taken") is None
    assert soon.late == 0
    await until(lambda: soon.late > 0)
    again = Thing(0)
    deadlines.hold("again", again)
    await until(lambda: again.late > 0)

    assert [thing.late for thing in (soon, taken, later, again)] == [1, 0, 0, 1]
    assert deadlines.take_all() == [later]
    assert len(deadlines) == 0
