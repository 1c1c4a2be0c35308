"""An event loop of its own for the app under test: virtual time, no sockets, and the same order each time.

It stands still until it is driven: by `run`, or turn by turn from the loop of the test that asks something of it. Time moves only where
nothing else is left to do and somebody waits, and then at once to the next moment at which something is due.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

from causeway_testing.errors import HarnessError

T = TypeVar("T")

PATIENCE: Final = 10
"""So many turns the test's own loop has before time moves: it may still have something to say."""


class Life:
    """A process of the app, as far as it can be killed.

    Attributes:
        name: for the eyes.
        alive: once it is not, what runs in its context runs no more, without a word to it.
        buried: it is the end of the test, what was left of it may clean up but has no effect.
    """

    __slots__ = ("alive", "buried", "name")

    def __init__(self, name: str) -> None:
        self.name, self.alive, self.buried = name, True, False


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""The process that the running code belongs to; None is everything that the test does not kill."""


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


class _Turn(asyncio.Handle):
    """A callback."""

    __slots__ = ()

    def go(self) -> bool:
        """Run it; False where its process is dead."""
        if (life := self._context.get(LIFE)) is not None and not life.alive:
            return False
        if not self._cancelled:
            self._run()
        return True


class _Alarm(asyncio.TimerHandle):
    """A timer."""

    __slots__ = ()

    def go(self) -> bool:
        """As `_Turn`."""
        if (life := self._context.get(LIFE)) is not None and not life.alive:
            return False
        if not self._cancelled:
            self._run()
        return True


class VirtualLoop(asyncio.AbstractEventLoop):
    """The loop.

    Args:
        gate: asked when nothing else can run.
        failed: told of what nobody else is told of, as `call_exception_handler` has it.

    Attributes:
        sources: what else is due at some time.
        moving: how many ask for time itself to move, so that no turn of the test is waited for.
    """

    def __init__(self, gate: Gate, failed: Callable[[dict[str, Any]], None]) -> None:
        self._gate, self._failed = gate, failed
        self._ready: deque[_Turn | _Alarm] = deque()
        self._dead: list[_Turn | _Alarm] = []
        self._alarms: list[tuple[float, int, _Alarm]] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        self._time = 0.0
        self._host: asyncio.AbstractEventLoop | None = None
        self._turning = self._running = self._closed = False
        self._asked: set[asyncio.Future[Any]] = set()
        self._resting: dict[asyncio.Future[Any], Callable[[], Exception]] = {}
        self._patience = PATIENCE
        self.sources: list[Source] = []
        self.moving = 0

    # --- what asyncio needs of a loop

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._time

    def get_debug(self) -> bool:
        """Never: its checks are of real time."""
        return False

    def is_running(self) -> bool:
        """Whether a callback of it runs right now."""
        return self._running

    def is_closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None, **_newer: object
    ) -> asyncio.Task[Any]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, name=cast("str | None", name), context=context)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Run it in this turn, behind what was said before."""
        turn = _Turn(callback, args, self, context)
        self._ready.append(turn)
        if not self._running and self._host is not None:
            self.wake(self._host)  # the test itself said something that the app waits for
        return turn

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """As `call_soon`: there are no other threads."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it so many virtual seconds later."""
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it at that virtual time."""
        alarm = _Alarm(when, callback, args, self, context)
        heapq.heappush(self._alarms, (when, next(self._numbers), alarm))
        return alarm

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        del handle
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._alarms):
            self._alarms = [each for each in self._alarms if not each[2].cancelled()]
            heapq.heapify(self._alarms)
            self._cancelled = 0

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run it here and now: a plain function that waits for nothing of this loop is one step."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Something failed that nobody waits for."""
        self._failed(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As `call_exception_handler`."""
        self._failed(context)

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: generators end with whoever made them."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own signature
        """There is none."""

    def _no_outside(self, *_: Any, **__: Any) -> NoReturn:
        raise HarnessError(
            "an app under AppTester has no sockets, files or processes to wait for: give its services as fakes (services={Rates: FakeRates()})"
        )

    create_connection = create_server = create_datagram_endpoint = create_unix_connection = create_unix_server = _no_outside
    getaddrinfo = getnameinfo = sock_connect = sock_recv = sock_sendall = sock_accept = _no_outside
    subprocess_exec = subprocess_shell = connect_read_pipe = connect_write_pipe = add_reader = add_writer = _no_outside
    start_tls = sendfile = sock_sendfile = sock_recv_into = add_signal_handler = _no_outside

    # --- who drives it

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

    def wake(self, host: asyncio.AbstractEventLoop) -> None:
        """Take a turn in the test's loop."""
        self._host, self._patience = host, PATIENCE
        if not self._turning:
            self._turning = True
            host.call_soon(self._take_turn)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Drive it until `work` is done."""
        task: asyncio.Task[T] = self.create_task(work)
        outer = events._get_running_loop()  # noqa: SLF001 - what asyncio has for those who write loops
        current = None if outer is None else asyncio.current_task(outer)
        if current is not None:
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
            if current is not None:
                asyncio.tasks._enter_task(outer, current)  # noqa: SLF001 - as above

    def finish(self) -> None:
        """End all tasks, those of dead processes too."""
        self._ready.extend(self._dead)
        for task in asyncio.all_tasks(self):
            task.cancel()
        self._drive(events._get_running_loop(), lambda: True)  # noqa: SLF001 - as above

    def close(self) -> None:
        """It is over."""
        self._closed = True
        self._ready.clear()
        self._alarms.clear()

    def _take_turn(self) -> None:
        """One turn within the test's loop."""
        host, self._turning = self._host, False
        if host is None or self._closed:
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
