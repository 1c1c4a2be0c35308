"""What the record of a task means to this version of the app: which handler, with which input, for whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Record, RpcRequest
from causeway_common.telemetry import get_logger
from causeway_logic.domain.declare import App
from causeway_logic.domain.events import Event, LifecycleEvent, event_stored, handler_of
from causeway_logic.domain.tasks import BY, ON_EVENT, ON_LIFECYCLE, ON_QUEUED_CALL, RESERVED, TIMEOUT_MS, Running
from causeway_logic.domain.timers import TIMER_KIND, fired, mark_of
from causeway_logic.domain.values import json_bytes
from causeway_logic.handlers.commits import Proposal, committed
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.every import advance
from causeway_logic.handlers.scope import Scope

log = get_logger("logic")


class Unhandled(Exception):  # noqa: N818 - no error: another version may have a handler
    """This version of the app has no handler for what the record asks."""


@dataclass(frozen=True, slots=True)
class Work:
    """One try at hand: how it is run, and what to await."""

    running: Running
    run: Callable[[Deadline], Awaitable[None]]


class Works:
    """The tasks of one app, the reserved ones among them.

    Args:
        app: whose.
        dispatcher: runs its handlers.
    """

    def __init__(self, app: App, dispatcher: Dispatcher) -> None:
        self._app, self._dispatcher = app, dispatcher

    @property
    def some(self) -> bool:
        """Whether there is anything that this version can be sent."""
        return bool(self._app.tasks) or any(self.running(name) is not None for name in RESERVED)

    def running(self, task: str) -> Running | None:
        """How records of this task are run at most, before one is looked into; None: this version has no such task."""
        app = self._app
        match task:
            case _ if task in app.tasks:
                return app.tasks[task].running
            case _ if task == ON_EVENT and app.event_handlers:
                return Running(timeout_ms=max(each.running.timeout_ms for each in app.event_handlers.values()))
            case _ if task == ON_LIFECYCLE and app.lifecycle_handlers:
                return Running(timeout_ms=max(each.running.timeout_ms for each in app.lifecycle_handlers.values()))
            case _ if task == ON_QUEUED_CALL and (
                queued := [each for each in app.methods.values() if each.when_unavailable == "queue"]
            ):
                return Running(timeout_ms=max(each.timeout_ms or TIMEOUT_MS for each in queued))
            case _:
                return None

    def of(self, record: Record) -> Work:
        """What to run.

        Raises:
            Unhandled: this version has no handler.
            CausewayError: 107, the payload does not fit.
        """
        match record.op:
            case _ if record.op == ON_EVENT:
                return self._event(record)
            case _ if record.op == ON_LIFECYCLE:
                return self._lifecycle(record)
            case _ if record.op == ON_QUEUED_CALL:
                return self._queued_call(record)
            case _:
                return self._task(record)

    def _task(self, record: Record) -> Work:
        task = self._app.tasks.get(record.op)
        if task is None:
            raise Unhandled(f"this version has no task {record.op}")
        value = task.read(record.payload)

        async def run(deadline: Deadline) -> None:
            scope = self._scope(record, deadline, task.running, user=str(record.payload.get(BY, "")))
            if task.ticks is not None:
                await advance(scope, task, record.payload)
            await self._dispatcher.run(task.name, task.signature, scope, value)
            await self._forget_timer(record, deadline)

        return Work(task.running, run)

    def _event(self, record: Record) -> Work:
        source, type_ = str(record.payload.get("source", "")), str(record.payload.get("type", ""))
        handler = handler_of(self._app.event_handlers, source, type_)
        if handler is None:
            raise Unhandled(f"this version has no handler of {type_} of {source}")
        event = handler.read(record.payload)

        async def run(deadline: Deadline) -> None:
            await self._dispatcher.run(
                ON_EVENT, handler.signature, self._scope(record, deadline, handler.running), given={Event: event}
            )

        return Work(handler.running, run)

    def _lifecycle(self, record: Record) -> Work:
        event = LifecycleEvent.of(event_stored(record.payload))
        handler = self._app.lifecycle_handlers.get(event.type)
        if handler is None:
            raise Unhandled(f"this version has no handler of {event.type}")

        async def run(deadline: Deadline) -> None:
            # under the event's own id: it was tried as such before
            scope = self._dispatcher.scope(event.id, deadline, rerun=True, remember_ms=handler.running.remember_ms)
            await self._dispatcher.run(ON_LIFECYCLE, handler.signature, scope, given={LifecycleEvent: event})

        return Work(handler.running, run)

    def _queued_call(self, record: Record) -> Work:
        payload = record.payload
        name = str(payload.get("method", ""))
        method = self._app.methods.get(name)
        if method is None:
            raise Unhandled(f"this version has no method {name}")
        request = RpcRequest(
            user=str(payload.get("user", "")),
            client=str(payload.get("client", "")),
            data=json_bytes(payload.get("data"), "a queued call's data"),
            info=None if payload.get("info") is None else json_bytes(payload["info"], "a queued call's info"),
        )

        async def run(deadline: Deadline) -> None:
            await self._dispatcher.rpc(name, request, Call({}, record.id, deadline), rerun=record.attempts > 1)

        return Work(Running(timeout_ms=method.timeout_ms or TIMEOUT_MS), run)

    def _scope(self, record: Record, deadline: Deadline, running: Running, *, user: str = "") -> Scope:
        return self._dispatcher.scope(record.id, deadline, user=user, rerun=record.attempts > 1, remember_ms=running.remember_ms)

    async def _forget_timer(self, record: Record, deadline: Deadline) -> None:
        """Remove the hidden entity of an app's timer that has fired, unless it was set again since."""
        found = mark_of(record.payload)
        if found is None:
            return
        name, mark = found
        scope = self._dispatcher.scope(f"{record.id}:fired", deadline)
        try:
            await committed(
                scope,
                TIMER_KIND,
                name,
                lambda document: Proposal({}, delete=True) if fired(document.state, mark) else None,
            )
        except CausewayError as error:
            log.info("the mark of a timer that has fired stays", name=name, reason=error.message)
