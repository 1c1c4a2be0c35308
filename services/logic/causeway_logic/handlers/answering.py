"""Around one answer: its span, its count, and 100 `internal` in the place of any error that is none of the table."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from structlog.stdlib import BoundLogger

from causeway_common.contracts.errors import ERRORS, CausewayError, ErrorName
from causeway_common.telemetry import AttributeValue, Counters, current_traceparent, names, span

calls: Final = Counters("logic").counter(
    "calls", "calls of methods and hooks by outcome: ok, the error's name, or cancelled (deadline or shutdown)"
)


class Answering:
    """Makes the blocks that answers stand in.

    Args:
        app: the app's name.
        log: told of every fault that a caller only knows as `internal`.
    """

    def __init__(self, app: str, log: BoundLogger) -> None:
        self._app, self._log = app, log
        self._spans: dict[str, tuple[str, dict[str, AttributeValue]]] = {}  # by what the app declares

    def __call__(self, method: str) -> AnswerBlock:
        """The block of one answer of this method, hook or task."""
        named = self._spans.get(method)
        if named is None:
            name = names.SPAN_APP_METHOD.format(app=self._app, method=method)
            named = self._spans[method] = name, {names.RPC_METHOD: f"{self._app}.{method}"}
        return AnswerBlock(self._log, method, named)


class AnswerBlock:
    """One answer; every `Exception` leaves it as a CausewayError."""

    __slots__ = ("_log", "_method", "_span")

    def __init__(self, log: BoundLogger, method: str, named: tuple[str, dict[str, AttributeValue]]) -> None:
        self._log, self._method, self._span = log, method, span(named[0], attributes=named[1])

    def __enter__(self) -> None:
        """The answer begins."""
        self._span.__enter__()

    def __exit__(self, _kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        """It ends. Raises CausewayError 100, with the trace id, for what is none of the table."""
        told = error
        if error is None:
            calls.add(1, "ok")
        elif isinstance(error, CausewayError):
            calls.add(1, error.name.value)
        elif isinstance(error, Exception):
            calls.add(1, ErrorName.INTERNAL.value)
            self._log.error("a handler failed, its caller was told nothing but `internal`", method=self._method, exc_info=error)
            told = internal()
        elif isinstance(error, asyncio.CancelledError):
            calls.add(1, "cancelled")
        self._span.__exit__(None, told, traceback)
        if told is not None and told is not error:
            raise told from error


def internal() -> CausewayError:
    """100 `internal` without the fault's text, with the id of the trace that the log has it under."""
    _, trace_id, *_ = (*current_traceparent().split("-"), "")
    message = ERRORS[ErrorName.INTERNAL].message
    return CausewayError(ErrorName.INTERNAL, f"{message} (trace {trace_id})" if trace_id else message)
