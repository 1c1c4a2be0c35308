"""What asyncio needs of an event loop, with virtual time and nothing outside: the part of `VirtualLoop` that its tasks see."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, TypeVarTuple, cast

from causeway_testing.errors import HarnessError

if TYPE_CHECKING:
    from asyncio import BaseEventLoop as AnyLoop  # has every method, so that this one need not name those that fail
else:
    from asyncio import AbstractEventLoop as AnyLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
OUTSIDE: Final = [
    "create_connection",
    "create_server",
    "create_datagram_endpoint",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_sendall",
    "sock_accept",
    "sock_sendfile",
    "sendfile",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
    "connect_read_pipe",
    "connect_write_pipe",
    "add_reader",
    "add_writer",
    "add_signal_handler",
]


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


class Turn(asyncio.Handle):
    """A callback."""

    __slots__ = ()
    _context: Context

    def go(self) -> bool:
        """Run it; False where its process is dead."""
        if (life := self._context.get(LIFE)) is not None and not life.alive:
            return False
        if not self._cancelled:
            self._run()
        return True


class Alarm(asyncio.TimerHandle):
    """A timer."""

    __slots__ = ()
    _context: Context

    def go(self) -> bool:
        """As `Turn`."""
        if (life := self._context.get(LIFE)) is not None and not life.alive:
            return False
        if not self._cancelled:
            self._run()
        return True


class QuietLoop(AnyLoop):
    """A loop that others drive.

    Args:
        failed: told of what nobody else is told of, as `call_exception_handler` has it.
    """

    def __init__(self, failed: Callable[[dict[str, Any]], None]) -> None:
        self._failed = failed
        self._ready: deque[Turn | Alarm] = deque()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        self._time = 0.0
        self._running = self._over = False

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
        return self._over

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None, **_newer: object) -> asyncio.Task[Any]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, name=cast("str | None", name), context=context)

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> asyncio.Handle:
        """Run it in this turn, behind what was said before."""
        turn = Turn(callback, args, self, context)
        self._ready.append(turn)
        if not self._running:
            self._told()
        return turn

    def call_soon_threadsafe(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> asyncio.Handle:
        """As `call_soon`: there are no other threads."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it so many virtual seconds later."""
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it at that virtual time."""
        alarm = Alarm(when, callback, args, self, context)
        heapq.heappush(self._alarms, (when, next(self._numbers), alarm))
        return alarm

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        del handle
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._alarms):
            self._alarms = [each for each in self._alarms if not each[2].cancelled()]
            heapq.heapify(self._alarms)
            self._cancelled = 0

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
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

    def _told(self) -> None:
        """The test itself said something that the app may wait for."""


def _no_outside(_self: QuietLoop, *_: Any, **__: Any) -> NoReturn:
    raise HarnessError(
        "an app under AppTester has no sockets, files or processes to wait for: give its services as fakes "
        "(AppTester(app, services={Rates: FakeRates()}))"
    )


for _name in OUTSIDE:
    setattr(QuietLoop, _name, _no_outside)
