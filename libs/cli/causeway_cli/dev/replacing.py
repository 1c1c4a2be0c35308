"""One process put in the place of another while the stack runs: the new one starts first, the old one ends once the new one is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from causeway_cli.dev.plan import ProcessSpec
from causeway_cli.dev.process import Keeper, wait_for
from causeway_cli.dev.terminal import Terminal

TRIAL_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
Make = Callable[[ProcessSpec], Keeper]
Adopt = Callable[[str, Keeper], Keeper]
Answers = Callable[[str], Awaitable[bool]]


class Replacing:
    """Replaces processes by name, each by its twin on another port; the one replaced becomes the twin.

    Args:
        twins: by name.
        make: a keeper at rest, on trial.
        adopt: puts the new keeper in the old one's place and returns the old one.
        answers: whether a health URL says ready.
        terminal: told how it went.
        stop_seconds: what the old process has to finish its calls.
        trial_seconds: what the new one has to be ready.
    """

    def __init__(
        self,
        twins: Mapping[str, ProcessSpec],
        *,
        make: Make,
        adopt: Adopt,
        answers: Answers,
        terminal: Terminal,
        stop_seconds: float,
        trial_seconds: float,
    ) -> None:
        self._twins = dict(twins)
        self._make, self._adopt, self._answers = make, adopt, answers
        self._terminal, self._stop_seconds, self._trial_seconds = terminal, stop_seconds, trial_seconds
        self._locks = {name: asyncio.Lock() for name in twins}
        self._leaving: dict[str, asyncio.Task[None]] = {}

    async def replace(self, name: str, tasks: asyncio.TaskGroup) -> None:
        """Start the new process; put it in place once it is ready, else end it, say why and leave the one that runs.

        A cancellation ends the new process, or, once it is in place, changes nothing more.

        Args:
            name: of the process.
            tasks: where the new keeper runs on.
        """
        async with self._locks[name]:
            if before := self._leaving.get(name):
                await asyncio.wait({before})  # its port is the one that is needed now
            started, candidate = time.monotonic(), self._make(self._twins[name])
            life = tasks.create_task(candidate.run())
            try:
                ready = await self._proves_itself(candidate, life)
            except asyncio.CancelledError:
                candidate.kill()
                await asyncio.wait({life})
                raise
            if not ready:
                await self._refuse(name, candidate)
                return
            old = self._adopt(name, candidate)
            candidate.on_trial = False
            self._twins[name] = old.spec
            self._leaving[name] = tasks.create_task(old.stop(self._stop_seconds))
            self._terminal.say(f"{name} reloaded in {time.monotonic() - started:.1f} s")

    async def _proves_itself(self, candidate: Keeper, life: asyncio.Task[None]) -> bool:
        limit = time.monotonic() + self._trial_seconds
        gone = asyncio.Event()
        life.add_done_callback(lambda _: gone.set())
        while time.monotonic() < limit and not gone.is_set():
            if await self._answers(candidate.spec.health_url):
                return candidate.pid is not None
            await wait_for(gone, POLL_SECONDS)
        return False

    async def _refuse(self, name: str, candidate: Keeper) -> None:
        how = candidate.death or f"is not ready within {self._trial_seconds:g} s"
        await candidate.stop(self._stop_seconds)
        self._terminal.say(f"{name}: the new version {how}, the running one stays")
