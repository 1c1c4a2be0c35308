"""How much of a method may run at once and for how long, over a real bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.telemetry import span
from causeway_logic import App, Context
from causeway_logic.handlers import answering, limits
from unit.logic.buses import served
from unit.logic.fakes import Bench

app = App("bounds", version="1.0.0")
ended: list[str] = []
gate = asyncio.Event()


@app.rpc(limit=2)
async def two(ctx: Context) -> None:
    await gate.wait()


@app.rpc
async def forever(ctx: Context) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("forever")


@app.rpc(timeout="50ms")
async def briefly(ctx: Context, req: str) -> float:
    try:
        if req == "own":
            raise TimeoutError("the app's own")
        if req == "wait":
            await asyncio.Event().wait()
        return ctx.deadline.remaining()
    finally:
        ended.append("briefly")


@app.rpc
def threaded(ctx: Context) -> None:
    time.sleep(0.5)


@app.rpc
async def crash(ctx: Context) -> None:
    raise RuntimeError("hunter2")


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    ended.clear()
    gate.clear()
    async with served(app, tmp_path) as (bus, _):
        yield bus


async def ask(bus: Bus, method: str, data: bytes = b"null", *, seconds: float = 10) -> bytes:
    request = m.RpcRequest(user="ann", client="c", data=data)
    return (await bus.request(verbs.RPC, request, Deadline.after(seconds), app="bounds", method=method)).data


async def error_of(answer: Any) -> CausewayError:
    with pytest.raises(CausewayError) as caught:
        await answer
    return caught.value


async def test_beyond_a_methods_limit_a_call_is_refused_at_once_as_temporary_and_other_methods_go_on(bus: Bus) -> None:
    first, second, third = (asyncio.create_task(ask(bus, "two")) for _ in range(3))
    error = await error_of(third)

    assert (error.name, error.code, error.temporary) == (ErrorName.OVERLOADED, 111, True)
    assert await ask(bus, "briefly", b'"now"')
    gate.set()
    assert list(await asyncio.gather(first, second)) == [b"null", b"null"]
    assert await ask(bus, "two") == b"null"


async def test_a_handler_past_its_callers_deadline_is_cancelled_and_counted(bus: Bus) -> None:
    before = answering.calls.value("cancelled")
    error = await error_of(ask(bus, "forever", seconds=0.1))
    while not ended:
        await asyncio.sleep(0.01)

    assert (error.name, error.temporary) == (ErrorName.UNAVAILABLE, True)
    assert answering.calls.value("cancelled") == before + 1


async def test_a_handler_past_its_methods_timeout_is_cancelled_and_its_caller_told(bus: Bus) -> None:
    before = limits._late.value("briefly")
    error = await error_of(ask(bus, "briefly", b'"wait"'))

    assert (error.name, error.temporary) == (ErrorName.UNAVAILABLE, True)
    assert "the method's time has passed" in error.message
    assert ended == ["briefly"]
    assert limits._late.value("briefly") == before + 1
    assert float(await ask(bus, "briefly", b'"now"')) <= 0.05


async def test_a_timeout_error_of_the_apps_own_is_a_fault_of_the_app(bus: Bus) -> None:
    assert (await error_of(ask(bus, "briefly", b'"own"'))).name is ErrorName.INTERNAL


async def test_the_caller_of_a_plain_function_hears_at_its_deadline(bus: Bus) -> None:
    assert (await error_of(ask(bus, "threaded", seconds=0.1))).name is ErrorName.UNAVAILABLE


async def test_an_internal_error_has_the_trace_id_in_log_and_reply_and_nothing_of_its_text() -> None:
    with structlog.testing.capture_logs() as logs, span("test", parent="00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"):
        error = await error_of(Bench(app).call("crash", None))

    assert error.message == f"internal server error (trace {'ab' * 16})"
    assert [str(each["exc_info"]) for each in logs] == ["hunter2"]


def test_wrong_limits_are_refused_where_they_are_declared() -> None:
    fresh = App("fresh", version="1.0.0")

    async def method(ctx: Context) -> None: ...

    with pytest.raises(ValueError, match="the limit of method is 1 or more"):
        fresh.rpc(limit=0)(method)
    with pytest.raises(ValueError, match="duration"):
        fresh.rpc(timeout="soon")(method)
    with pytest.raises(ValueError, match="when_unavailable of method is one of error, queue"):
        fresh.rpc(when_unavailable="allow")(method)  # type: ignore[call-overload]


def test_the_manifest_tells_each_methods_schemas_and_fallback() -> None:
    fresh = App("fresh", version="1.0.0")

    @fresh.rpc(when_unavailable="queue", concurrent=True)
    async def method(ctx: Context, req: dict[str, int]) -> list[str]:
        return list(req)

    @fresh.rpc
    async def other(ctx: Context) -> None: ...

    first, second = fresh.manifest().methods
    assert (first.when_unavailable, first.concurrent) == ("queue", True)
    assert first.input == '{"additionalProperties":{"type":"integer"},"type":"object"}'
    assert first.output == '{"items":{"type":"string"},"type":"array"}'
    assert (second.input, second.output, second.when_unavailable) == ("", '{"type":"null"}', "error")
