"""Handlers get what their annotations name: the context, services of the app's lifespans, one input; plain functions run in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import pytest
from pydantic import BaseModel, Field

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_logic import App, Context, Draft, Reject
from causeway_logic.handlers.running import Runner
from causeway_logic.handlers.threads import Threads
from unit.logic.fakes import Bench

events: list[str] = []


class Rates:
    """A service."""

    def __init__(self) -> None:
        self.dollar = 1.25


class Prices:
    """A service that needs an earlier one."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates


class Ask(BaseModel):
    euros: int


class Account(BaseModel):
    balance: int = 100


app = App("shop", version="1.0.0")


@app.lifespan
async def rates() -> AsyncIterator[Rates]:
    events.append("rates open")
    yield Rates()
    events.append("rates closed")


@app.lifespan
async def prices(earlier: Rates) -> AsyncIterator[Prices]:
    events.append("prices open")
    yield Prices(earlier)
    events.append("prices closed")


@app.rpc
async def dollars(prices: Prices, req: Ask, ctx: Context, *, rates: Rates) -> list[Any]:
    return [req.euros * prices.rates.dollar, rates is prices.rates, ctx.user]


@app.rpc
async def input_first(req: int, ctx: Context) -> str:
    return f"{ctx.user} {req}"


@app.rpc
async def nothing() -> str:
    return "nothing"


@app.rpc
async def only_input(req: Annotated[int, Field(ge=1)]) -> int:
    return req


@app.rpc
def thread(ctx: Context, req: str) -> list[str]:
    if req == "reject":
        raise Reject(409, "not here")
    if req == "stop":
        raise StopIteration
    return [threading.current_thread().name, ctx.user]


@app.rpc
def withdraw(ctx: Context, req: int) -> int:
    def change(draft: Draft[Account]) -> None:
        if draft.state.balance < req:
            raise Reject(409, "not enough")
        draft.state.balance -= req

    return ctx.wait(ctx.entity(Account, ctx.user).edit(change, initial=Account())).balance


@app.rpc
async def wrong_wait(ctx: Context) -> None:
    ctx.wait(ctx.publish("nowhere:1", 1))


@app.rpc
async def optional(ctx: Context, req: Ask | None) -> int:
    return 0 if req is None else req.euros


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    events.clear()
    made = Bench(app)
    await made.dispatcher.start()
    yield made
    await made.dispatcher.stop()


async def test_each_parameter_gets_what_its_annotation_names_in_any_order(bench: Bench) -> None:
    assert await bench.call("dollars", {"euros": 4}) == [5.0, True, "ann"]
    assert await bench.call("input_first", 7) == "ann 7"
    assert await bench.call("nothing", {"any": "thing"}) == "nothing"
    assert await bench.call("only_input", 2) == 2


async def test_services_are_made_in_order_and_closed_in_reverse() -> None:
    events.clear()
    bench = Bench(app)
    await bench.dispatcher.start()
    await bench.dispatcher.stop()

    assert events == ["rates open", "prices open", "prices closed", "rates closed"]


async def test_when_a_service_fails_to_start_those_before_it_are_closed() -> None:
    events.clear()
    failing = App("failing", version="1.0.0")
    failing.lifespan(rates)

    @failing.lifespan
    async def broken() -> AsyncIterator[Prices]:
        raise OSError("no prices today")
        yield Prices(Rates())

    bench = Bench(failing)
    with pytest.raises(OSError, match="no prices today"):
        await bench.dispatcher.start()
    await bench.dispatcher.stop()

    assert events == ["rates open", "rates closed"]


async def test_a_service_that_fails_while_it_is_closed_does_not_keep_the_others_open() -> None:
    events.clear()
    failing = App("failing", version="1.0.0")
    failing.lifespan(rates)

    @failing.lifespan
    async def broken() -> AsyncIterator[Prices]:
        yield Prices(Rates())
        raise OSError("cannot close")

    @failing.lifespan
    async def twice() -> AsyncIterator[Ask]:
        yield Ask(euros=1)
        yield Ask(euros=2)

    bench = Bench(failing)
    await bench.dispatcher.start()
    await bench.dispatcher.stop()

    assert events == ["rates open", "rates closed"]


