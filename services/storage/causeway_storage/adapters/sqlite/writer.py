"""Group commit: one thread, one connection, and as its next batch whatever arrived while the last write was on its way.

An operation that is refused takes nothing of the others with it: each has a savepoint. Those that a group does together have none (SQLite
copies every page that changes inside of one, make bench: 15 µs an append); where they fail, all is done again one by one. Answers leave
only after COMMIT returned, which with `synchronous=FULL` is after the log was synced.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_common.telemetry import Counters, get_logger

T = TypeVar("T")
Opener = Callable[[], sqlite3.Connection]
Group = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Does several things in one: what each comes to, in their order; a CausewayError refuses that one. What it raises undoes all of them."""

log = get_logger("storage")
counters = Counters("storage")
batches = counters.counter("write_batches", "transactions committed")
operations = counters.counter("write_operations", "operations in them, by outcome")
queue_full = counters.counter("queue_overflows", "operations refused because a queue stood at its bound, by queue", label="queue")
disk_faults = counters.counter("disk_faults", "database faults by SQLite's error name", label="error.type")

BATCH_MAX_OPERATIONS: Final = 512


@dataclass(slots=True, eq=False)
class _Operation:
    group: Group
    what: Any
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]
    cost: int
    result: Any = None
    error: BaseException | None = None

    def end(self, result: Any) -> None:
        """Note what it came to."""
        if isinstance(result, CausewayError):
            self.error = result
        else:
            self.result = result


