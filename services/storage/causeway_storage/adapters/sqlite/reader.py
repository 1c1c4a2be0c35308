"""Reads, on a connection of their own: they neither wait for the writer's disk nor hold it up.

Done in a thread, or, what is small, on the event loop where the last ones were quick and nothing is in the thread. A plain queue, and one call of the event loop for all that was read meanwhile. make bench: a thread pool's futures and locks were 50 of a page's 320 µs.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Final, TypeVar

from causeway_common.contracts.errors import overloaded, unavailable
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.sqlite.pace import Pace
from causeway_storage.adapters.sqlite.writer import Opener, disk_faults, queue_full

T = TypeVar("T")
log = get_logger("storage")
TOGETHER_SECONDS: Final = 0.0005
"""What was read waits for no longer than this for what is read after it."""


@dataclass(slots=True, eq=False)
class _Read:
    work: Callable[[sqlite3.Connection], Any]
    small: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Reader:
    """The one that reads.

    Args:
        opener: opens its connection, in its thread.
        max_operations: that may wait; beyond it 111 overloaded.
    """

    def __init__(self, opener: Opener, *, max_operations: int) -> None:
        self._opener, self._max_operations = opener, max_operations
        self._waiting: SimpleQueue[_Read | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._count = 0
        self._pace = Pace()
        self._closing = False

    async def submit(self, work: Callable[[sqlite3.Connection], T], *, small: bool = False) -> T:
        """Do this on one snapshot of what is durable.

        Args:
            work: reads on the connection.
            small: it takes less than a millisecond where the pages are in memory.

        Raises:
            CausewayError: 111 at the bound; 100 for a fault of the disk.
        """
        if self._closing:
            raise unavailable("storage is stopping")
        if self._count >= self._max_operations:
            queue_full.add(1, "read")
            raise overloaded(f"{self._count} reads wait for the disk")
        here = small and self._count == 0 and self._pace.quick
        try:
            result: T = self._do(work, small=True) if here else await self._in_thread(work, small=small)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            disk_faults.add(1, name)
            log.error("the database refuses to read", reason=str(error), error=name)  # noqa: TRY400 - one line says it all
            raise unavailable(f"the database refuses to read ({name})") from error
        return result

    def _in_thread(self, work: Callable[[sqlite3.Connection], T], *, small: bool) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(loop,), name="sqlite-reader", daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = loop.create_future()
        self._count += 1
        self._waiting.put(_Read(work, small, future))
        return future

    async def stop(self) -> None:
        """Let what was asked finish, close."""
        self._closing = True
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._close()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        done: list[_Read] = []
        began = 0.0
        while (read := self._waiting.get()) is not None:
            began = began if done else perf_counter()
            if not read.future.cancelled():
                try:
                    read.result = self._do(read.work, small=read.small)
                except BaseException as error:  # noqa: BLE001 - told to whoever asked
                    read.error = error
            done.append(read)
            if self._waiting.empty() or perf_counter() - began > TOGETHER_SECONDS:
                loop.call_soon_threadsafe(self._settle, done)
                done = []
        if done:
            loop.call_soon_threadsafe(self._settle, done)
        self._close()

    def _settle(self, done: list[_Read]) -> None:
        """On the event loop."""
        self._count -= len(done)
        for read in done:
            if read.future.done():
                continue
            if read.error is None:
                read.future.set_result(read.result)
            else:
                read.future.set_exception(read.error)

    def _do(self, work: Callable[[sqlite3.Connection], T], *, small: bool) -> T:
        """In the thread, or on the event loop while the thread has nothing."""
        try:
            if self._connection is None:
                self._connection = self._opener()
            connection = self._connection
            began = perf_counter()
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._close()
            raise
        if small:
            self._pace.took(perf_counter() - began)
        return result

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):  # what closing could still say was said by the fault that led here
                self._connection.close()
            self._connection = None
