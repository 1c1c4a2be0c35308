"""The processes of the app: each has its dispatcher, each may die and is replaced at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from causeway_common.contracts.errors import unavailable
from causeway_logic.domain.signatures import Signature
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.running import Runner
from causeway_testing.loop import VirtualLoop
from causeway_testing.steps import ACTIVITY, Steps
from causeway_testing.turns import LIFE, Life

T = TypeVar("T")
DEAD = "the process that was asked is gone, the outcome is unknown"
LATE = "the deadline passed while this was handled, the outcome is unknown"


class InlineRunner(Runner):
    """Runs plain functions where they are called: a thread would make no two runs alike."""

    async def _called(self, signature: Signature, *positional: Any, **named: Any) -> Any:
        if signature.asynchronous:
            return await signature.function(*positional, **named)
        return signature.function(*positional, **named)


class Replica:
    """One process of the app. `starting` makes its services."""

    def __init__(self, life: Life, dispatcher: Dispatcher) -> None:
        self.life, self.dispatcher = life, dispatcher
        self.answers: set[asyncio.Future[Any]] = set()
        self.starting: asyncio.Task[None] | None = None


class Replicas:
    """All of them.

    Args:
        app: its name.
        make: a dispatcher of a new process.
        loop: where they run.
        steps: in which order.
        count: how many live at once.
    """

    def __init__(self, app: str, make: Callable[[], Dispatcher], loop: VirtualLoop, steps: Steps, count: int) -> None:
        self._app, self._make, self._loop, self._steps = app, make, loop, steps
        self._lives: list[Life] = []
        self._left: set[asyncio.Task[Any]] = set()
        """What dead processes left unfinished, kept from the garbage collector: it would have it clean up in the middle of the test."""
        self._living = [self._new() for _ in range(count)]
        self._next = 0

    def ask(self, work: Callable[[Dispatcher], Coroutine[Any, Any, T]], activity: str, seconds: float) -> asyncio.Future[T]:
        """Have one of them do this.

        Returns:
            A future of the loop that runs now; CausewayError 100 where the process dies before it answers, or `seconds` pass.
        """
        replica = self._pick()
        context = copy_context()
        context.run(LIFE.set, replica.life)
        if self._steps.chance is not None:
            context.run(ACTIVITY.set, activity)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = self._loop.create_task(self._work(replica, work), context=context)
        asked = _Asked(answer, task, replica, self._loop.call_later(seconds, task.cancel))
        task.add_done_callback(asked.done)
        replica.answers.add(answer)
        self._loop.awaited(answer, task.cancel)
        return answer

    async def start(self) -> None:
        """Make the services of all."""
        for replica in self._living:
            await replica.dispatcher.start()

    async def stop(self) -> None:
        """Close the services of those that live. What dead ones left may clean up from here on, without effect."""
        for replica in self._living:
            await replica.dispatcher.stop()
        for life in self._lives:
            life.alive = life.buried = True

    def kill(self, life: Life) -> None:
        """This process dies: what it did has no end, whoever waits for it is told so, and another one begins."""
        index = next(index for index, each in enumerate(self._living) if each.life is life)
        replica, another = self._living[index], self._new()
        self._living[index] = another
        context = Context()
        context.run(LIFE.set, another.life)
        another.starting = self._loop.create_task(another.dispatcher.start(), context=context)
        life.alive = False
        self._left |= asyncio.all_tasks(self._loop)
        for answer in replica.answers:
            if not answer.done():
                answer.set_exception(unavailable(DEAD))
        replica.answers.clear()

    @staticmethod
    def _work(replica: Replica, work: Callable[[Dispatcher], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
        if replica.starting is None or replica.starting.done():
            return work(replica.dispatcher)
        return _once_started(replica.starting, work, replica.dispatcher)

    def _pick(self) -> Replica:
        if len(self._living) == 1:
            return self._living[0]
        chance = self._steps.chance
        self._next = (
            chance.random.randrange(len(self._living)) if chance and not chance.calm else (self._next + 1) % len(self._living)
        )
        return self._living[self._next]

    def _new(self) -> Replica:
        life = Life(f"{self._app} {len(self._lives) + 1}")
        self._lives.append(life)
        return Replica(life, self._make())


async def _once_started(
    starting: asyncio.Task[None], work: Callable[[Dispatcher], Coroutine[Any, Any, T]], dispatcher: Dispatcher
) -> T:
    await asyncio.shield(starting)
    return await work(dispatcher)


class _Asked:
    """One question to a process, until it has ended."""

    __slots__ = ("_answer", "_replica", "_task", "_timer")

    def __init__(self, answer: asyncio.Future[Any], task: asyncio.Task[Any], replica: Replica, timer: asyncio.TimerHandle) -> None:
        self._answer, self._task, self._replica, self._timer = answer, task, replica, timer

    def done(self, task: asyncio.Task[Any]) -> None:
        """The process has an end for it."""
        self._timer.cancel()
        self._replica.answers.discard(self._answer)
        error: BaseException | None = unavailable(LATE) if task.cancelled() else task.exception()
        if self._answer.done():
            return
        if error is None:
            self._answer.set_result(task.result())
        else:
            self._answer.set_exception(error)
