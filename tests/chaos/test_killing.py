"""P1 under kill -9: gateway, storage, NATS, logic and integrations die in turn while 64 publishes are under way; nothing acknowledged is lost,
doubled or out of order, in the log and at every subscriber."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from chaos.checker import Histories, violations
from chaos.crowd import CONFIG, Chatter, Publishers, Watcher, whole_log
from support.operations import violations_in
from support.stack import running_stack
from support.waiting import until

CHANNEL = "soak:killing"
MIN_UNANSWERED = 16


async def kill_in_turn(directory: Path, seed: int) -> None:
    """One run; everything random in it comes from the seed."""
    draw = random.Random(seed)
    async with running_stack(directory, config=CONFIG, gateways=1 + seed % 2) as stack, stack.api() as api:
        publishers = Publishers(api, CHANNEL)
        watchers = [Watcher(name, stack.client(name), CHANNEL) for name in ("ann", "bob")]
        chatter = Chatter(stack.client("cem"))
        for watcher in watchers:
            await watcher.watch()
        await chatter.start()
        publishers.start()
        victims = ["gateway", "storage", "nats", "logic-chat", "integrations"]
        draw.shuffle(victims)
        started = time.monotonic()
        for victim in victims:
            acknowledged = len(publishers.acknowledged)
            await until(lambda before=acknowledged: len(publishers.acknowledged) > before + 200, 30)  # type: ignore[misc]
            await asyncio.sleep(draw.uniform(0, 0.5))  # the moment of the kill is what the seed draws
            unanswered = len(publishers.unanswered)
            assert unanswered >= MIN_UNANSWERED, f"only {unanswered} publishes were under way when {victim} was killed"
            pid = stack.kill(victim)
            await until(lambda gone=pid: gone not in stack.pids(), 10)  # type: ignore[misc]
            await stack.ready()
        acknowledged = len(publishers.acknowledged)
        await until(lambda: len(publishers.acknowledged) > acknowledged + 200, 30)
        await publishers.finish()
        breaches = await chatter.finish()
        epoch, log = await whole_log(api, CHANNEL)
        last = log[-1] if log else None
        try:
            await until(lambda: all(watcher.entries and watcher.entries[-1] == last for watcher in watchers), 50)
        except TimeoutError:
            breaches.append("a subscriber did not receive the last publication within 50 s")
        histories = Histories(
            epoch=epoch,
            log=log,
            acknowledged=publishers.acknowledged,
            sent=frozenset(publishers.sent),
            received={watcher.name: (watcher.start or 0, watcher.entries) for watcher in watchers},
            complaints=[*breaches, *(complaint for watcher in watchers for complaint in watcher.complaints)],
        )
        stored = await violations_in("--data-dir", stack.data_dir)
        found = [*violations(histories), *(f"stored: {each}" for each in stored)]
        print(
            f"\nseed {seed}: {len(log)} publications, {len(publishers.errors)} repeats, "
            f"{sum(watcher.recoveries for watcher in watchers)} recoveries, {len(chatter.answered)} of {len(chatter.sent)} chat messages "
            f"answered, killed {', '.join(victims)} in {time.monotonic() - started:.1f} s, {len(found)} violations"
        )
        for watcher in watchers:
            await watcher.client.disconnect()
        assert not found, "\n".join(found[:20]) + f"\n{stack.log()[-4000:]}"


@pytest.mark.stack
@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_whatever_process_dies(tmp_path: Path) -> None:
    """P1, the short form: one seed. `make soak N=20` runs twenty."""
    await kill_in_turn(tmp_path, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_over_many_seeds(tmp_path: Path, soak_seed: int) -> None:
    """P1, the long form."""
    await kill_in_turn(tmp_path, seed=soak_seed)
