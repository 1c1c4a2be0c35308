"""Tasks that run again and again: their next time stands in a hidden entity, whose timer it is.

Whoever runs a tick first commits the next one, then runs the handler. So there is one timer however many instances there are, and it
survives all of them.
"""

from __future__ import annotations

from typing import Final

from causeway_common.bus import Deadline, version_order
from causeway_common.contracts.messages import Document, JsonMap, ScheduleItem
from causeway_logic.domain.declare import App
from causeway_logic.domain.tasks import Task
from causeway_logic.domain.ticks import EVERY_KIND, TICK, Ticks, ticks_or
from causeway_logic.handlers.commits import Proposal, committed
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.handlers.scope import Scope

ENSURE_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 600.0
"""So often it is looked whether each recurring task has its timer."""


class Recurring:
    """Keeps a timer set for each recurring task of an app."""

    def __init__(self, app: App, dispatcher: Dispatcher) -> None:
        self._app, self._dispatcher = app, dispatcher

    async def ensure(self) -> float:
        """Set the timers that are not there, or whose ticks this version has changed; the seconds until the next look.

        Of two versions with different ticks the higher one's stand.

        Raises:
            CausewayError: storage is unavailable.
        """
        for task in self._app.tasks.values():
            if task.ticks is not None:
                await self._ensure(task, task.ticks)
        return AGAIN_SECONDS

    async def _ensure(self, task: Task, ticks: Ticks) -> None:
        scope = self._dispatcher.scope("", Deadline.after(ENSURE_SECONDS))

        def propose(document: Document) -> Proposal | None:
            state = document.state
            if state is not None:
                theirs = version_order(str(state.get("version", "")))
                if state.get("ticks") == ticks.text or theirs > version_order(self._app.version):
                    return None
            return _next(task, ticks.after(scope.outside.now_ms()), ticks.text, self._app.version)

        await committed(scope, EVERY_KIND, task.name, propose)


async def advance(scope: Scope, task: Task, payload: JsonMap) -> None:
    """Commit the tick behind the one that a record's payload names; those that have passed meanwhile are left out.

    Raises:
        CausewayError: storage is unavailable.
    """
    tick = payload.get(TICK)
    if not isinstance(tick, int) or task.ticks is None:
        return  # somebody scheduled it by hand
    own = task.ticks

    def propose(document: Document) -> Proposal | None:
        state = document.state or {}
        if int(state.get("next_ms", tick)) > tick:
            return None
        ticks = ticks_or(str(state.get("ticks", own.text)), own)
        version = str(state.get("version", scope.app.version))
        return _next(task, ticks.after(max(scope.outside.now_ms(), tick)), ticks.text, version)

    await committed(scope, EVERY_KIND, task.name, propose)


def _next(task: Task, at_ms: int, text: str, version: str) -> Proposal:
    state = {"ticks": text, "version": version, "next_ms": at_ms}
    return Proposal(state, (ScheduleItem(name=task.name, at_ms=at_ms, task=task.name, payload={TICK: at_ms}),))
