"""Threads for handlers that are plain functions: a few, named after what they do, and none of them keeps a process from ending."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context as Variables
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

R = TypeVar("R")
_here: Final = threading.local()
THREADS_MAX: Final = 32


def wait(answer: Coroutine[Any, Any, R]) -> R:
    """What a coroutine returns or raises, run on the event loop that the caller's thread works for.

    Raises:
        RuntimeError: this is no thread of `Threads`.
    """
    loop: asyncio.AbstractEventLoop | None = getattr(_here, "loop", None)
    if loop is None:
        answer.close()
        raise RuntimeError("only a plain `def` handler waits like this; elsewhere: await")
    return asyncio.run_coroutine_threadsafe(answer, loop).result()


@dataclass(frozen=True, slots=True)
class _Work:
    name: str
    function: Callable[[], Any]
    variables: Variables
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Threads:
    """Runs functions in at most `limit` threads; who finds none free waits, and may be cancelled meanwhile.

    The standard library's pool joins its threads when the interpreter ends: one function that never returns would keep it from that.
    """

    def __init__(self, prefix: str, limit: int = THREADS_MAX) -> None:
        self._prefix = prefix
        self._free = asyncio.Semaphore(limit)
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._idle = 0
        self._threads = 0

    async def run(self, name: str, function: Callable[[], R]) -> R:
        """What the function returns or raises. One that is cancelled runs on in its thread, and nobody hears of its end.

        Args:
            name: the thread's, behind the prefix, while it runs this.
            function: runs with the caller's context variables.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._idle:
            self._idle -= 1
        else:
            self._threads += 1
            threading.Thread(target=self._serve, name=self._prefix, daemon=True).start()
        self._work.put(_Work(f"{self._prefix}.{name}", function, copy_context(), loop, future))
        return cast("R", await future)

    def stop(self) -> None:
        """Idle threads end; what runs is left to itself."""
        for _ in range(self._threads):
            self._work.put(None)
        self._threads = self._idle = 0

    def _serve(self) -> None:
        thread = threading.current_thread()
        while (work := self._work.get()) is not None:
            thread.name, _here.loop = work.name, work.loop
            result: Any = None
            failed: BaseException | None = None
            try:
                result = work.variables.run(work.function)
            except BaseException as error:  # noqa: BLE001 - raised again where the function is awaited
                failed = error
            thread.name = self._prefix
            try:
                work.loop.call_soon_threadsafe(self._ended, work.future, result, failed)
            except RuntimeError:  # the loop is closed: the process ends
                return

    def _ended(self, future: asyncio.Future[Any], result: Any, failed: BaseException | None) -> None:
        self._idle += 1
        self._free.release()
        if future.done():
            return
        if failed is None:
            future.set_result(result)
        elif isinstance(failed, StopIteration):  # no future can hold one
            future.set_exception(RuntimeError("a handler raised StopIteration"))
        else:
            future.set_exception(failed)
