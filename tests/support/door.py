"""integrations as real processes beside a real storage and a real nats-server; each is started again when it died."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.connectors import split_operation
from causeway_common.contracts.errors import CausewayError
from causeway_storage.domain.record import unpack_log
from support.nats import free_port
from support.storage_process import APP, World

INTEGRATIONS = Path(sys.executable).with_name("causeway-integrations")


@dataclass(frozen=True)
class Kept:
    """A record as the database has it."""

    state: str
    attempts: int
    note: str
    log: list[m.Attempt]


class Door(World):
    """`World` with integrations. `fault` strikes the first life of the first of them."""

    def __init__(self, directory: Path, config: str, replicas: int, top: str, path: Path | None) -> None:
        super().__init__(directory)
        self._settings, self._replicas, self._top = config, replicas, top
        self._path = path
        self.hooks_port = free_port()
        self.internal = [free_port() for _ in range(replicas)]
        self._doors: list[subprocess.Popen[bytes]] = []
        self.door_deaths = 0

    async def start(self, fault: str) -> None:
        """Start everything, and wait until integrations are ready."""
        await super().start("")
        with self._config.open("a") as file:
            file.write(f"\n[integrations]\n{self._top}\n[integrations.hooks]\nport = {self.hooks_port}\n{self._settings}\n")
        self._doors = [self._run_door(number, "" if number else fault) for number in range(self._replicas)]
        await self.ready()

    def _run_door(self, number: int, fault: str = "") -> subprocess.Popen[bytes]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("CAUSEWAY_")}
        env |= {"CAUSEWAY_TESTING": "1", "CAUSEWAY_FAULT": fault} if fault else {}
        env["CAUSEWAY_INTEGRATIONS_INTERNAL__PORT"] = str(self.internal[number])
        if self._path:
            env["PYTHONPATH"] = str(self._path)
        if number:  # one alone listens
            env["CAUSEWAY_INTEGRATIONS_HOOKS__PORT"] = "0"
        with (self._directory / f"integrations-{number}.log").open("ab") as log:
            return subprocess.Popen([INTEGRATIONS, "--config", self._config], env=env, stdout=log, stderr=log)

    def deaths(self) -> int:
        """As `World` for storage; integrations that died run again too."""
        for number, process in enumerate(self._doors):
            if process.poll() is not None:
                self.door_deaths += 1
                self._doors[number] = self._run_door(number)
        return super().deaths()

    def kill_door(self, number: int = 0) -> None:
        """SIGKILL; it runs again at the next look."""
        self._doors[number].kill()
        self._doors[number].wait()

    async def leave(self, number: int) -> int:
        """SIGTERM; the exit code. It does not come back."""
        process = self._doors.pop(number)
        process.terminate()
        return await asyncio.to_thread(process.wait, 40)

    async def ready(self) -> None:
        """Wait until every process of integrations is ready."""
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            for port in self.internal:
                while True:
                    self.deaths()
                    try:
                        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                            if response.status == 200:
                                break
                    except aiohttp.ClientError:
                        pass
                    await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop everything."""
        for process in self._doors:
            process.kill()
            await asyncio.to_thread(process.wait)
        await super().stop()

    async def call(self, operation: str, payload: dict[str, Any], *, key: str = "", seconds: float = 4, caller: str = APP) -> Any:
        """The reply. Raises CausewayError."""
        connector, op = split_operation(operation)
        request = m.CallRequest(payload=payload, idempotency_key=key)
        fields = {"caller": caller, "connector": connector, "op": op}
        return (await self.bus.request(verbs.CALL, request, Deadline.after(seconds), **fields)).payload

    async def failing(self, operation: str, payload: dict[str, Any], **options: Any) -> CausewayError:
        """The error of a call that fails."""
        try:
            reply = await self.call(operation, payload, **options)
        except CausewayError as error:
            return error
        raise AssertionError(f"it was answered: {reply}")

    async def enqueue(self, operation: str, payload: dict[str, Any], id: str, caller: str = APP) -> str:
        """Leave a job behind; its record's id."""
        connector, op = split_operation(operation)
        record = m.NewRecord(id=id, app=caller, connector=connector, op=op, payload=payload)
        await self.ask(verbs.ENQUEUE, m.EnqueueRequest(records=[record]), caller)
        return f"a:{caller}:{id}"

    def records(self, where: str = "1", *values: str) -> list[Kept]:
        """What the database has, by its own file."""
        with closing(sqlite3.connect(f"file:{self._directory / 's.sqlite3'}?mode=ro", uri=True)) as connection:
            rows = connection.execute(f"SELECT state, attempts, note, log FROM records WHERE {where}", values).fetchall()
        return [Kept(state, attempts, note, unpack_log(log)) for state, attempts, note, log in rows]

    def record(self, id: str) -> Kept:
        """The record of this id."""
        (found,) = self.records("id = ?", id)
        return found

    async def ended(self, *ids: str, seconds: float = 45) -> None:
        """Wait until these are done or dead."""
        async with asyncio.timeout(seconds):
            while any(self.record(each).state == "pending" for each in ids):
                self.deaths()
                await asyncio.sleep(0.05)

    async def hook(self, source: str, body: bytes, headers: dict[str, str]) -> int:
        """Send a webhook to us; the status, 0 for no answer."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://127.0.0.1:{self.hooks_port}/hooks/{source}", data=body, headers=headers) as response,
            ):
                return response.status
        except aiohttp.ClientError:
            return 0

    async def metrics(self, number: int = 0) -> str:
        """What /metrics says."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.internal[number]}/metrics") as response:
            return await response.text()

    def said(self) -> str:
        """Everything that integrations and storage wrote: their output, and the database."""
        files = [*self._directory.glob("*.log"), *self._directory.glob("s.sqlite3*")]
        return "\n".join(file.read_bytes().decode("latin-1") for file in files)


@asynccontextmanager
async def door_in(
    directory: Path, config: str, *, fault: str = "", replicas: int = 1, top: str = "", path: Path | None = None
) -> AsyncIterator[Door]:
    """A `Door` for the block; `top` stands right under `[integrations]`, `path` on their Python path."""
    door = Door(directory, config, replicas, top, path)
    try:
        await door.start(fault)
        yield door
    finally:
        await door.stop()
