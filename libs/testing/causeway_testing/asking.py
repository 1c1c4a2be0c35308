"""Asking the app: each question goes to one of its processes, with a deadline, and either way it may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS, Verb
from causeway_testing.clock import Ids
from causeway_testing.loop import VirtualLoop
from causeway_testing.process import AppProcess
from causeway_testing.replicas import Place, Replicas
from causeway_testing.steps import Steps

T = TypeVar("T")


class Asking:
    """Asks one app.

    Args:
        app: its name.
        replicas: its processes.
        loop: the clock of deadlines.
        steps: in which order.
        ids: of messages.
    """

    def __init__(self, app: str, replicas: Replicas, loop: VirtualLoop, steps: Steps, ids: Ids) -> None:
        self._app, self._replicas, self._loop, self._steps, self._ids = app, replicas, loop, steps, ids

    def call(self, **fields: str) -> Call:
        """What a handler learns beside a question with these fields of its subject."""
        return Call(fields, self._ids.new_id(), Deadline(self._loop.time() + CLIENT_COMMAND_SECONDS))

    async def hook(self, work: Callable[[AppProcess, Call], Coroutine[Any, Any, T]], activity: str, verb: Verb[Any, Any]) -> T:
        """Ask a hook. Raises CausewayError: the app's, or 100."""
        call = self.call(app=self._app, hook=verb.name)
        return await self.ask(lambda process: work(process, call), activity)

    async def ask(self, work: Callable[[AppProcess], Coroutine[Any, Any, T]], activity: str, place: Place | None = None) -> T:
        """Ask the app; with chance, the question and the answer are steps, and either may be lost. Raises CausewayError: the app's, or 100."""
        chance = self._steps.chance
        if chance is None:
            return await self._replicas.ask(work, activity, CLIENT_COMMAND_SECONDS, place)

        async def stepping(process: AppProcess) -> T:
            fate = chance.fate()
            if fate == "late":
                await asyncio.sleep(chance.delay())
            await self._steps.take("asked")
            if fate == "lost":
                raise _lost(self._steps, activity, "the question")
            answer = await work(process)
            await self._steps.take("answers")
            if fate == "answer lost":
                raise _lost(self._steps, activity, "the answer")
            return answer

        return await self._replicas.ask(stepping, activity, CLIENT_COMMAND_SECONDS, place)


def _lost(steps: Steps, activity: str, what: str) -> CausewayError:
    steps.tell(f"  {what} is lost: {activity}")
    return unavailable("no answer before the deadline, the outcome is unknown")
