"""An app as its author runs it: real `causeway-logic` and storage processes over a real nats-server, started again when they died."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError
from support.nats import NatsServer

STORAGE = Path(sys.executable).with_name("causeway-storage")
LOGIC = Path(sys.executable).with_name("causeway-logic")


class AppWorld:
    """One app named `shop` of a source text, its processes, and a bus on which it is asked as gateways and integrations do.

    The app finds a file of the environment's `RAN`; what it appends there line by line is `ran`.
    """

    def __init__(self, directory: Path, source: str, config: str = "") -> None:
        self.nats = NatsServer(directory / "nats")
        self.bus = Bus(BusSettings(self.nats.url, "", "", "test"))
        self._directory, self._more = directory, config
        self._ran = directory / "ran"
        self._config = directory / "causeway.toml"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        (directory / "shop.py").write_text(source)
        self._ran.touch()

    async def start(self) -> None:
        await self.nats.start()
        self._config.write_text(
            f'[nats]\nurl = "{self.nats.url}"\nheartbeat = "200ms"\nsilence = "1s"\n'
            f'[storage]\npath = "{self._directory / "s.sqlite3"}"\nsweep_interval = "500ms"\nredeliver_after = "2s"\n{self._more}'
        )
        await self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()
        for process in self._processes.values():
            process.kill()
            await asyncio.to_thread(process.wait)
        self.nats.kill()

    def run(self, name: str, *, fault: str = "") -> None:
        """Start a process, `storage` or `logic…`; with a fault it dies there."""
        self._commands[name] = [str(STORAGE)] if name.startswith("storage") else [str(LOGIC), "run", "shop:app"]
        env = {key: value for key, value in os.environ.items() if not key.startswith("CAUSEWAY_")} | {"RAN": str(self._ran)}
        env |= {"CAUSEWAY_TESTING": "1", "CAUSEWAY_FAULT": fault} if fault else {}
        command = [*self._commands[name], "--config", str(self._config)]
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=self._directory)

    def died(self, name: str) -> bool:
        """Whether a process has ended."""
        return self._processes[name].poll() is not None

    def kill(self, name: str, signum: int = signal.SIGKILL) -> None:
        """Send a signal."""
        self._processes[name].send_signal(signum)
        if signum == signal.SIGKILL:
            self._processes[name].wait()

    @property
    def ran(self) -> list[str]:
        """What the app has written."""
        return self._ran.read_text().splitlines()

    async def call(self, method: str, data: Any = None, *, user: str = "ann") -> Any:
        """A method's answer; asked again while the app, or its storage, is away."""
        request = m.RpcRequest(user=user, client="c", data=json.dumps(data).encode())
        reply = await self._answered(verbs.RPC, request, app="shop", method=method)
        return json.loads(reply.data)

    async def enqueue(self, record: m.NewRecord, caller: str = "integrations") -> None:
        """A record, as integrations or a gateway make it."""
        await self._answered(verbs.ENQUEUE, m.EnqueueRequest(records=[record]), caller=caller)

    async def state(self, kind: str, id: str) -> Any:
        """An entity's state; None where there is none."""
        reply = await self._answered(verbs.GET, m.GetRequest(kind=kind, id=id), caller="shop")
        return reply.document.state

    async def until_state(self, kind: str, id: str, state: Any) -> None:
        """Wait until an entity is so."""
        found: Any = None
        try:
            async with asyncio.timeout(30):
                while (found := await self.state(kind, id)) != state:
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise AssertionError(f"{kind} {id} is {found}, not {state}; ran: {self.ran}\n{self.logs()}") from error

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self._directory.glob("*.log")))

    async def _answered(self, verb: verbs.Verb[Any, Any], request: Any, **fields: str) -> Any:
        last = ""
        try:
            async with asyncio.timeout(30):
                while True:
                    try:
                        return await self.bus.request(verb, request, Deadline.after(2), **fields)
                    except CausewayError as error:
                        if not error.temporary:
                            raise
                        last = str(error)
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"{verb.name} is not answered: {last}\n{self.logs()}") from error


@asynccontextmanager
async def app_world(directory: Path, source: str, config: str = "") -> AsyncIterator[AppWorld]:
    """A world for the block; no process runs at its beginning but nats-server. `config`: more of the configuration file."""
    world = AppWorld(directory, source, config)
    try:
        await world.start()
        yield world
    finally:
        await world.stop()
