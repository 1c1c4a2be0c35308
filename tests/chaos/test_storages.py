"""P1 with two storage processes that share one database: one is killed, one sleeps past its heartbeat and wakes, NATS restarts, all under
load, and nothing acknowledged is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest

from causeway_common.contracts.shards import SHARDS
from chaos.checker import Histories, violations
from chaos.crowd import CONFIG, Chatter, Publishers, Watcher, whole_log
from support.metrics import scrape
from support.mongo import SERVERS
from support.operations import violations_in
from support.stack import Stack, running_stack
from support.stores import mongo_uri
from support.waiting import until

CHANNEL = "soak:storages"
FAR_ENOUGH = 100


async def killed(stack: Stack, name: str, publishers: Publishers) -> None:
    """It dies at once, and is started again."""
    pid = stack.kill(name)
    await progress(publishers)
    await until(lambda: pid not in stack.pids(), 10)
    await stack.ready()


async def slept(stack: Stack, name: str, publishers: Publishers) -> None:
    """It stands still until the others have taken its shards, and wakes as if nothing had been."""
    stack.kill(name, signal.SIGSTOP)
    try:
        await progress(publishers)
        await owns_everything(stack, "storage-1" if name == "storage-2" else "storage-2")
        await progress(publishers)
    finally:
        stack.kill(name, signal.SIGCONT)
    await stack.ready()


async def owns_everything(stack: Stack, name: str) -> None:
    """Wait until this process has taken every shard: the other one has been silent for too long."""
    port = next(process["internal_port"] for process in stack.state()["processes"] if process["name"] == name)
    async with asyncio.timeout(30):
        while (await scrape(port))["causeway_storage_shards", ""] != SHARDS:
            await asyncio.sleep(0.05)


async def progress(publishers: Publishers) -> None:
    """Wait until so many more publishes were answered."""
    goal = len(publishers.acknowledged) + FAR_ENOUGH
    await until(lambda: len(publishers.acknowledged) > goal, 30)


async def disturb(directory: Path, storage: str, seed: int) -> None:
    draw = random.Random(seed)
    async with running_stack(directory, config=CONFIG, storage=storage, storages=2) as stack, stack.api() as api:
        assert stack.state()["storage"] == await stack.storage() == "mongodb"
        publishers, chatter = Publishers(api, CHANNEL, count=4, in_flight=4), Chatter(stack.client("cem"))
        watcher = Watcher("ann", stack.client("ann"), CHANNEL)
        await watcher.watch()
        await chatter.start()
        publishers.start()
        await progress(publishers)
        steps = [(killed, "storage-1"), (slept, "storage-2"), (killed, "nats"), (killed, "storage-2")]
        draw.shuffle(steps)
        started = time.monotonic()
        for step, name in steps:
            await asyncio.sleep(draw.uniform(0, 0.3))  # the moment is what the seed draws
            await step(stack, name, publishers)
            await progress(publishers)
        await publishers.finish()
        breaches = await chatter.finish()
        epoch, log = await whole_log(api, CHANNEL)
        try:
            await until(lambda: bool(watcher.entries) and watcher.entries[-1] == log[-1], 50)
        except TimeoutError:
            breaches.append("the subscriber did not receive the last publication within 50 s")
        histories = Histories(
            epoch=epoch,
            log=log,
            acknowledged=publishers.acknowledged,
            sent=frozenset(publishers.sent),
            received={watcher.name: (watcher.start or 0, watcher.entries)},
            complaints=[*breaches, *watcher.complaints],
        )
        found = [*violations(histories), *(f"stored: {each}" for each in await violations_in("--uri", storage))]
        print(f"\nseed {seed}: {len(log)} publications, {len(publishers.errors)} repeats, {time.monotonic() - started:.1f} s")
        await watcher.client.disconnect()
        assert not found, "\n".join(found[:20]) + f"\n{stack.log()[-4000:]}"


@pytest.mark.stack
@pytest.mark.timeout(200)
async def test_nothing_acknowledged_is_lost_whatever_happens_to_one_of_two_storage_processes(tmp_path: Path) -> None:
    await disturb(tmp_path, mongo_uri(max(SERVERS), tmp_path), seed=1)


@pytest.mark.stack
@pytest.mark.timeout(120)
async def test_a_storage_process_leaves_under_load_and_no_request_fails(tmp_path: Path) -> None:
    """P7 for storage: each of two leaves and comes back, while publishes and commits go on."""
    async with (
        running_stack(tmp_path, config=CONFIG, storage=mongo_uri(min(SERVERS), tmp_path), storages=2) as stack,
        stack.api() as api,
    ):
        publishers, chatter = Publishers(api, CHANNEL, count=4, in_flight=4), Chatter(stack.client("cem"))
        await chatter.start()
        publishers.start()
        for name in ("storage-1", "storage-2"):
            await progress(publishers)
            pid = stack.kill(name, signal.SIGTERM)
            await until(lambda name=name, gone=pid: stack.pid(name) not in (0, gone), 20)  # type: ignore[misc]
            await stack.ready()
        await progress(publishers)
        await publishers.finish()
        breaches = await chatter.finish()
        epoch, log = await whole_log(api, CHANNEL)

        assert breaches == []
        assert violations(Histories(epoch, log, publishers.acknowledged, frozenset(publishers.sent), {})) == []
        assert publishers.errors == [], "no publish failed"
        assert len(chatter.answered) == len(chatter.sent), "and no commit"


@pytest.mark.soak
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_nothing_acknowledged_is_lost_with_two_storage_processes_over_many_seeds(
    tmp_path: Path, name: str, soak_seed: int
) -> None:
    await disturb(tmp_path, mongo_uri(name, tmp_path), seed=soak_seed)
