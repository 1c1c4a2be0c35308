"""storage as a real process over a real nats-server, started again when it died, and an app that asks it over the bus."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from causeway_common.bus import Bus, BusSettings, Deadline, DeliveryInfo, DurableConsumer
from causeway_common.bus.apps import announce
from causeway_common.contracts import messages as m
from causeway_common.contracts import subjects, verbs
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError
from support.nats import NatsServer

STORAGE = Path(sys.executable).with_name("causeway-storage")
APP = "auctions"
Req = TypeVar("Req", bound=m.Message)
Rep = TypeVar("Rep", bound=m.Message)


class World:
    """A real nats-server, a real storage process that is started again when it has died, and an app on the bus."""

    def __init__(self, directory: Path, uri: str = "") -> None:
        self.nats = NatsServer(directory / "nats")
        self.bus = Bus(BusSettings(self.nats.url, "", "", "app"))
        self.delivered: list[tuple[str, str]] = []
        self._directory = directory
        self._where = f'uri = "{uri}"\nmigrate = true' if uri else f'path = "{directory / "s.sqlite3"}"'
        self._config = directory / "causeway.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    async def start(self, fault: str) -> None:
        await self.nats.start()
        self._config.write_text(f'[nats]\nurl = "{self.nats.url}"\n[storage]\n{self._where}\nsweep_interval = "500ms"\n')
        self.run(fault)
        await self.bus.start()
        consumer = DurableConsumer(
            self.bus, stream=subjects.TASKS_STREAM, durable=APP, subject=subjects.TASK.wildcard(app=APP), message=m.JobDelivery,
            handler=self._deliver, concurrency=4,
        )  # fmt: skip
        await consumer.start()
        self._consumer = consumer

    def run(self, fault: str = "") -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("CAUSEWAY_")}
        env |= {"CAUSEWAY_TESTING": "1", "CAUSEWAY_FAULT": fault} if fault else {}
        with (self._directory / "storage.log").open("ab") as log:
            self._process = subprocess.Popen([STORAGE, "--config", self._config], env=env, stdout=log, stderr=log)

    def deaths(self) -> int:
        """How often the process has died so far; if it just did, it runs again."""
        if self._process is not None and self._process.poll() is not None:
            self._deaths += 1
            self.run()
        return self._deaths

    async def stop(self) -> None:
        await self._consumer.stop()
        await self.bus.stop()
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self.nats.kill()

    async def ask(self, verb: verbs.Verb[Req, Rep], request: Req, caller: str = APP) -> Rep:
        """The answer, asked for again while storage is away."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.bus.request(verb, request, Deadline.after(2), caller=caller)
                except CausewayError as error:
                    if not error.temporary:
                        raise
                    self.deaths()
                    await asyncio.sleep(0.02)

    async def announce(self, *namespaces: m.NamespaceSpec) -> None:
        """Tell what the app declares; asked for again until storage has made the bucket."""
        manifest = m.Manifest(app=APP, version="1", methods=[], namespaces=list(namespaces))
        async with asyncio.timeout(20):
            while True:
                try:
                    return await announce(self.bus, manifest, Deadline.after(2))
                except CausewayError as error:
                    if not error.temporary:
                        raise
                    self.deaths()
                    await asyncio.sleep(0.02)

    async def commit(self, version: int, *items: m.OutboxItem) -> None:
        encoded = [encode_item(item) for item in items]
        request = m.CommitRequest(
            kind="lot", id="7", expected=version - 1, commit_id=f"c{version}", state={"version": version}, items=encoded
        )
        reply = await self.ask(verbs.COMMIT, request)
        assert (reply.outcome, reply.version) == ("committed", version)

    async def _deliver(self, message: m.JobDelivery, info: DeliveryInfo) -> None:
        self.delivered.append((message.id, info.subject))

    @property
    def ids(self) -> set[str]:
        return {name for name, _ in self.delivered}


@asynccontextmanager
async def world_in(directory: Path, fault: str = "", uri: str = "") -> AsyncIterator[World]:
    """`uri`: of a MongoDB database; "": on SQLite."""
    world = World(directory, uri)
    try:
        await world.start(fault)
        yield world
    finally:
        await world.stop()
