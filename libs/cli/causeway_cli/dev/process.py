"""One process, kept alive: started, its output printed, started again when it dies, stopped when asked."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from causeway_cli.dev.lines import LineSplitter
from causeway_cli.dev.plan import ProcessSpec
from causeway_cli.dev.policy import RestartPolicy
from causeway_cli.dev.terminal import Terminal

TETHER: Final = str(Path(__file__).with_name("tether.py"))
PARENT_FD: Final = "CAUSEWAY_PARENT_FD"
FAULT: Final = "CAUSEWAY_FAULT"
_READ_BYTES: Final = 65536
# Output that is still in the pipe when the process is gone; longer only where something else holds the pipe open.
_LAST_OUTPUT_SECONDS: Final = 1.0


class Keeper:
    """Keeps one process running.

    `pid` is None while it is down; `ready` is what the supervisor last heard from it, false from the moment it dies. While it is
    `on_trial` its death is its end, and `death` says how it came. `since` is when this life began (Unix milliseconds), `restarts` how many
    lives there were before it, `outage_ms` how long it was not ready after its latest death, None until it is back.
    """

    def __init__(
        self, spec: ProcessSpec, *, parent_fd: int, terminal: Terminal, on_change: Callable[[], None], on_trial: bool = False
    ) -> None:
        """A keeper at rest.

        Args:
            spec: the process.
            parent_fd: reading end of a pipe whose other end only we hold; the process ends at its end.
            terminal: gets its output.
            on_change: called whenever `pid` changed.
            on_trial: it is not started again until this is taken away.
        """
        self.spec = spec
        self.pid: int | None = None
        self.since: int | None = None
        self.restarts = 0
        self.outage_ms: int | None = None
        self._ready, self._died = False, 0.0
        self.on_trial, self.death = on_trial, ""
        self._parent_fd, self._terminal, self._on_change = parent_fd, terminal, on_change
        self._policy = RestartPolicy()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def state(self) -> Literal["ready", "starting", "down"]:
        """How it stands, in one word."""
        return "down" if self.pid is None else "ready" if self._ready else "starting"

    @property
    def ready(self) -> bool:
        """Whether it answers that it is ready."""
        return self._ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._ready = ready
        if ready and self._died:
            self.outage_ms, self._died = round((time.monotonic() - self._died) * 1000), 0.0

    async def run(self) -> None:
        """Start it, and again each time it dies, until `stop` or `kill`."""
        self._ended.clear()
        env = {**self.spec.env, PARENT_FD: str(self._parent_fd)}
        try:
            while not self._stopping.is_set():
                started = time.monotonic()
                death = await self._live(env)
                if self._stopping.is_set():
                    return
                if self.on_trial:
                    self.death = death
                    return
                self.restarts += 1
                env.pop(FAULT, None)  # a fault that a test asked for strikes once, not at every start
                delay = self._policy.died(started, time.monotonic())
                self._terminal.say(f"{self.spec.name} {death}, starting it again{f' in {delay:g} s' if delay else ''}")
                await wait_for(self._stopping, delay)
        finally:
            self._ended.set()

    async def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL to its whole group after `seconds`; returns when it is gone. One that was never run will not start."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if not await wait_for(self._ended, seconds):
            self._terminal.say(f"{self.spec.name} has not stopped within {seconds:g} s, killing it")
            self._signal(signal.SIGKILL)
            await self._ended.wait()

    def kill(self) -> None:
        """SIGKILL to its whole group, and no further start."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def strike(self) -> bool:
        """SIGKILL to its whole group, as a crash would end it: it is started again. Whether it ran."""
        self._signal(signal.SIGKILL)
        return self.pid is not None

    async def _live(self, env: dict[str, str]) -> str:
        """One life, from start to death; returns how it ended."""
        reading, writing = os.pipe()
        command = (sys.executable, "-I", "-S", TETHER, str(os.getpid()), *self.spec.command)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=env,
                cwd=self.spec.cwd,
                pass_fds=(self._parent_fd,),
                process_group=0,
            )
        except OSError as error:
            os.close(reading)
            return f"cannot be started ({error.strerror})"
        finally:
            os.close(writing)
        self.pid, self.since = process.pid, round(time.time() * 1000)
        self._on_change()
        pump = asyncio.create_task(self._pump(reading))
        try:
            if self._stopping.is_set():
                self._signal(signal.SIGTERM)
            status = await process.wait()
        finally:
            self._signal(signal.SIGKILL)  # what it may have left behind in its group
            self.pid, self.since, self._ready = None, None, False
            self.outage_ms, self._died = None, time.monotonic()
            self._on_change()
            await asyncio.wait({pump}, timeout=_LAST_OUTPUT_SECONDS)
            pump.cancel()
        return _how_it_ended(status)

    async def _pump(self, descriptor: int) -> None:
        """Print the output as it comes, to its end."""
        reader, splitter = asyncio.StreamReader(), LineSplitter()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while data := await reader.read(_READ_BYTES):
                self._print(splitter.feed(data))
            self._print(splitter.end())
        finally:
            transport.close()

    def _print(self, lines: list[str]) -> None:
        hidden = self.spec.hidden
        for line in lines:
            if hidden is None or not hidden.search(line):
                self._terminal.write(self.spec.name, line)

    def _signal(self, signum: signal.Signals) -> None:
        if self.pid is None:
            return
        try:
            os.killpg(self.pid, signum)
        except (ProcessLookupError, PermissionError):
            # Gone already; on macOS a group of zombies answers the latter.
            return


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"died by {signal.Signals(-status).name}"
    except ValueError:
        return f"died by signal {-status}"
