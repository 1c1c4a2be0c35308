"""The processes of the app: each may die and is replaced at once. Who asks one that dies is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar

from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_testing.loop import VirtualLoop
from causeway_testing.process import AppProcess
from causeway_testing.steps import ACTIVITY, Steps
from causeway_testing.turns import LIFE, Life

T = TypeVar("T")
Place = tuple[str, int]
"""A method, and how many calls of it a process answers at once."""
DEAD: Final = "the process that was asked is gone, the outcome is unknown"
LATE: Final = "the deadline passed while this was handled, the outcome is unknown"


class NobodyError(CausewayError):
    """100 unavailable: no process of the app is there, nothing was asked."""


class Replica:
    """One process and its life. `starting` is there where it takes the place of a dead one, until it has its services."""

    def __init__(self, life: Life, process: AppProcess) -> None:
        self.life, self.process = life, process
        self.answers: dict[asyncio.Future[Any], None] = {}  # in their order, which a set has not
        self.starting: asyncio.Task[None] | None = None
        self.under_way: dict[str, int] = {}

    def take(self, place: Place) -> None:
        """One more call of a method. Raises CausewayError 111 beyond its limit."""
        name, limit = place
        count = self.under_way.get(name, 0)
        if count >= limit:
            raise overloaded(f"{name} has {limit} requests under way")
        self.under_way[name] = count + 1

    def leave(self, name: str) -> None:
        """It has ended."""
        self.under_way[name] -= 1


class Replicas:
    """All of them.

    Args:
        app: its name.
        make: a new process.
        loop: where they run.
        steps: in which order.
        count: how many live at once.

    Attributes:
        down: none of them is there for now.
    """

    def __init__(self, app: str, make: Callable[[], AppProcess], loop: VirtualLoop, steps: Steps, count: int) -> None:
        self._app, self._make, self._loop, self._steps = app, make, loop, steps
        self._lives: list[Life] = []
        self._left: set[asyncio.Task[Any]] = set()
        """What dead processes left unfinished, kept from the garbage collector: it would have it clean up in the middle of the test."""
        self._living = [self._new() for _ in range(count)]
        self._next = 0
        self.down = False

    def ask(
        self, work: Callable[[AppProcess], Coroutine[Any, Any, T]], activity: str, seconds: float, place: Place | None = None
    ) -> asyncio.Future[T]:
        """Have one of them do this; somebody waits for it.

        Returns:
            A future of the loop that runs now; CausewayError 100 where the process dies before it answers, or `seconds` pass.

        Raises:
            NobodyError: none is there.
            CausewayError: 111, it answers as many of the method at once as it may.
        """
        if self.down:
            raise NobodyError(ErrorName.UNAVAILABLE, "unavailable: nobody answers this right now, try again")
        replica = self._pick()
        if place is not None:
            replica.take(place)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = self._begun(replica, work, activity, answer)
        if place is not None:
            task.add_done_callback(lambda _task: replica.leave(place[0]))
        timer = self._loop.call_later(seconds, task.cancel)
        task.add_done_callback(lambda _task: timer.cancel())
        self._loop.awaited(answer, task.cancel)
        return answer

    def run(self, work: Callable[[AppProcess], Coroutine[Any, Any, T]], activity: str) -> asyncio.Future[T]:
        """Have one of them do this; nobody waits for it, and no time moves for it alone."""
        answer: asyncio.Future[T] = self._loop.create_future()
        _ = self._begun(self._pick(), work, activity, answer)
        return answer

    async def start(self) -> None:
        """Make the services of all, and set the timers of what recurs."""
        for replica in self._living:
            await replica.process.start()
        if self._living[0].process.recurs:
            await self._living[0].process.recur()

    async def stop(self) -> None:
        """Close the services of those that live. What dead ones left may clean up from here on, without effect."""
        for replica in self._living:
            await replica.process.stop()
        for life in self._lives:
            life.alive = life.buried = True

    def kill(self, life: Life) -> None:
        """This process dies: what it did has no end, whoever waits for it is told so, and another one begins."""
        index = next(index for index, each in enumerate(self._living) if each.life is life)
        replica, another = self._living[index], self._new()
        self._living[index] = another
        context = Context()
        context.run(LIFE.set, another.life)
        another.starting = self._loop.create_task(another.process.start(), context=context)
        life.alive = False
        self._left |= asyncio.all_tasks(self._loop)
        for answer in list(replica.answers):
            if not answer.done():
                answer.set_exception(unavailable(DEAD))
        replica.answers.clear()

    def _begun(
        self, replica: Replica, work: Callable[[AppProcess], Coroutine[Any, Any, T]], activity: str, answer: asyncio.Future[T]
    ) -> asyncio.Task[T]:
        context = copy_context()
        context.run(LIFE.set, replica.life)
        if self._steps.chance is not None:
            context.run(ACTIVITY.set, activity)
        task = self._loop.create_task(self._work(replica, work), context=context)
        task.add_done_callback(_Asked(answer, replica).done)
        replica.answers[answer] = None
        return task

    @staticmethod
    def _work(replica: Replica, work: Callable[[AppProcess], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
        if replica.starting is None or replica.starting.done():
            return work(replica.process)
        return _once_started(replica.starting, work, replica.process)

    def _pick(self) -> Replica:
        if len(self._living) == 1:
            return self._living[0]
        chance, count = self._steps.chance, len(self._living)
        self._next = chance.random.randrange(count) if chance and not chance.calm else (self._next + 1) % count
        return self._living[self._next]

    def _new(self) -> Replica:
        life = Life(f"{self._app} {len(self._lives) + 1}")
        self._lives.append(life)
        return Replica(life, self._make())


async def _once_started(
    starting: asyncio.Task[None], work: Callable[[AppProcess], Coroutine[Any, Any, T]], process: AppProcess
) -> T:
    await asyncio.shield(starting)
    return await work(process)


class _Asked:
    """One question to a process, until it has ended."""

    __slots__ = ("_answer", "_replica")

    def __init__(self, answer: asyncio.Future[Any], replica: Replica) -> None:
        self._answer, self._replica = answer, replica

    def done(self, task: asyncio.Task[Any]) -> None:
        """The process has an end for it."""
        self._replica.answers.pop(self._answer, None)
        error: BaseException | None = unavailable(LATE) if task.cancelled() else task.exception()
        if self._answer.done():
            return
        if error is None:
            self._answer.set_result(task.result())
        else:
            self._answer.set_exception(error)
