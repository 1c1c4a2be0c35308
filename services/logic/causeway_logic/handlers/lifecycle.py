"""One delivery of a lifecycle event: run its handler, in its turn, or have it run as a task where it fails again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from typing import Final

from causeway_common.bus import Deadline, Postponed
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Manifest, NewRecord
from causeway_common.telemetry import Counters, current_traceparent, get_logger
from causeway_logic.domain.declare import App
from causeway_logic.domain.events import OF_USERS, LifecycleEvent, LifecycleHandler, stored_event
from causeway_logic.domain.tasks import ON_LIFECYCLE
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.ports import Outside

DELAYS_S: Final = (1.0, 5.0)
"""An event that fails holds up the line for so long after its first and second try; then it becomes a task."""
ELSEWHERE_S: Final = 0.5
ELSEWHERE_MAX: Final = 60
"""So often an event goes back that only another version handles: that one may have gone meanwhile."""
ENQUEUE_SECONDS: Final = 10.0
log = get_logger("logic")
_events: Final = Counters("logic").counter("lifecycle_events", "lifecycle events by outcome: done, passed, retry, task")


class LifecycleEvents:
    """Runs the lifecycle handlers of one app.

    Args:
        app: whose.
        dispatcher: runs its handlers.
        outside: where an event that fails goes.
        manifest: what the living versions of the app say together; None while that is not known.
    """

    def __init__(
        self, app: App, dispatcher: Dispatcher, outside: Outside, manifest: Callable[[], Manifest | None] = lambda: None
    ) -> None:
        self._app, self._dispatcher, self._outside, self._manifest = app, dispatcher, outside, manifest

    async def handle(self, event: m.LifecycleEvent, delivered: int) -> None:
        """Return: the event is done with.

        Args:
            event: as the stream has it.
            delivered: how often it came, this time included.

        Raises:
            Postponed: it comes again, and those behind it wait.
            CausewayError: storage is unavailable; it comes again.
        """
        handler = self._app.lifecycle_handlers.get(event.type)
        if handler is None or not _concerns(event, self._app.namespaces):
            if self._elsewhere(event) and delivered <= ELSEWHERE_MAX:
                raise Postponed(ELSEWHERE_S)
            _events.add(1, "passed")
            return
        try:
            await self._run(handler, event, rerun=delivered > 1)
        except (CausewayError, TimeoutError) as error:
            temporary = isinstance(error, TimeoutError) or error.temporary
            if temporary and delivered <= len(DELAYS_S):
                _events.add(1, "retry")
                raise Postponed(DELAYS_S[delivered - 1]) from error
            log.warning("a lifecycle event fails and goes on as a task", type=event.type, id=event.id, reason=str(error))
            await self._as_task(event)
            _events.add(1, "task")
        else:
            _events.add(1, "done")

    async def _run(self, handler: LifecycleHandler, event: m.LifecycleEvent, *, rerun: bool) -> None:
        seconds = handler.running.timeout_ms / 1000
        async with asyncio.timeout(seconds):
            remember_ms = handler.running.remember_ms
            scope = self._dispatcher.scope(event.id, Deadline.after(seconds), rerun=rerun, remember_ms=remember_ms)
            given = {LifecycleEvent: LifecycleEvent.of(event)}
            await self._dispatcher.run(ON_LIFECYCLE, handler.signature, scope, given=given)

    def _elsewhere(self, event: m.LifecycleEvent) -> bool:
        """Whether another version of the app handles what this one does not."""
        manifest = self._manifest()
        if manifest is None or event.type not in manifest.lifecycle:
            return False
        return _concerns(event, {spec.name for spec in manifest.namespaces})

    async def _as_task(self, event: m.LifecycleEvent) -> None:
        record = NewRecord(
            id=derived_id("lifecycle", event.id),
            app=self._app.name,
            connector="",
            op=ON_LIFECYCLE,
            payload=stored_event(event),
            traceparent=current_traceparent(),
        )
        await self._outside.storage.enqueue([record], Deadline.after(ENQUEUE_SECONDS))


def _concerns(event: m.LifecycleEvent, namespaces: Container[str]) -> bool:
    return event.type in OF_USERS or event.namespace in namespaces
