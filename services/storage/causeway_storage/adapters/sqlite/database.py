"""One SQLite database with its lock, its writer and its reader, and the spans around what they do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from causeway_common.runtime import StartError
from causeway_common.telemetry import Kind as SpanKind
from causeway_common.telemetry import current_traceparent, names, span
from causeway_common.telemetry.spans import NOT_SAMPLED, Recorded
from causeway_storage.adapters.sqlite.batch import Kind
from causeway_storage.adapters.sqlite.files import FileLock, open_reader, open_writer
from causeway_storage.adapters.sqlite.reader import Reader
from causeway_storage.adapters.sqlite.writer import Writer

Q = TypeVar("Q")
T = TypeVar("T")


class SqliteDatabase:
    """An open database.

    Args:
        path: its file; made with its directory where it is missing.
        write_queue: operations that may wait for the writer.
        write_queue_bytes: what they may hold.
        read_queue: operations that may wait for the reader.
    """

    def __init__(self, path: Path, *, write_queue: int, write_queue_bytes: int, read_queue: int) -> None:
        self._path = path
        self._lock = FileLock(path)
        self._writer = Writer(partial(open_writer, path), max_operations=write_queue, max_bytes=write_queue_bytes)
        self._reader = Reader(partial(open_reader, path), max_operations=read_queue)

    @property
    def healthy(self) -> bool:
        """Whether it is open and the last write found the disk willing."""
        return self._writer.healthy

    @property
    def depth(self) -> int:
        """Writes that wait or are under way."""
        return self._writer.depth

    @property
    def size(self) -> int:
        """Bytes of the file and its write-ahead log."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(each.stat().st_size for each in files if each.exists())

    async def start(self) -> None:
        """Lock and open.

        Raises:
            StartError: it is in use, or cannot be opened; the message says which.
        """
        self._lock.acquire()
        try:
            await self._writer.start()
        except sqlite3.Error as error:
            raise StartError(f"the database {self._path} cannot be opened: {error}") from error

    async def stop(self) -> None:
        """Write what waits, close, unlock."""
        await self._writer.stop()
        await self._reader.stop()
        self._lock.release()

    async def write(
        self,
        collection: str,
        operation: str,
        work: Callable[[sqlite3.Connection], T],
        *,
        cost: int = 0,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """As `Writer.submit`, under a span."""
        with _span(collection, operation) as current:
            return await self._writer.submit(work, cost=cost, then=then, traced=current if isinstance(current, Recorded) else None)

    async def write_kind(
        self,
        collection: str,
        operation: str,
        kind: Kind[Q, T],
        question: Q,
        *,
        cost: int = 0,
        then: Callable[[T], None] | None = None,
        describe: Callable[[T], Mapping[str, int]] | None = None,
    ) -> T:
        """As `Writer.submit_kind`, under a span; `describe`: its attributes, by what it came to."""
        with _span(collection, operation) as current:
            traced = current if isinstance(current, Recorded) else None
            result = await self._writer.submit_kind(kind, question, cost=cost, then=then, traced=traced)
            if traced is not None and describe is not None:
                traced.set_attributes(describe(result))
            return result

    def on_undone(self, callback: Callable[[], None]) -> None:
        """As `Writer.on_undone`."""
        self._writer.on_undone(callback)

    def on_failed(self, callback: Callable[[], None]) -> None:
        """As `Writer.on_failed`."""
        self._writer.on_failed(callback)

    async def read(self, collection: str, operation: str, work: Callable[[sqlite3.Connection], T], *, small: bool = False) -> T:
        """As `Reader.submit`, under a span."""
        with _span(collection, operation):
            return await self._reader.submit(work, small=small)


def _span(collection: str, operation: str) -> AbstractContextManager[object]:
    """A span in the trace of whoever asks, where it is sampled; the sweeps, which nobody asks for, make none."""
    traceparent = current_traceparent()
    if not traceparent or traceparent.endswith(NOT_SAMPLED):
        return nullcontext()
    attributes = {names.DB_SYSTEM: "sqlite", names.DB_COLLECTION: collection, names.DB_OPERATION: operation}
    return span(names.SPAN_DB.format(operation=operation, collection=collection), kind=SpanKind.CLIENT, attributes=attributes)
