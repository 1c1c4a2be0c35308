"""Group commit: one connection, and as its next batch whatever arrived while the last write was on its way.

A batch is written in a thread, or on the event loop where nothing is in the thread, the disk was quick lately and the batch is small.

Operations of one kind are done together (`batch`); one that is refused takes nothing of the others with it. Answers leave only after COMMIT returned, which
with `synchronous=FULL` is after the log was synced.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import Final, TypeVar

from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_common.telemetry import Counters, get_logger, names
from causeway_common.telemetry.spans import Recorded, batch_span
from causeway_storage.adapters.sqlite.batch import Kind, Operation, apply
from causeway_storage.adapters.sqlite.pace import Pace

Q = TypeVar("Q")
T = TypeVar("T")
Opener = Callable[[], sqlite3.Connection]

log = get_logger("storage")
counters = Counters("storage")
batches = counters.counter("write_batches", "transactions committed")
operations = counters.counter("write_operations", "operations in them, by outcome")
queue_full = counters.counter("queue_overflows", "operations refused because a queue stood at its bound, by queue", label="queue")
disk_faults = counters.counter("disk_faults", "database faults by SQLite's error name", label="error.type")

BATCH: Final = names.SPAN_BATCH.format(system="sqlite")
BATCH_FULL_OPERATIONS: Final = 512
"""A batch that has so many takes no more of what waits."""
SMALL_OPERATIONS: Final = 4
SMALL_BYTES: Final = 64 * 1024
"""What a batch may have to be written on the event loop, and how many operations batches may have had lately. Where many write at once,
the thread gathers more of them meanwhile: with 64 publishers on the loop it was 11 thousand appends a second for 15 (make bench).
"""
CHECKPOINT_BYTES: Final = 8 << 20
"""After so much was written, as estimated, the write-ahead log is brought into the main file by the thread, before SQLite does it by itself."""
_PAGES_OF_A_BATCH: Final = 4 * 4096
_PAGES_OF_AN_OPERATION: Final = 2 * 4096


class Writer:
    """The one that writes.

    Args:
        opener: opens its connection, in its thread; called again after a commit whose outcome is unknown.
        max_operations: that may wait; beyond it 111 overloaded.
        max_bytes: of their payloads, likewise.
    """

    def __init__(self, opener: Opener, *, max_operations: int, max_bytes: int) -> None:
        self._opener, self._max_operations, self._max_bytes = opener, max_operations, max_bytes
        self._arriving: list[Operation] = []
        self._waiting: SimpleQueue[list[Operation] | None] = SimpleQueue()
        self._undone: list[Callable[[], None]] = []
        self._failed: list[Callable[[], None]] = []
        self._count = self._bytes = 0
        self._in_thread = 0  # batches that the thread has, and its checkpoint: nobody else uses the connection then
        self._unchecked = 0
        self._pace = Pace()
        self._together = 0.0  # operations of a batch, lately
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: sqlite3.Connection | None = None
        self.healthy = False

    @property
    def depth(self) -> int:
        """Operations that wait or are under way."""
        return self._count

    def on_undone(self, callback: Callable[[], None]) -> None:
        """Call this, by whoever writes, whenever something written may be gone again: what was kept of it in memory is none."""
        self._undone.append(callback)

    def on_failed(self, callback: Callable[[], None]) -> None:
        """Call this on the event loop after a batch failed, in order with what follows the writes: its outcome may be unknown."""
        self._failed.append(callback)

    async def start(self) -> None:
        """Open the database; what `opener` raises is raised."""
        loop = self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, opened), name="sqlite-writer", daemon=True)
        self._thread.start()
        await opened
        self.healthy = True

    async def stop(self) -> None:
        """Write what waits, close."""
        if self._thread is None:
            return
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self.healthy = False

    async def submit(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        cost: int = 0,
        then: Callable[[T], None] | None = None,
        traced: Recorded | None = None,
    ) -> T:
        """As `submit_kind`, for what is a kind of its own and may take long, so always in the thread; what it raises undoes it alone."""

        def alone(connection: sqlite3.Connection, _questions: Sequence[None]) -> Sequence[T | CausewayError]:
            return [work(connection)]

        return await self._submit(alone, None, cost, then, traced, small=False)

    async def submit_kind(
        self,
        kind: Kind[Q, T],
        question: Q,
        *,
        cost: int = 0,
        then: Callable[[T], None] | None = None,
        traced: Recorded | None = None,
    ) -> T:
        """Do this in the next batch; its result, once durable.

        Args:
            kind: does it, together with those of the same kind, in bounded time. What it raises undoes all of them, and each is tried alone.
            question: what it is asked.
            cost: bytes it holds while it waits.
            then: called on the event loop once it is durable, in the order of the operations of a kind, whether or not anybody still waits.
            traced: its span, which the batch's is linked from.

        Raises:
            CausewayError: 111 at a bound; 100 for a fault of the disk (the outcome may be unknown) or of the code.
        """
        return await self._submit(kind, question, cost, then, traced, small=True)

    async def _submit(
        self,
        kind: Kind[Q, T],
        question: Q,
        cost: int,
        then: Callable[[T], None] | None,
        traced: Recorded | None,
        *,
        small: bool,
    ) -> T:
        loop = self._loop
        if self._closing or loop is None:
            raise unavailable("storage is stopping")
        if self._count >= self._max_operations or (self._count and self._bytes + cost > self._max_bytes):
            queue_full.add(1, "write")
            raise overloaded(f"{self._count} writes with {self._bytes} bytes wait for the disk")
        operation = Operation(kind, question, then, loop.create_future(), cost, small, traced)
        self._count += 1
        self._bytes += cost
        if not self._arriving:
            loop.call_soon(self._hand_over)
        self._arriving.append(operation)
        result: T = await operation.future
        return result

    def _hand_over(self) -> None:
        """What one turn of the event loop brought, at once: the thread is woken once for it, and not in its midst."""
        if not self._arriving:
            return
        batch, self._arriving = self._arriving, []
        if self._may_write_here(batch):
            self._settle(batch, failed=not self._traced(batch))
        else:
            self._in_thread += 1
            self._waiting.put(batch)

    def _may_write_here(self, batch: list[Operation]) -> bool:
        """Whether the batch is written on the event loop. The thread and the queue order what each of them did before the other's turn."""
        return (
            self._in_thread == 0
            and self.healthy
            and self._pace.quick
            and max(len(batch), self._together) <= SMALL_OPERATIONS
            and self._bytes <= SMALL_BYTES
            and self._unchecked < CHECKPOINT_BYTES
            and all(operation.small for operation in batch)
        )

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            self._connection = self._opener()
        except Exception as error:  # noqa: BLE001 - handed to whoever starts us
            loop.call_soon_threadsafe(opened.set_exception, error)
            return
        loop.call_soon_threadsafe(opened.set_result, None)
        ended = False
        while not ended:
            batch, taken, ended = self._next_batch()
            if batch:
                failed = not self._traced(batch)
                loop.call_soon_threadsafe(self._settle, batch, failed)  # in the order in which they were done
            if self._unchecked >= CHECKPOINT_BYTES:
                self._checkpoint()
            loop.call_soon_threadsafe(self._left_thread, taken)
        self._close()

    def _left_thread(self, batches_taken: int) -> None:
        self._in_thread -= batches_taken

    def _checkpoint(self) -> None:
        """Bring the write-ahead log into the main file, as far as readers let it; the answers are on their way."""
        self._unchecked = 0
        if self._connection is not None:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
            except sqlite3.Error as error:  # what was acknowledged is in the log; SQLite tries again by itself
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                disk_faults.add(1, name)
                log.warning("the write-ahead log could not be brought into the database", reason=str(error), error=name)

    def _traced(self, batch: list[Operation]) -> bool:
        """As `_write`, under a span where one of them has one."""
        traced = [operation.traced for operation in batch if operation.traced is not None]
        current = batch_span(BATCH, traced, {names.DB_SYSTEM: "sqlite", names.DB_BATCH_SIZE: len(batch)})
        durable = self._write(batch)
        current.finish(None if durable else unavailable("the batch is not durable"))
        return durable

    def _next_batch(self) -> tuple[list[Operation], int, bool]:
        """What waits, in how many pieces it was handed over, and whether nothing comes after it."""
        batch: list[Operation] = []
        taken = 0
        arrived = self._waiting.get()
        while arrived is not None:
            batch += arrived
            taken += 1
            if len(batch) >= BATCH_FULL_OPERATIONS or self._waiting.empty():
                return batch, taken, False
            arrived = self._waiting.get()
        return batch, taken, True

    def _write(self, batch: list[Operation]) -> bool:
        """Whether the batch is durable."""
        try:
            connection = self._connected()
            apply(connection, batch, self._forget)
        except Exception as error:  # noqa: BLE001 - each operation is told
            self._undo()
            self._fail(batch, error, "nothing was written")
            return False
        began = perf_counter()
        try:
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - each operation is told
            # The frames may or may not be on the disk. A repeat tells, on a connection that has synced what it reads.
            self._close()
            self._fail(batch, error, "the outcome is unknown")
            return False
        self._pace.took(perf_counter() - began)
        self._together += (len(batch) - self._together) / 8
        self._unchecked += _PAGES_OF_A_BATCH + sum(_PAGES_OF_AN_OPERATION + operation.cost for operation in batch)
        self.healthy = True
        batches.add()
        return True

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._opener()
        return self._connection

    def _undo(self) -> None:
        self._forget()
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("a transaction could not be rolled back, the database is opened again")
            self._close()

    def _forget(self) -> None:
        for callback in self._undone:
            callback()

    def _fail(self, batch: list[Operation], error: Exception, outcome: str) -> None:
        self.healthy = False
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        disk_faults.add(1, name)
        log.error("the database refuses to write", reason=str(error), error=name, operations=len(batch), outcome=outcome)
        for operation in batch:
            operation.error = unavailable(f"the database refuses to write ({name}), {outcome}")

    def _close(self) -> None:
        self._forget()
        if self._connection is not None:
            with suppress(sqlite3.Error):  # what closing could still say was said by the fault that led here
                self._connection.close()
            self._connection = None

    def _settle(self, batch: list[Operation], failed: bool) -> None:
        """On the event loop: tell everyone, in the order of the batch."""
        if failed:
            for callback in self._failed:
                callback()
        done = 0
        for operation in batch:
            self._count -= 1
            self._bytes -= operation.cost
            if operation.error is not None:
                error = _told(operation.error)
                operations.add(1, error.name.value)
                if not operation.future.done():
                    operation.future.set_exception(error)
                continue
            done += 1
            try:
                if operation.then is not None:
                    operation.then(operation.result)
            except Exception:
                log.exception("what follows a write failed")  # the others of the batch still wait for their answers
            if not operation.future.done():
                operation.future.set_result(operation.result)
        operations.add(done, "ok")


def _told(error: BaseException) -> CausewayError:
    if isinstance(error, CausewayError):
        return error
    log.error("a write failed for a reason in the code", exc_info=error)
    return CausewayError(ErrorName.INTERNAL)