class Writer:
    """The one that writes.

    Args:
        opener: opens its connection, in its thread; called again after a commit whose outcome is unknown.
        max_operations: that may wait; beyond it 111 overloaded.
        max_bytes: of their payloads, likewise.
        undone: called in its thread whenever something was not written after all.
    """

    def __init__(self, opener: Opener, *, max_operations: int, max_bytes: int, undone: Callable[[], None] = lambda: None) -> None:
        self._opener, self._max_operations, self._max_bytes, self._undone = opener, max_operations, max_bytes, undone
        self._waiting: deque[_Operation] = deque()
        self._batches: queue.SimpleQueue[list[_Operation] | None] = queue.SimpleQueue()
        self._busy = False
        self._count = self._bytes = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self.healthy = False

    @property
    def depth(self) -> int:
        """Operations that wait or are under way."""
        return self._count

    async def start(self) -> None:
        """Open the database; what `opener` raises is raised."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, opened), name="sqlite-writer", daemon=True)
        self._thread.start()
        await opened
        self.healthy = True

    async def stop(self) -> None:
        """Write what waits, close."""
        if self._thread is None or self._closing:
            return
        self._closing = True
        if not self._busy:
            self._batches.put(None)
        await asyncio.to_thread(self._thread.join)
        self.healthy = False

    async def submit(self, work: Callable[[sqlite3.Connection], T], *, cost: int = 0, then: Callable[[T], None] | None = None) -> T:
        """Do this in the next batch; its result, once durable.

        Args:
            work: reads and writes on the connection, in the writer's thread. What it raises undoes it alone.
            cost: bytes it holds while it waits.
            then: called on the event loop once it is durable, in the order of the writes, whether or not anybody still waits.

        Raises:
            CausewayError: 111 at a bound; 100 for a fault of the disk (the outcome may be unknown) or of the code.
        """
        result: T = await self.submit_to(_alone, work, cost=cost, then=then)
        return result

    async def submit_to(self, group: Group, what: Any, *, cost: int = 0, then: Callable[[Any], None] | None = None) -> Any:
        """As `submit`: have `group` do this in the next batch, together with what else waits for it."""
        if self._closing or self._thread is None:
            raise unavailable("storage is stopping")
        if self._count >= self._max_operations or (self._count and self._bytes + cost > self._max_bytes):
            queue_full.add(1, "write")
            raise overloaded(f"{self._count} writes with {self._bytes} bytes wait for the disk")
        operation = _Operation(group, what, then, asyncio.get_running_loop().create_future(), cost)
        self._count += 1
        self._bytes += cost
        self._waiting.append(operation)
        if not self._busy:
            self._hand_over()
        return await operation.future

    def _hand_over(self) -> None:
        """Give the thread its next batch. Only the event loop touches what waits: a lock for each write costs more than the write."""
        self._busy = bool(self._waiting)
        if self._busy:
            self._batches.put([self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX_OPERATIONS))])
        elif self._closing:
            self._batches.put(None)

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            self._connection = self._opener()
        except Exception as error:  # noqa: BLE001 - handed to whoever starts us
            loop.call_soon_threadsafe(opened.set_exception, error)
            return
        loop.call_soon_threadsafe(opened.set_result, None)
        while batch := self._batches.get():
            self._write(batch)
            loop.call_soon_threadsafe(self._written, batch)
        self._close()

    def _written(self, batch: list[_Operation]) -> None:
        self._hand_over()
        self._settle(batch)

    def _write(self, batch: list[_Operation]) -> None:
        try:
            connection = self._connected()
            if not self._done_together(connection, batch):
                connection.execute("BEGIN IMMEDIATE")
                for operation in batch:
                    self._do_apart(connection, operation)
        except Exception as error:  # noqa: BLE001 - each operation is told
            self._undo()
            self._fail(batch, error, "nothing was written")
            return
        try:
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - each operation is told
            # The frames may or may not be on the disk. A repeat tells, on a connection that has synced what it reads.
            self._close()
            self._fail(batch, error, "the outcome is unknown")
            return
        self.healthy = True
        batches.add()

    def _done_together(self, connection: sqlite3.Connection, batch: list[_Operation]) -> bool:
        """The usual way: each group at once. False, and nothing is done, where one failed that may take no other with it."""
        connection.execute("BEGIN IMMEDIATE")
        groups = _grouped(batch)
        try:
            for group, operations in groups:
                if group is _alone and len(batch) > 1:
                    self._do_apart(connection, operations[0])
                    continue
                for operation, result in zip(operations, group(connection, [each.what for each in operations]), strict=True):
                    operation.end(result)
        except Exception as error:
            if _concerns_all(error, connection):
                raise
            connection.execute("ROLLBACK")
            self._undone()
            return False
        return True

    def _do_apart(self, connection: sqlite3.Connection, operation: _Operation) -> None:
        """One operation in its savepoint. Raises what concerns the whole batch: SQLite's own faults of the disk."""
        if operation.future.cancelled():
            operation.error = unavailable("nobody waits for this any more, it was not begun")
            return
        operation.error = None
        connection.execute("SAVEPOINT operation")
        try:
            operation.end(*operation.group(connection, [operation.what]))
        except Exception as error:
            if _concerns_all(error, connection):
                raise
            operation.error = error
            connection.execute("ROLLBACK TO operation")
            self._undone()
        connection.execute("RELEASE operation")

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._opener()
        return self._connection

    def _undo(self) -> None:
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("a transaction could not be rolled back, the database is opened again")
            self._close()

    def _fail(self, batch: list[_Operation], error: Exception, outcome: str) -> None:
        self.healthy = False
        self._undone()
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        disk_faults.add(1, name)
        log.error("the database refuses to write", reason=str(error), error=name, operations=len(batch), outcome=outcome)
        for operation in batch:
            operation.error = unavailable(f"the database refuses to write ({name}), {outcome}")

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):  # what closing could still say was said by the fault that led here
                self._connection.close()
            self._connection = None

    def _settle(self, batch: list[_Operation]) -> None:
        """On the event loop: tell everyone, in the order of the writes."""
        for operation in batch:
            self._count -= 1
            self._bytes -= operation.cost
            if operation.error is not None:
                error = _told(operation.error)
                operations.add(1, error.name.value)
                if not operation.future.done():
                    operation.future.set_exception(error)
                continue
            operations.add(1, "ok")
            try:
                if operation.then is not None:
                    operation.then(operation.result)
            except Exception:
                log.exception("what follows a write failed")  # the others of the batch still wait for their answers
            if not operation.future.done():
                operation.future.set_result(operation.result)


def _alone(connection: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    return [work(connection) for work in works]


def _grouped(batch: list[_Operation]) -> list[tuple[Group, list[_Operation]]]:
    """What is done together: each group's operations, and those of none one by one; in the order of their first ones."""
    found: dict[object, tuple[Group, list[_Operation]]] = {}
    for operation in batch:
        if operation.future.cancelled():
            operation.error = unavailable("nobody waits for this any more, it was not begun")
            continue
        key = operation if operation.group is _alone else operation.group
        found.setdefault(key, (operation.group, []))[1].append(operation)
    return list(found.values())


def _told(error: BaseException) -> CausewayError:
    if isinstance(error, CausewayError):
        return error
    log.error("a write failed for a reason in the code", exc_info=error)
    return CausewayError(ErrorName.INTERNAL)


def _concerns_all(error: Exception, connection: sqlite3.Connection) -> bool:
    """Whether the disk failed, and not this operation alone. SQLite undoes the whole transaction by itself after some faults."""
    if not connection.in_transaction:
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError | MemoryError) and code != sqlite3.SQLITE_ERROR
