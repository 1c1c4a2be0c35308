"""The processes that serve, pinned to one core, and what they take of processor and memory. Linux's /proc and affinity are needed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from bench.speaking import SECRET
from causeway_common.contracts.shards import SHARDS
from support.nats import NatsServer, free_port

HERE: Final = Path(__file__).parent
SCRIPTS: Final = Path(sys.executable).parent
START_SECONDS: Final = 30.0
CORES: Final = sorted(os.sched_getaffinity(0))
SERVING, LOADING = CORES[0], CORES[-1]
CONFIG: Final = """\
[client]
connection_rate_limit = 0

[[channel.namespaces]]
name = "open"
allow_subscribe_for_client = true
allow_publish_for_client = true

[[channel.namespaces]]
name = "logged"
history_size = 10000
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
allow_publish_for_client = true
"""


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on this core for good; nats-server counts its processors when it starts."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {LOADING})


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, those that have ended included."""
    # What clock_getcpuclockid(3) answers for a process: to the nanosecond, where /proc/<pid>/stat counts hundredths of a second.
    return time.clock_gettime((~pid << 3) | 2)


def memory_kb(pid: int | str) -> int:
    """What of a process is in memory (RSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


class Meter:
    """Processor time of the processes that serve, from its making to `read`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def read(self) -> dict[str, float]:
        """Seconds of each."""
        return {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}

    def per(self, units: int) -> dict[str, float]:
        """Microseconds of each for one of `units`."""
        return {name: seconds * 1e6 / units for name, seconds in self.read().items()}


@dataclass(slots=True)
class Gateway:
    """A running gateway; with a report file it is an observed one."""

    port: int
    process: subprocess.Popen[bytes]
    report: Path | None = None

    def begin(self) -> None:
        """Begin an observed window."""
        self.process.send_signal(signal.SIGUSR1)

    async def end(self) -> dict[str, Any]:
        """End it; what was observed."""
        assert self.report is not None
        self.report.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR2)
        async with asyncio.timeout(START_SECONDS):
            while not self.report.exists():
                await asyncio.sleep(0.02)
        found: dict[str, Any] = msgspec.json.decode(self.report.read_bytes())
        return found


@dataclass(slots=True)
class Stack:
    """The processes of one figure. `pids` are those that serve."""

    directory: Path
    nats: NatsServer
    sink: int
    pids: dict[str, int] = field(default_factory=dict)
    gateways: list[Gateway] = field(default_factory=list)
    ends: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def gateway(self, *, observed: bool = False, profile: bool = False) -> Gateway:
        """One more gateway, ready."""
        number = len(self.gateways)
        name = f"gateway-{number}" if number else "gateway"
        port, internal = free_port(), free_port()
        report = self.directory / f"{name}.json" if observed or profile else None
        program = [sys.executable, HERE / "observed.py", report] if report else [SCRIPTS / "causeway-gateway"]
        env = {
            **self._env("gateway", internal),
            "CAUSEWAY_GATEWAY_HTTP_SERVER__PORT": str(port),
            "CAUSEWAY_GATEWAY_CLIENT__TOKEN__HMAC_SECRET_KEY": SECRET,
        }
        command = [*program, *(["--profile"] if profile else []), "--config", self._config()]
        process = await self._start(name, command, env, internal)
        gateway = Gateway(port, process, report)
        self.gateways.append(gateway)
        return gateway

    async def storage(self, uri: str = "") -> None:
        """Storage on SQLite, or on the MongoDB of this URI, ready."""
        internal = free_port()
        where = {"URI": uri, "MIGRATE": "true"} if uri else {"PATH": str(self.directory / "storage.sqlite3")}
        env = {**self._env("storage", internal), **{f"CAUSEWAY_STORAGE_{name}": value for name, value in where.items()}}
        await self._start("storage", [SCRIPTS / "causeway-storage", "--config", self._config()], env, internal)
        await _owning(internal)

    async def integrations(self) -> None:
        """Integrations as the stack's `causeway.toml` has them, ready."""
        internal = free_port()
        command = [SCRIPTS / "causeway-integrations", "--config", self._config()]
        await self._start("integrations", command, self._env("integrations", internal), internal)

    async def app(self, target: str = "echo:app", name: str = "logic", *, profile: bool = False) -> Gateway:
        """A process of an app, ready; observed where it is profiled. Its port is the internal one."""
        internal = free_port()
        report = self.directory / "logic.json" if profile else None
        program = [sys.executable, HERE / "observed.py", report, "--profile"] if report else []
        runner = [*program, "logic"] if report else [SCRIPTS / "causeway-logic"]
        command = [*runner, "run", target, "--config", self._config()]
        return Gateway(internal, await self._start(name, command, self._env("logic", internal), internal), report)

    async def floor(self, program: str, *arguments: object, script: str = "floors.py") -> int:
        """A floor program, ready; returns its port."""
        port = free_port()
        command = [sys.executable, HERE / script, program, port, self.nats.url, *arguments]
        await self._start(program, command, dict(os.environ), port)
        return port

    async def _start(self, name: str, command: Sequence[object], env: Mapping[str, str], port: int) -> subprocess.Popen[bytes]:
        with pinned(SERVING):
            process = await self.ends.enter_async_context(_running(self.directory, name, command, env, port))
        self.pids[name] = process.pid
        return process

    def _env(self, service: str, internal: int) -> dict[str, str]:
        prefix = f"CAUSEWAY_{service.upper()}_"
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("CAUSEWAY_")},
            prefix + "NATS__URL": self.nats.url,
            prefix + "INTERNAL__PORT": str(internal),
            prefix + "TELEMETRY__OTLP_ENDPOINT": f"http://127.0.0.1:{self.sink}",
            prefix + "TELEMETRY__LOG_LEVEL": "warning",
        }

    def _config(self) -> Path:
        path = self.directory / "causeway.toml"
        if not path.exists():
            path.write_text(CONFIG)
        return path


@asynccontextmanager
async def stack(directory: Path) -> AsyncIterator[Stack]:
    """nats-server and, on the load generator's core, a receiver of traces; everything started on it ends with the block."""
    directory.mkdir(parents=True)
    nats, sink = NatsServer(directory / "nats"), free_port()
    program = [sys.executable, HERE / "floors.py", "sink", str(sink), ""]
    try:
        with pinned(SERVING):
            await nats.start()
        async with _running(directory, "sink", program, dict(os.environ), sink), AsyncExitStack() as ends:
            assert nats._process is not None
            yield Stack(directory, nats, sink, {"nats": nats._process.pid}, ends=ends)
    finally:
        nats.kill()


@asynccontextmanager
async def _running(
    directory: Path, name: str, command: Sequence[object], env: Mapping[str, str], port: int
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process that answers /readyz on `port`; killed at the block's end, since nothing of it is wanted any more."""
    log = directory / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, env=dict(env), cwd=HERE)
    try:
        await _ready(process, port, log)
        yield process
    finally:
        process.kill()
        process.wait()


async def _owning(port: int) -> None:
    """Wait until a storage process serves every shard: before, its requests find nobody there and go on to any process."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                lines = (await response.text()).splitlines()
            if any(line.startswith("causeway_storage_shards") and float(line.split()[-1]) == SHARDS for line in lines):
                return
            await asyncio.sleep(0.02)


async def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{log.stem} ended while starting:\n{log.read_text()[-3000:]}")
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)
