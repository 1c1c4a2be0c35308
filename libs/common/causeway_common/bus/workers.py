"""Work done in order of arrival by a few long-lived tasks: what does not wait needs no task of its own.

make bench: a task for each request was 3 of an RPC's 86 µs in the process that answers. A worker goes on with the next work as soon as
one ends; where one waits, another worker goes on with the others. Each work has a context of its own, as it would in its own task.
"""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections import deque
from collections.abc import Coroutine, Generator
from typing import Any, Final, Protocol

IDLE_MAX: Final = 64


class Work(Protocol):
    """Something to do."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Do it. Raises CancelledError alone, and only where it was not `waits`' reader that cancelled."""

    def waits(self, worker: asyncio.Task[None]) -> None:
        """It has begun to wait for something; until it ends, cancelling this task cancels it and nothing else."""


class Workers:
    """Does what is put, and as much of it at once as waits for something."""

    def __init__(self) -> None:
        self._queue: deque[Work] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming = False  # a worker was called that has not looked at the queue yet
        self._stopping = False

    def put(self, work: Work) -> None:
        """Do this soon. How much may wait is the caller's to bound."""
        self._queue.append(work)
        self._call()

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
        late = len(self._tasks) + len(self._queue)
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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
                idle = task.get_loop().create_future()
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
