"""Work done in order of arrival by a few long-lived tasks: what does not wait needs no task of its own.

make bench: a task for each request was 3 of an RPC's 86 µs in the process that answers. A worker goes on with the next work as soon as
one ends; where one waits, another worker goes on with the others. Each work has a context of its own, as it would in its own task.

What only ever waits for futures needs no task at all (`Workers.start`): it goes on when its future is done.
"""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Final, Protocol

IDLE_MAX: Final = 64


class Cancellable(Protocol):
    """What a waiting work can be ended by."""

    def cancel(self) -> object:
        """End it by a CancelledError where it waits."""


class Work(Protocol):
    """Something to do."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Do it. Raises CancelledError alone, and only where it was not `waits`' reader that cancelled."""

    def waits(self, worker: Cancellable) -> None:
        """It has begun to wait for something; until it ends, cancelling this cancels it and nothing else."""


class Workers:
    """Does what is put, and as much of it at once as waits for something."""

    def __init__(self) -> None:
        self._queue: deque[Work] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: set[_Started] = set()
        self._none_started = asyncio.Event()
        self._none_started.set()
        self._coming = False  # a worker was called that has not looked at the queue yet
        self._stopping = False

    def put(self, work: Work) -> None:
        """Do this soon. How much may wait is the caller's to bound."""
        self._queue.append(work)
        self._call()

    def start(self, work: Work) -> None:
        """Begin this here and now. It must wait for nothing but futures, and no task may be the current one in it."""
        started = _Started(work, self._over)
        self._started.add(started)
        self._none_started.clear()
        started.begin()

    def _over(self, started: _Started) -> None:
        self._started.discard(started)
        if not self._started:
            self._none_started.set()

    async def stop(self, seconds: float) -> int:
        """Do what was put, within this time, and cancel the rest; returns how many were cancelled."""
        self._stopping = True
        for idle in self._idle:
            idle.set_result(None)
        self._idle.clear()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._tasks and (left := end - loop.time()) > 0:  # one that waits calls another
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(max(end, loop.time())):
                await self._none_started.wait()
        late = len(self._tasks) + len(self._queue) + len(self._started)
        self._queue.clear()
        for started in list(self._started):
            started.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._none_started.wait()
        return late

    def _call(self) -> None:
        if self._coming:
            return
        self._coming = True
        if self._idle:
            self._idle.pop().set_result(None)
        else:
            self._tasks.add(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a worker is a task")
        try:
            while True:
                self._coming = False
                while self._queue and not task.cancelling():
                    await self._apart(self._queue.popleft(), task)
                # What cancelled a work at its deadline has cancelled this task: it does nothing more.
                if task.cancelling() or self._stopping or len(self._idle) >= IDLE_MAX:
                    return
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
        finally:
            self._tasks.discard(task)
            self._coming = False
            if self._queue:
                self._call()

    @types.coroutine
    def _apart(self, work: Work, task: asyncio.Task[None]) -> Generator[Any, Any, None]:
        """Run a work step by step in a context of its own; the worker's task is the current one in it."""
        context, doing = contextvars.copy_context(), work.run()
        step: Any = doing.send
        value: Any = None
        waited = False
        while True:
            try:
                awaited = context.run(step, value)
            except StopIteration:
                return
            if not waited:
                waited = True
                work.waits(task)
                if self._queue:
                    self._call()
            try:
                step, value = doing.send, (yield awaited)
            except BaseException as error:  # noqa: BLE001 - a CancelledError, thrown in where the work waits
                step, value = doing.throw, error


class _Started:
    """A work that was started. make bench: waking a worker for each request, and again for its answer, was 8 of an append's 57 µs."""

    __slots__ = ("_awaited", "_cancelled", "_context", "_doing", "_over", "_waited", "_work")

    def __init__(self, work: Work, over: Callable[[_Started], None]) -> None:
        self._work, self._over = work, over
        self._context, self._doing = contextvars.copy_context(), work.run()
        self._awaited: asyncio.Future[Any] | None = None
        self._waited = self._cancelled = False

    def begin(self) -> None:
        """Up to where it first waits, or its end."""
        self._context.run(self._step)

    def cancel(self) -> None:
        """As of a task: what it waits for is cancelled, and with it this."""
        self._cancelled = self._awaited is None or not self._awaited.cancel()

    def _step(self, _done: object = None) -> None:
        self._awaited, cancelled, self._cancelled = None, self._cancelled, False
        try:
            awaited = self._doing.throw(asyncio.CancelledError()) if cancelled else self._doing.send(None)
        except StopIteration:
            self._over(self)
            return
        except BaseException:
            self._over(self)
            raise
        if awaited is None:  # a bare yield, as of sleep(0)
            asyncio.get_running_loop().call_soon(self._step, context=self._context)
            return
        awaited._asyncio_future_blocking = False  # noqa: SLF001 - what a task does, by asyncio's own protocol
        self._awaited = awaited
        awaited.add_done_callback(self._step, context=self._context)
        if not self._waited:
            self._waited = True
            self._work.waits(self)
