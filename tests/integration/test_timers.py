"""A timer over real processes: committed over the bus as an app, fired by storage, delivered on CW_TASKS, run by that app alone.

Also with a storage process that dies by SIGKILL at each point between the commit and the task: it is made once.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from causeway_common.bus import Bus, BusSettings, Deadline, DeliveryInfo, DurableConsumer
from causeway_common.contracts import messages as m
from causeway_common.contracts import subjects, verbs
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import FAULT_POINTS, now_ms
from support.nats import NatsServer
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]
STORAGE = Path(sys.executable).with_name("causeway-storage")
POINTS = [point for point in FAULT_POINTS if point.startswith("storage.timers") or point.endswith("_timer")]
APP = "auctions"
Req = TypeVar("Req", bound=m.Message)
Rep = TypeVar("Rep", bound=m.Message)


class World:
    """A real nats-server, a real storage process that is started again when it has died, and an app on the bus."""

    def __init__(self, directory: Path) -> None:
        self.nats = NatsServer(directory / "nats")
        self.bus = Bus(BusSettings(self.nats.url, "", "", "app"))
        self.delivered: list[tuple[str, str]] = []
        self._directory = directory
        self._config = directory / "causeway.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    async def start(self, fault: str) -> None:
        await self.nats.start()
        self._config.write_text(
            f'[nats]\nurl = "{self.nats.url}"\n[storage]\npath = "{self._directory / "s.sqlite3"}"\nsweep_interval = "500ms"\n'
        )
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
async def world_in(directory: Path, fault: str = "") -> AsyncIterator[World]:
    world = World(directory)
    try:
        await world.start(fault)
        yield world
    finally:
        await world.stop()


def close_at(at_ms: int, version: int) -> m.ScheduleItem:
    return m.ScheduleItem(name="close", at_ms=at_ms, task="close_lot", payload={"version": version})


async def test_a_timer_that_a_commit_sets_is_delivered_and_run_by_its_app_alone(tmp_path: Path) -> None:
    async with world_in(tmp_path) as world:
        await world.commit(
            1,
            close_at(now_ms() + 3_600_000, 1),
            m.ScheduleItem(name="never", at_ms=1, task="no", payload={}),
            m.CancelItem(name="never"),
        )
        await world.commit(2, close_at(now_ms() + 300, 2), m.TaskItem(task="announce", payload={"now": True}))
        await until(lambda: len(world.ids) == 2)

        task = {subject.rsplit(".", 1)[1]: name for name, subject in world.delivered}
        assert {subject for _, subject in world.delivered} == {"cw.v1.task.auctions.close_lot", "cw.v1.task.auctions.announce"}
        claim = m.ClaimRequest(id=task["close_lot"], node="n1", lease_ms=60_000)
        for other in ("chat", "integrations"):
            with pytest.raises(CausewayError, match="permission denied"):
                await world.ask(verbs.CLAIM, claim, other)
            with pytest.raises(CausewayError, match="permission denied"):
                await world.ask(verbs.SETTLE, m.SettleRequest(id=claim.id, attempt=1, outcome="done"), other)
        claimed = await world.ask(verbs.CLAIM, claim)
        assert claimed.outcome == "run"
        assert claimed.record
        assert (claimed.record.app, claimed.record.op, claimed.record.payload) == (APP, "close_lot", {"version": 2})
        assert (await world.ask(verbs.SETTLE, m.SettleRequest(id=claim.id, attempt=1, outcome="done"))).settled
        assert (await world.ask(verbs.CLAIM, claim)).outcome == "done"


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_storage_dies_between_a_commit_and_its_timers_task_it_is_made_once(tmp_path: Path, point: str) -> None:
    async with world_in(tmp_path, f"{point}:1") as world:
        await world.commit(1, close_at(now_ms() + 200, 1))
        await until(lambda: world.deaths() == 1)
        await until(lambda: bool(world.ids))
        await world.commit(2, m.TaskItem(task="last", payload={}))
        await until(lambda: any(subject.endswith(".last") for _, subject in world.delivered))

        closing = {name for name, subject in world.delivered if subject.endswith(".close_lot")}
        assert len(closing) == 1
        claimed = await world.ask(verbs.CLAIM, m.ClaimRequest(id=closing.pop(), node="n1", lease_ms=60_000))
        assert claimed.record
        assert (claimed.record.payload, claimed.record.attempts) == ({"version": 1}, 1)
