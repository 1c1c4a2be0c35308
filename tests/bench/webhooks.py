"""Where webhooks go in the benchmarks: a receiver, and running integrations that deliver to it.

As a program it is the floor: an aiohttp client that posts signed bodies alone. `python webhooks.py <URL> <seconds>`.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import uvloop
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asking import traced
from bench.load import WrongError
from bench.plan import Plan
from bench.processes import Stack
from bench.speaking import message
from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.telemetry import span
from causeway_integrations.domain.webhook import CONNECTOR, DELIVER, Endpoint
from support.nats import free_port

APP: Final = "bench"
EVENT: Final = "bench.done"
SECRET: Final = "whsec_" + base64.b64encode(b"a key of the benchmark alone").decode()
BODY: Final = message(0).decode()
AT_ONCE: Final = 64
HEALTHY: Final = tuple(f"ok-{number}" for number in range(100))
HANGING: Final = "hang"
FAILING: Final = "fail"
PATIENCE_SECONDS: Final = 30.0
FAULTS_MAX: Final = 20


class Receiver:
    """Takes webhooks by `/<destination>`, checks each signature, and tells when one has come.

    Attributes:
        port: where it listens.
        released: once set, the hanging destination hangs no more.
        faults: what was wrong with what came.
    """

    def __init__(self) -> None:
        self.port, self.released = free_port(), asyncio.Event()
        self.faults: list[str] = []
        self._hook = Webhook(SECRET)
        self._awaited: dict[str, asyncio.Future[float]] = {}

    def url(self, destination: str) -> str:
        """Where this destination gets its webhooks."""
        return f"http://127.0.0.1:{self.port}/{destination}"

    def coming(self, id: str) -> asyncio.Future[float]:
        """When the webhook of this id has come, on `time.perf_counter`."""
        return self._awaited.setdefault(id, asyncio.get_running_loop().create_future())

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """For the block."""
        app = web.Application()
        app.router.add_post("/{destination}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024).start()
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body, came = await request.read(), request.headers.get("webhook-id", "")
        try:
            self._hook.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.faults.append(f"{came}: {error}")
        destination = request.match_info["destination"]
        if destination == FAILING:
            return web.Response(status=503)
        if destination == HANGING:
            await self.released.wait()
        if (awaited := self._awaited.pop(came, None)) is not None:
            awaited.set_result(time.perf_counter())
        return web.Response(status=204)


@dataclass(frozen=True, slots=True)
class Door:
    """Running integrations, and what they deliver to."""

    stack: Stack
    receiver: Receiver
    bus: Bus

    async def leave(self, destination: str, ids: Sequence[str], due_ms: int = 0, body: str = BODY) -> None:
        """Leave a delivery for each id. Raises WrongError, CausewayError."""
        endpoint = Endpoint(APP, EVENT, self.receiver.url(destination), SECRET).id
        records = [
            m.NewRecord(
                id=each,
                app=APP,
                connector=CONNECTOR,
                op=DELIVER,
                payload={"endpoint": endpoint, "id": each, "body": body},
                due_ms=due_ms,
                traceparent=traced(),
            )
            for each in ids
        ]
        deadline = Deadline.after(verbs.CLIENT_COMMAND_SECONDS)
        request = m.EnqueueRequest(records=records)
        with span("leave", parent=traced()):  # as a gateway samples them
            reply = await self.bus.request(verbs.ENQUEUE, request, deadline, message_id=ids[0], caller="integrations")
        if reply.created != len(ids):
            raise WrongError(f"of {len(ids)} jobs {reply.created} are new")

    async def kept(self, name: str, where: str, count: int) -> None:
        """Wait until so many jobs of this name stand so in storage's own file. Raises WrongError."""
        limit = time.perf_counter() + PATIENCE_SECONDS
        while (found := self.count(name, where)) != count:
            if time.perf_counter() > limit:
                raise WrongError(f"{name}: {found} jobs are kept where {where}, expected {count}")
            await asyncio.sleep(0.01)
        if self.receiver.faults:
            raise WrongError("\n".join(self.receiver.faults[:FAULTS_MAX]))

    def count(self, name: str, where: str) -> int:
        """How many jobs of this name stand so in storage's own file."""
        path = self.stack.directory / "storage.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            query = f"SELECT count(*) FROM records WHERE id GLOB ? AND {where}"
            return int(connection.execute(query, (f"{name}-*",)).fetchone()[0])


@asynccontextmanager
async def door(plan: Plan, name: str, schedule: list[str], *, per_destination: int) -> AsyncIterator[Door]:
    """Storage and integrations with all destinations configured; a request times out after 1 s."""
    receiver = Receiver()
    async with receiver.listening(), plan.stack(name) as stack:
        settings = [
            f"[integrations]\nconcurrency = {AT_ONCE}\nper_destination = {per_destination}",
            f'[integrations.webhook]\ntimeout = "1s"\nallow_hosts = ["127.0.0.1"]\nretry_schedule = {schedule}',
        ]
        for destination in (*HEALTHY, HANGING, FAILING):
            url = receiver.url(destination)
            settings.append(
                f'[[integrations.webhook.endpoints]]\napp = "{APP}"\nevent = "{EVENT}"\nurl = "{url}"\nsecret = "{SECRET}"'
            )
        (stack.directory / "causeway.toml").write_text("\n".join(settings))
        await stack.storage()
        await stack.integrations()
        bus = Bus(BusSettings(stack.nats.url, "", "", "bench"))
        await bus.start()
        try:
            yield Door(stack, receiver, bus)
        finally:
            await bus.stop()


async def post(url: str, seconds: float) -> float:
    """Signed bodies from one aiohttp client, `AT_ONCE` at once; requests a second. Raises WrongError."""
    hook, count, started = Webhook(SECRET), 0, time.perf_counter()

    async def caller(session: aiohttp.ClientSession) -> None:
        nonlocal count
        while time.perf_counter() - started < seconds:
            count += 1
            name, now = f"floor-{count}", datetime.now(UTC)
            headers = {"webhook-id": name, "webhook-timestamp": str(int(now.timestamp())), "content-type": "application/json"}
            headers["webhook-signature"] = hook.sign(name, now, BODY)
            async with session.post(url, data=BODY.encode(), headers=headers) as response:
                if response.status != 204:
                    raise WrongError(f"a webhook was answered {response.status}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session, asyncio.TaskGroup() as callers:
        for _ in range(AT_ONCE):
            callers.create_task(caller(session))
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.stdout.write(str(uvloop.run(post(sys.argv[1], float(sys.argv[2])))))
