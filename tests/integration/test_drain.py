"""P7 for the gateway: SIGTERM of one of two under load fails no request, and its clients go on at the other without loss."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from chaos.checker import Histories, violations
from chaos.crowd import CONFIG, Publishers, Watcher, whole_log
from support.stack import running_stack
from support.waiting import until

CHANNEL = "soak:drain"


@pytest.mark.stack
@pytest.mark.timeout(120)
async def test_a_gateway_leaves_under_load_without_a_failed_request_or_a_lost_publication(tmp_path: Path) -> None:
    async with running_stack(tmp_path, config=CONFIG, gateways=2) as stack, stack.api() as api:
        publishers = Publishers(api, CHANNEL, count=2, in_flight=4)
        watchers = [Watcher(f"user-{number}", stack.client(f"user-{number}"), CHANNEL) for number in range(4)]
        for watcher in watchers:
            await watcher.watch()
        publishers.start()
        for name in ("gateway-1", "gateway-2"):
            acknowledged = len(publishers.acknowledged)
            await until(lambda before=acknowledged: len(publishers.acknowledged) > before + 200, 30)  # type: ignore[misc]
            pid = stack.kill(name, signal.SIGTERM)
            await until(lambda name=name, gone=pid: stack.pid(name) not in (0, gone), 20)  # type: ignore[misc]
            await stack.ready()
        await publishers.finish()
        epoch, log = await whole_log(api, CHANNEL)
        await until(lambda: all(watcher.entries and watcher.entries[-1] == log[-1] for watcher in watchers), 30)
        histories = Histories(
            epoch=epoch,
            log=log,
            acknowledged=publishers.acknowledged,
            sent=frozenset(publishers.sent),
            received={watcher.name: (watcher.start or 0, watcher.entries) for watcher in watchers},
            complaints=[complaint for watcher in watchers for complaint in watcher.complaints],
        )
        for watcher in watchers:
            await watcher.client.disconnect()

        assert violations(histories) == []
        assert publishers.repeats == 0, "no request failed"
        assert sum(watcher.recoveries for watcher in watchers) >= len(watchers), "each of them had to move at least once"
