"""A handler that keeps the event loop for itself is named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from causeway_logic import App, Channel, Context, Event, LifecycleEvent, RefreshReply
from causeway_logic.handlers import watchdog
from causeway_logic.handlers.watchdog import Watchdog, handlers_of
from unit.logic.fakes import Bench

app = App("slow", version="1.0.0")
rooms = app.namespace("room")


@app.rpc
async def report(ctx: Context, req: float) -> None:
    blocking(req)
    await asyncio.sleep(0)


@app.rpc
async def polite(ctx: Context, req: float) -> None:
    await asyncio.sleep(req)


@app.on_refresh
async def stay() -> RefreshReply:
    return RefreshReply(expire_at=None)


@rooms.on_publish
async def check(channel: Channel, data: str) -> None: ...


@rooms.channel("{room}").on_subscribe
async def may_watch(room: str) -> None: ...


@app.task
async def tidy(ctx: Context) -> None: ...


@app.every("1h")
async def sweep(ctx: Context) -> None: ...


@app.on_event("stripe", "*")
async def paid(ctx: Context, event: Event[Any]) -> None: ...


@app.on_lifecycle("connected")
async def came(ctx: Context, event: LifecycleEvent) -> None: ...


def blocking(seconds: float) -> None:
    time.sleep(seconds)


@pytest.fixture
def warnings() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


async def test_a_handler_that_blocks_the_loop_is_named_with_its_stack_and_counted(warnings: list[Any]) -> None:
    before, before_ms = watchdog._blocked.value("slow.report"), watchdog._blocked_ms.value("slow.report")
    dog = Watchdog(app, seconds=0.05)
    await dog.start()
    await Bench(app).call("report", 0.5)
    while watchdog._blocked_ms.value("slow.report") == before_ms:
        await asyncio.sleep(0.01)
    await dog.stop()

    [told] = [each for each in warnings if each.get("handler") == "slow.report"]
    assert told["log_level"] == "warning"
    assert "in report" in told["stack"]
    assert "time.sleep(seconds)" in told["stack"]
    assert watchdog._blocked.value("slow.report") == before + 1


async def test_a_handler_that_waits_politely_is_not(warnings: list[Any]) -> None:
    dog = Watchdog(app, seconds=0.1)
    await dog.start()
    await Bench(app).call("polite", 0.3)
    await dog.stop()

    assert not [each for each in warnings if each.get("handler") == "slow.polite"]


async def test_what_blocks_outside_of_any_handler_is_told_too(warnings: list[Any]) -> None:
    dog = Watchdog(app, seconds=0.05)
    await dog.start()
    time.sleep(0.3)
    await dog.stop()

    assert watchdog.UNKNOWN in [each.get("handler") for each in warnings]


def test_every_handler_has_a_name() -> None:
    assert sorted(handlers_of(app).values()) == [
        "room on_publish",
        "room:{room} on_subscribe",
        "slow on_event stripe *",
        "slow on_lifecycle connected",
        "slow on_refresh",
        "slow task sweep",
        "slow task tidy",
        "slow.polite",
        "slow.report",
    ]
