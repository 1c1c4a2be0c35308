"""Reads, in a thread and on a connection of their own: they neither wait for the writer's disk nor hold it up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from causeway_common.contracts.errors import overloaded, unavailable
from causeway_common.telemetry import get_logger
from causeway_storage.adapters.sqlite.writer import Opener, disk_faults, queue_full

T = TypeVar("T")
log = get_logger("storage")


class Reader:
    """The one that reads.

    Args:
        opener: opens its connection, in its thread.
        max_operations: that may wait; beyond it 111 overloaded.
    """

    def __init__(self, opener: Opener, *, max_operations: int) -> None:
        self._opener, self._max_operations = opener, max_operations
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reader")
        self._connection: sqlite3.Connection | None = None
        self._count = 0

    async def submit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this on one snapshot of what is durable.

        Raises:
            CausewayError: 111 at the bound; 100 for a fault of the disk.
        """
        if self._count >= self._max_operations:
            queue_full.add(1, "read")
            raise overloaded(f"{self._count} reads wait for the disk")
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._read, work)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            disk_faults.add(1, name)
            log.error("the database refuses to read", reason=str(error), error=name)  # noqa: TRY400 - one line says it all
            raise unavailable(f"the database refuses to read ({name})") from error
        finally:
            self._count -= 1

    async def stop(self) -> None:
        """Let what runs finish, close."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        await asyncio.to_thread(self._executor.shutdown)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._opener()
        connection = self._connection
        try:
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._close()
            raise
        return result

    def _close(self) -> None:
        """In the reader's own thread: SQLite's connections stay in theirs."""
        if self._connection is not None:
            with suppress(sqlite3.Error):  # what closing could still say was said by the fault that led here
                self._connection.close()
            self._connection = None
