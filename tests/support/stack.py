"""The whole stack as a user has it: `causeway dev` with its real processes, in a data directory of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from cent import AsyncClient
from centrifuge import Client

from support.nats import free_port

CAUSEWAY = Path(sys.executable).with_name("causeway")
START_SECONDS = 40.0


class Stack:
    """A running `causeway dev`. Processes are found by `stack.json`, which it keeps true."""

    def __init__(
        self,
        directory: Path,
        *,
        config: str = "",
        gateways: int = 1,
        env: Mapping[str, str] | None = None,
        storage: str = "sqlite",
        storages: int = 1,
        arguments: Sequence[str] = (),
        crowd: bool = False,
    ) -> None:
        self.data_dir = directory / "data"
        self.port = free_port()
        self.log_path = directory / "stack.log"
        self._config, self._gateways, self._directory = config, gateways, directory
        self._storage, self._storages, self._arguments, self._crowd = storage, storages, arguments, crowd
        self._env = {**{k: v for k, v in os.environ.items() if not k.startswith("CAUSEWAY_")}, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and wait until `stack.json` says ready."""
        command = [
            str(CAUSEWAY),
            "dev",
            "--port",
            str(self.port),
            "--data-dir",
            str(self.data_dir),
            "--gateways",
            str(self._gateways),
            "--storage",
            self._storage,
            "--storages",
            str(self._storages),
            *self._arguments,
            *([] if self._crowd or "--simulate" in self._arguments else ["--no-simulate"]),
        ]
        if self._config:
            path = self._directory / "causeway.toml"
            path.write_text(self._config)
            command += ["--config", str(path)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._env, cwd=self._directory)
        await self.ready()

    async def ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until every process is ready.

        Raises:
            AssertionError: the supervisor ended, or it took longer than `seconds`; with the end of the log.
        """
        limit = time.monotonic() + seconds
        while not (self._process and self._process.poll() is None and self.state().get("ready")):
            if self._process is None or self._process.poll() is not None or time.monotonic() > limit:
                raise AssertionError(f"the stack is not ready: {self.state()}\n{self.log()[-6000:]}")
            await asyncio.sleep(0.02)

    def state(self) -> dict[str, Any]:
        """What `stack.json` says; empty when it is not there."""
        try:
            state: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text())
        except FileNotFoundError:
            return {}
        return state

    def log(self) -> str:
        """Everything the stack has printed."""
        return self.log_path.read_text(errors="replace")

    @property
    def url(self) -> str:
        """The WebSocket URL."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def credentials(self) -> dict[str, str]:
        """What `credentials.json` holds."""
        found: dict[str, str] = json.loads((self.data_dir / "credentials.json").read_text())
        return found

    def token(self, user: str, **claims: Any) -> str:
        """A connection token of this stack."""
        return jwt.encode({"sub": user, **claims}, self.credentials["token_hmac_secret_key"], "HS256")

    def client(self, user: str, **options: Any) -> Client:
        """A published client, not yet connected. It reconnects within 0.2 s, so that a test does not wait for its backoff."""
        return Client(self.url, token=self.token(user), max_reconnect_delay=0.2, **options)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[AsyncClient]:
        """A published server client, closed behind the block."""
        api = AsyncClient(f"http://127.0.0.1:{self.port}/api", self.credentials["api_key"], timeout=6)
        try:
            yield api
        finally:
            await api.close()

    async def storage(self) -> str:
        """What storage keeps its data in, as a gateway tells it once it has heard of storage."""
        headers, url = {"X-API-Key": self.credentials["api_key"]}, f"http://127.0.0.1:{self.port}/api/info"
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            while True:
                async with session.post(url, json={}, headers=headers) as response:
                    found = (await response.json())["result"].get("storage", "")
                if found:
                    return str(found)
                await asyncio.sleep(0.05)

    def processes(self) -> list[dict[str, Any]]:
        """What `stack.json` says of the children that run; beside them stand `causeway dev` as `dev`, and what gateways serve as `console`."""
        return [process for process in self.state().get("processes", []) if process["service"] not in ("dev", "console")]

    @property
    def console(self) -> str:
        """The URL of the operator's console."""
        return next(f"http://127.0.0.1:{each['port']}" for each in self.state()["processes"] if each["service"] == "console")

    def pid(self, name: str) -> int:
        """The process id of a process, by its name or its service; 0 while it is down."""
        for process in self.processes():
            if name in (process["name"], process["service"]):
                return int(process["pid"])
        return 0

    def pids_of(self, service: str) -> list[int]:
        """The process ids of a service's processes that run."""
        return [int(process["pid"]) for process in self.processes() if process["service"] == service]

    def pids(self) -> list[int]:
        """Every child's process id."""
        return [int(process["pid"]) for process in self.processes()]

    def kill(self, name: str, signum: int = signal.SIGKILL) -> int:
        """Send a signal to a process of the stack. Returns its process id."""
        pid = self.pid(name)
        assert pid, f"{name} is down already"
        os.kill(pid, signum)
        return pid

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        """`causeway dev` itself."""
        assert self._process is not None
        return self._process

    async def stop(self) -> int:
        """Ctrl-C, and wait for the end. Returns the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return await asyncio.to_thread(self._process.wait, 30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


@asynccontextmanager
async def running_stack(
    directory: Path,
    *,
    config: str = "",
    gateways: int = 1,
    env: Mapping[str, str] | None = None,
    storage: str = "sqlite",
    storages: int = 1,
    arguments: Sequence[str] = (),
    crowd: bool = False,
) -> AsyncIterator[Stack]:
    """A stack for the block, with these further arguments of `causeway dev`; stopped afterwards, also when the block fails.

    `crowd`: with the few simulated users that come along where nobody says otherwise; tests do without them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    stack = Stack(
        directory, config=config, gateways=gateways, env=env, storage=storage, storages=storages, arguments=arguments, crowd=crowd
    )
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
