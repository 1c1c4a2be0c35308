"""An event loop of its own for the app under test: virtual time, no sockets, and the same order each time.

It stands still until it is driven: by `run`, or turn by turn from the loop of the test that asks something of it. Time moves only where
nothing else is left to do and somebody waits, and then at once to the next moment at which something is due.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar

from causeway_testing.errors import HarnessError
from causeway_testing.turns import Alarm, QuietLoop, Turn

T = TypeVar("T")

PATIENCE: Final = 10
"""So many turns the test's own loop has before time moves: it may still have something to say."""


class Source(Protocol):
    """Something else than a timer that is due at some time."""

    def next_at(self) -> float | None:
        """When, in the loop's seconds; None for never. Cheap: asked before each move of time."""
        ...

    def fire(self) -> None:
        """It is due."""
        ...


class Gate(Protocol):
    """Where steps wait to be let through, one at a time, once nothing else can run."""

    def release(self) -> bool:
        """Let one through; False where none waits."""
        ...


class VirtualLoop(QuietLoop):
    """The loop.

    Args:
        gate: asked when nothing else can run.
        failed: told of what nobody else is told of, as `call_exception_handler` has it.

    Attributes:
        sources: what else is due at some time.
        moving: how many ask for time itself to move, so that no turn of the test is waited for.
    """

    def __init__(self, gate: Gate, failed: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(failed)
        self._gate = gate
        self._dead: list[Turn | Alarm] = []
        self._host: asyncio.AbstractEventLoop | None = None
        self._turning = False
        self._asked: set[asyncio.Future[Any]] = set()
        self._resting: dict[asyncio.Future[Any], Callable[[], Exception]] = {}
        self._patience = PATIENCE
        self._spawned: set[asyncio.Task[None]] = set()
        self.sources: list[Source] = []
        self.moving = 0

    def ask(self, work: Coroutine[Any, Any, T], *, context: Context | None = None) -> asyncio.Future[T]:
        """Have `work` done here; its end comes to the loop that runs now, this one or the test's."""
        caller = asyncio.get_running_loop()
        answer: asyncio.Future[T] = caller.create_future()
        task = self.create_task(work, context=context)
        self.awaited(answer, task.cancel)

        def done(_task: asyncio.Task[T]) -> None:
            if answer.done():
                if not task.cancelled():
                    task.exception()
            elif task.cancelled():
                answer.cancel()
            elif (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        task.add_done_callback(done)
        return answer

    def awaited(self, answer: asyncio.Future[Any], cancel: Callable[[], object]) -> None:
        """Somebody waits for `answer`, so that time may move; `cancel` is called where they give up."""

        def ended(_answer: asyncio.Future[Any]) -> None:
            self._asked.discard(answer)
            if answer.cancelled():
                cancel()

        self._asked.add(answer)
        answer.add_done_callback(ended)
        host = answer.get_loop()
        if host is not self:
            self.wake(host)

    def until_rest(self, why: Callable[[], Exception]) -> asyncio.Future[Any]:
        """A future for who waits without time moving for it: once nothing is left to do it fails, as `why` says."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._resting[answer] = why
        answer.add_done_callback(lambda _answer: self._resting.pop(answer, None))
        if answer.get_loop() is not self:
            self.wake(answer.get_loop())
        return answer

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that nobody waits for, of no process."""
        task = self.create_task(work, context=Context())
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def wake(self, host: asyncio.AbstractEventLoop) -> None:
        """Take a turn in the test's loop, unless that one is over."""
        if host.is_closed():
            self._host = None
            return
        self._host, self._patience = host, PATIENCE
        if not self._turning:
            self._turning = True
            host.call_soon(self._take_turn)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Drive it until `work` is done."""
        task: asyncio.Task[T] = self.create_task(work)
        outer = events._get_running_loop()  # noqa: SLF001 - what asyncio has for those who write loops
        current = None if outer is None else asyncio.current_task(outer)
        if outer is not None and current is not None:
            asyncio.tasks._leave_task(outer, current)  # noqa: SLF001 - as above
        try:
            while True:
                self._drive(outer, lambda: not task.done())
                if task.done():
                    return task.result()
                if not (self._progress() or self._jump()):
                    task.cancel()
                    self._drive(outer, lambda: True)
                    raise HarnessError("the app is at rest, nothing is due, and something still waits: it would wait for ever")
        finally:
            if outer is not None and current is not None:
                asyncio.tasks._enter_task(outer, current)  # noqa: SLF001 - as above

    def finish(self) -> None:
        """End all tasks, those of dead processes too."""
        self._ready.extend(self._dead)
        for task in asyncio.all_tasks(self):
            task.cancel()
        self._drive(events._get_running_loop(), lambda: True)  # noqa: SLF001 - as above

    def close(self) -> None:
        """It is over."""
        self._over = True
        self._ready.clear()
        self._alarms.clear()

    def _told(self) -> None:
        if self._host is not None:
            self.wake(self._host)

    def _take_turn(self) -> None:
        """One turn within the test's loop."""
        host, self._turning = self._host, False
        if host is None or self._over:
            return
        self._drive(host, lambda: True)
        if not (self._asked or self._resting):
            return
        if self._patience and not self.moving:
            left = self._patience - 1
            self.wake(host)
            self._patience = left
        elif self._progress():
            self.wake(host)

    def _progress(self) -> bool:
        """Nothing is left to do at this time: move it for those who ask, else tell those who wait that nothing comes."""
        if self._asked and self._jump():
            return True
        for answer, why in list(self._resting.items()):
            if not answer.done():
                answer.set_exception(why())
        return bool(self._resting)

    def _drive(self, outer: asyncio.AbstractEventLoop | None, wanted: Callable[[], bool]) -> None:
        ready = self._ready
        if self._running:
            raise HarnessError("AppTester cannot be driven from within the app")
        self._running = True
        events._set_running_loop(self)  # noqa: SLF001 - as above
        try:
            while wanted():
                if ready:
                    turn = ready.popleft()
                    if not turn.go():
                        self._dead.append(turn)
                elif not (self._due() or self._gate.release()):
                    return
        finally:
            self._running = False
            events._set_running_loop(outer)  # noqa: SLF001 - as above

    def _due(self) -> bool:
        """Whether some timer's time has come."""
        found = False
        while self._alarms and self._alarms[0][0] <= self._time:
            self._ready.append(heapq.heappop(self._alarms)[2])
            found = True
        return found

    def _jump(self) -> bool:
        """Move time to the next moment at which something is due; False where nothing is."""
        while self._alarms and self._alarms[0][2].cancelled():
            heapq.heappop(self._alarms)
            self._cancelled -= 1
        at = self._alarms[0][0] if self._alarms else None
        first: Source | None = None
        for source in self.sources:
            due = source.next_at()
            if due is not None and (at is None or due <= at):
                at, first = due, source
        if at is None:
            return False
        self._time = max(self._time, at)
        if first is not None:
            first.fire()
        return True
