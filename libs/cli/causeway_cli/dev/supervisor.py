"""The supervisor: starts the stack, watches that it is ready, says so in stack.json, stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import aiohttp

from causeway_cli.dev.desk import SERVICE, Desk, DeskAt, ProcessView
from causeway_cli.dev.plan import STOP_ORDER, STOP_SECONDS, ProcessSpec, StackPlan
from causeway_cli.dev.process import Keeper, wait_for
from causeway_cli.dev.replacing import TRIAL_SECONDS, Replacing
from causeway_cli.dev.stackfile import ProcessEntry, StackState, write_stack
from causeway_cli.dev.terminal import Terminal

GUARD: Final = str(Path(__file__).with_name("guard.py"))
POLL_NATS_SECONDS: Final = 0.02
POLL_STARTING_SECONDS: Final = 0.15
POLL_READY_SECONDS: Final = 1.0
PROBE_SECONDS: Final = 1.0
# The services connect to NATS without end; waiting for it only spares the log their first failures.
NATS_FIRST_SECONDS: Final = 10.0
COMPLAIN_SECONDS: Final = 10.0
Changes = Callable[[], AsyncIterator[list[str]]]


class Supervisor:
    """One stack, from start to stop."""

    def __init__(
        self,
        plan: StackPlan,
        *,
        version: str,
        data_dir: Path,
        terminal: Terminal,
        greeting: str,
        stop_seconds: float = STOP_SECONDS,
        changes: Changes | None = None,
        trial_seconds: float = TRIAL_SECONDS,
        desk: DeskAt | None = None,
    ) -> None:
        """A supervisor at rest.

        Args:
            plan: the stack.
            version: for stack.json.
            data_dir: absolute; holds stack.json.
            terminal: for all output.
            greeting: said once, when the stack is ready for the first time.
            stop_seconds: what a process has between SIGTERM and SIGKILL.
            changes: names of processes to replace by their twins, as it becomes necessary; None: never.
            trial_seconds: what a process that is to take another one's place has to be ready.
            desk: where processes can be killed; None: nowhere.
        """
        self._plan, self._version, self._data_dir = plan, version, data_dir
        self._terminal, self._greeting, self._stop_seconds = terminal, greeting, stop_seconds
        self._changes, self._trial_seconds = changes, trial_seconds
        self._desk = Desk(desk, self) if desk else None
        self._keepers: list[Keeper] = []
        self._ready = False
        self._was_ready = self._finished = False
        self._written: StackState | None = None
        self._write_failed = False
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._served = asyncio.Event()

    async def run(self) -> None:
        """Run the stack until SIGINT, SIGTERM or SIGHUP; the second of them kills what is left at once."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, self._on_signal)
        # Nothing is ever written: children and guard wait for the end. The guard has a pipe of its own, since a child may set the
        # other one, which all of them share, to non-blocking.
        reading, writing = os.pipe()
        guard_reading, guard_writing = os.pipe()
        guard = await self._start_guard(guard_reading)
        os.close(guard_reading)
        try:
            self._keepers = [self._keeper(spec, reading) for spec in (self._plan.nats, *self._plan.services)]
            if self._desk:
                await self._desk.open()
            self._write()
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                replacing = Replacing(
                    self._plan.twins,
                    make=lambda spec: self._keeper(spec, reading, on_trial=True),
                    adopt=self._adopt,
                    answers=lambda url: _answers(session, url),
                    terminal=self._terminal,
                    stop_seconds=self._stop_seconds,
                    trial_seconds=self._trial_seconds,
                )
                await self._run(session, replacing)
        finally:
            if self._desk:
                await self._desk.close()
            self._finish()
            for descriptor in (reading, writing, guard_writing):
                os.close(descriptor)
            with contextlib.suppress(ProcessLookupError):  # somebody else ended it
                guard.kill()
            await guard.wait()

    def processes(self) -> list[ProcessView]:
        """Every process as it is now."""
        return [_view(keeper) for keeper in self._keepers]

    def strike(self, names: Sequence[str]) -> list[ProcessView]:
        """SIGKILL to these; those that ran, as they were."""
        meant = [keeper for keeper in self._keepers if keeper.spec.name in names]
        return [view for keeper, view in [(keeper, _view(keeper)) for keeper in meant] if keeper.strike()]

    async def _run(self, session: aiohttp.ClientSession, replacing: Replacing) -> None:
        nats, *services = self._keepers
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(nats.run())
            if await self._nats_answers(session, nats):
                for keeper in services:
                    tasks.create_task(keeper.run() if keeper.spec.health_url else self._visit(keeper))
                watching = [tasks.create_task(self._watch(session)), tasks.create_task(self._replace(replacing, tasks))]
                await self._stop.wait()
                for task in watching:
                    task.cancel()
            await self._stop_in_order()
            self._served.set()  # who has not come by now is told to stop already

    async def _visit(self, keeper: Keeper) -> None:
        """Run what serves nobody once all that does is ready: a start is work enough for a machine."""
        await self._served.wait()
        await keeper.run()

    async def _replace(self, replacing: Replacing, tasks: asyncio.TaskGroup) -> None:
        """Replace what changed; a newer change takes the place of one whose new process is still being started."""
        if self._changes is None:
            return
        running: dict[str, asyncio.Task[None]] = {}
        try:
            async for names in self._changes():
                for name in names:
                    if before := running.get(name):
                        before.cancel()
                    running[name] = tasks.create_task(replacing.replace(name, tasks))
        finally:
            for task in running.values():
                task.cancel()

    async def _start_guard(self, reading: int) -> asyncio.subprocess.Process:
        command = (sys.executable, "-I", "-S", GUARD, str(self._data_dir))
        return await asyncio.create_subprocess_exec(*command, stdin=reading, stderr=asyncio.subprocess.DEVNULL, process_group=0)

    def _keeper(self, spec: ProcessSpec, parent_fd: int, *, on_trial: bool = False) -> Keeper:
        def changed() -> None:
            if keeper in self._keepers:  # one on trial, or one that was replaced, is no part of the stack
                self._on_change()

        keeper = Keeper(spec, parent_fd=parent_fd, terminal=self._terminal, on_change=changed, on_trial=on_trial)
        return keeper

    def _adopt(self, name: str, new: Keeper) -> Keeper:
        """Put a keeper whose process is ready in the place of the one of that name; the old one."""
        at = next(at for at, keeper in enumerate(self._keepers) if keeper.spec.name == name)
        old, self._keepers[at] = self._keepers[at], new
        new.ready = True
        self._changed.set()
        self._write()
        return old

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._terminal.say("killing what is left")
            for keeper in self._keepers:
                keeper.kill()
            return
        self._terminal.say("stopping (once more kills at once)")
        self._stop.set()

    def _on_change(self) -> None:
        """A process came or went: until the next round of probes nothing is ready."""
        self._ready = False
        self._changed.set()
        self._write()

    async def _nats_answers(self, session: aiohttp.ClientSession, nats: Keeper) -> bool:
        """Wait for NATS, for `NATS_FIRST_SECONDS` at most; False where a signal to stop came first."""
        deadline = time.monotonic() + NATS_FIRST_SECONDS
        while time.monotonic() < deadline and not await _answers(session, nats.spec.health_url):
            if await wait_for(self._stop, POLL_NATS_SECONDS):
                break
        return not self._stop.is_set()

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        """Probe all processes, round after round; the stack is ready when all of one round answer and none changed meanwhile."""
        complain_at = time.monotonic() + COMPLAIN_SECONDS
        while True:
            self._changed.clear()
            answers = await asyncio.gather(*(_ready(session, keeper) for keeper in self._keepers))
            if not self._changed.is_set():
                for keeper, answer in zip(self._keepers, answers, strict=True):
                    keeper.ready = answer and keeper.pid is not None
                if all(keeper.ready for keeper in self._keepers if keeper.spec.health_url):
                    self._served.set()
                self._judge()
            if self._ready:
                complain_at = time.monotonic() + COMPLAIN_SECONDS
            elif time.monotonic() > complain_at:
                complain_at += COMPLAIN_SECONDS
                self._terminal.say("still not ready: " + ", ".join(k.spec.name for k in self._keepers if not k.ready))
            await wait_for(self._changed, POLL_READY_SECONDS if self._ready else POLL_STARTING_SECONDS)

    def _judge(self) -> None:
        ready = all(keeper.ready for keeper in self._keepers)
        if ready == self._ready:
            return
        self._ready = ready
        self._write()
        if not ready:
            self._terminal.say("not ready: " + ", ".join(k.spec.name for k in self._keepers if not k.ready))
        else:
            self._terminal.say("ready again" if self._was_ready else self._greeting)
            self._was_ready = True

    def _write(self) -> None:
        """Bring stack.json up to date."""
        processes = tuple(
            ProcessEntry(keeper.spec.service, keeper.spec.name, keeper.pid, keeper.spec.port, keeper.spec.internal_port)
            for keeper in self._keepers
            if keeper.pid is not None
        )
        processes += self._console()
        if self._desk and not self._finished:
            processes += (ProcessEntry(SERVICE, SERVICE, os.getpid(), self._desk.at.port, 0),)
        ready = self._ready and not self._stop.is_set()
        plan, own = self._plan, self._plan.api_url
        state = StackState(
            self._version,
            ready,
            plan.url,
            plan.nats_url,
            str(self._data_dir),
            plan.storage,
            processes,
            "" if own == plan.url else own,
        )
        if state == self._written:
            return
        try:
            write_stack(self._data_dir, state)
            self._written, self._write_failed = state, False
        except OSError as error:
            if not self._write_failed:
                self._terminal.say(f"stack.json cannot be written, it is out of date: {error.strerror}")
            self._write_failed = True

    def _console(self) -> tuple[ProcessEntry, ...]:
        """The gateways serve it, so that it is where one of them runs."""
        port = self._plan.console_port
        found = (
            ProcessEntry("console", "console", keeper.pid, port, keeper.spec.internal_port)
            for keeper in self._keepers
            if keeper.spec.kind == "gateway" and keeper.pid is not None and port
        )
        return tuple(found)[:1]

    async def _stop_in_order(self) -> None:
        self._write()
        for kind in STOP_ORDER:
            await asyncio.gather(*(k.stop(self._stop_seconds) for k in self._keepers if k.spec.kind == kind))

    def _finish(self) -> None:
        """Nothing of ours runs any more."""
        self._stop.set()
        self._ready, self._finished = False, True
        self._write()


def _view(keeper: Keeper) -> ProcessView:
    spec = keeper.spec
    return ProcessView(
        spec.service, spec.kind, spec.name, keeper.pid, keeper.since, keeper.restarts, keeper.state, keeper.outage_ms
    )


async def _ready(session: aiohttp.ClientSession, keeper: Keeper) -> bool:
    return await _answers(session, keeper.spec.health_url) if keeper.spec.health_url else keeper.pid is not None


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS)) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
