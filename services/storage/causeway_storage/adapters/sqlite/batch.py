"""A batch of operations within one transaction: those of a kind together, and where that fails each in a savepoint of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.telemetry.spans import Recorded

Q = TypeVar("Q")
T = TypeVar("T")
Kind = Callable[[sqlite3.Connection, Sequence[Q]], Sequence[T | CausewayError]]
"""Does all operations of a kind that a batch has, in their order; per operation its result, or why it was refused."""


@dataclass(slots=True, eq=False)
class Operation:
    """One that waits, and what became of it."""

    kind: Kind[Any, Any]
    question: Any
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]
    cost: int
    small: bool
    traced: Recorded | None = None
    result: Any = None
    error: BaseException | None = None


def apply(connection: sqlite3.Connection, batch: list[Operation], forget: Callable[[], None]) -> None:
    """All operations, those of a kind together, which puts the batch into this order.

    `forget` is called where something that was written is undone. Raises what concerns the whole batch: SQLite's own faults of the disk.
    """
    connection.execute("BEGIN IMMEDIATE")
    kinds: dict[Kind[Any, Any], list[Operation]] = {}
    for operation in batch:
        if not _given_up(operation):
            kinds.setdefault(operation.kind, []).append(operation)
    alive = [operation for alike in kinds.values() for operation in alike]
    batch[:] = [*alive, *(operation for operation in batch if operation.error is not None)]
    try:
        for kind, alike in kinds.items():
            _do(connection, kind, alike)
    except Exception as error:
        if _concerns_all(error, connection):
            raise
        forget()
        connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        for operation in alive:
            operation.error = None
            _apply_alone(connection, operation, forget)


def _apply_alone(connection: sqlite3.Connection, operation: Operation, forget: Callable[[], None]) -> None:
    """One operation in a savepoint of its own. They are for this alone: all of a batch in one would be copied to a file beside it."""
    connection.execute("SAVEPOINT operation")
    try:
        _do(connection, operation.kind, [operation])
    except Exception as error:
        if _concerns_all(error, connection):
            raise
        operation.error = error
        forget()
        connection.execute("ROLLBACK TO operation")
    connection.execute("RELEASE operation")


def _given_up(operation: Operation) -> bool:
    """Whether nobody waits for it any more; it is not begun then."""
    if operation.future.cancelled():
        operation.error = unavailable("nobody waits for this any more, it was not begun")
    return operation.error is not None


def _do(connection: sqlite3.Connection, kind: Kind[Any, Any], alike: Sequence[Operation]) -> None:
    results = kind(connection, [operation.question for operation in alike])
    for operation, result in zip(alike, results, strict=True):
        operation.result, operation.error = (None, result) if isinstance(result, CausewayError) else (result, None)


def _concerns_all(error: Exception, connection: sqlite3.Connection) -> bool:
    """Whether the disk failed, and not this operation alone. SQLite undoes the whole transaction by itself after some faults."""
    if not connection.in_transaction:
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError | MemoryError) and code != sqlite3.SQLITE_ERROR