async def test_a_test_hands_a_service_in_the_place_of_the_apps_own() -> None:
    events.clear()
    fake = Rates()
    fake.dollar = 2
    runner = Runner(app, services={Rates: fake})
    await runner.start()
    method = app.methods["dollars"].signature

    assert await runner.run(
        method, cast("Any", Bench(app)).dispatcher._context("bob", "c", Bench(app).question()), Ask(euros=4)
    ) == [
        8,
        True,
        "bob",
    ]
    await runner.stop()
    assert events == ["prices open", "prices closed"]


async def test_a_plain_function_runs_in_a_thread_named_after_it(bench: Bench) -> None:
    name, user = await bench.call("thread", "where")

    assert (name, user) == ("shop.thread", "ann")
    with pytest.raises(CausewayError) as rejected:
        await bench.call("thread", "reject")
    with pytest.raises(CausewayError) as stopped:
        await bench.call("thread", "stop")
    assert (rejected.value.code, rejected.value.message) == (409, "not here")
    assert stopped.value.name is ErrorName.INTERNAL


async def test_a_plain_function_waits_for_what_the_context_does(bench: Bench) -> None:
    assert await bench.call("withdraw", 30) == 70
    with pytest.raises(CausewayError) as rejected:
        await bench.call("withdraw", 300)
    with pytest.raises(CausewayError) as wrong:
        await bench.call("wrong_wait", None)

    assert (rejected.value.code, rejected.value.message) == (409, "not enough")
    assert wrong.value.name is ErrorName.INTERNAL


@pytest.mark.parametrize("data", [b"", b"null"])
async def test_nothing_sent_counts_as_null(bench: Bench, data: bytes) -> None:
    assert await bench.call("optional", data) == 0
    with pytest.raises(CausewayError) as caught:
        await bench.call("only_input", data)

    assert caught.value.message == "bad request: data: Input should be a valid integer"


async def test_plain_functions_wait_for_a_free_thread_and_one_that_never_returns_keeps_nobody_but_itself() -> None:
    threads, release, started = Threads("t", 2), threading.Event(), threading.Semaphore(0)

    def stuck() -> str:
        started.release()
        release.wait(20)
        return "late"

    first = [asyncio.create_task(threads.run("stuck", stuck)) for _ in range(2)]
    for _ in range(2):
        assert await asyncio.to_thread(started.acquire, timeout=10)
    third = asyncio.create_task(threads.run("third", lambda: "third"))
    await asyncio.sleep(0)
    assert not third.done()
    first[0].cancel()  # its caller is gone, its thread is not free
    await asyncio.gather(first[0], return_exceptions=True)
    assert not third.done()
    release.set()

    assert await third == "third"
    assert await first[1] == "late"
    threads.stop()


def test_a_wrong_lifespan_is_refused_with_its_reason() -> None:
    fresh = App("fresh", version="1.0.0")

    async def no_generator() -> Rates:
        return Rates()

    async def untold():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield Rates()

    async def asks(ctx: Context) -> AsyncIterator[Rates]:
        yield Rates()

    async def too_early(prices: Prices) -> AsyncIterator[Ask]:
        yield Ask(euros=1)

    for function, told in (
        (no_generator, "must be an async generator"),
        (untold, "annotated with what it makes"),
        (asks, "parameter ctx of the lifespan asks can get nothing"),
        (too_early, "parameter prices of the lifespan too_early can get nothing"),
    ):
        with pytest.raises(TypeError, match=told):
            fresh.lifespan(cast("Any", function))
    fresh.lifespan(rates)
    with pytest.raises(ValueError, match="so does an earlier one"):
        fresh.lifespan(rates)


def test_a_service_that_is_declared_after_its_user_is_told_so() -> None:
    fresh = App("fresh", version="1.0.0")

    async def method(ctx: Context, prices: Prices) -> None: ...

    async def several(*args: int) -> None: ...

    async def unknown(ctx: Context, req: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(
        TypeError, match=r"prices of the method method is a Prices: neither a service .* nor a type that pydantic knows"
    ):
        fresh.rpc(method)
    with pytest.raises(TypeError, match="name each parameter"):
        fresh.rpc(several)
    with pytest.raises(TypeError, match="Missing"):
        fresh.rpc(unknown)
