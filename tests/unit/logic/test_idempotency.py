"""Calls with an idempotency key: the first result is given again, across processes and after a kill; effects happen once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import CommitRequest
from causeway_logic import App, Context, Draft, History, Reject
from causeway_logic.domain.ledger import LEDGER_KIND
from unit.logic.fakes import Bench

MINUTE = 60_000


class Account(BaseModel):
    balance: int


class Transfer(BaseModel):
    amount: int
    request_id: str | None = None
    then: str = ""


app = App("bank", version="1.0.0")
app.namespace("account", history=History(size=10, ttl="1d"))
gate = asyncio.Event()
runs: list[str] = []


@app.rpc(idempotent="request_id")
async def withdraw(ctx: Context, req: Transfer) -> dict[str, Any]:
    def change(draft: Draft[Account]) -> None:
        if draft.state.balance < req.amount:
            raise Reject(409, "not enough")
        draft.state.balance -= req.amount
        draft.publish("account:ann", {"balance": draft.state.balance})

    runs.append(ctx.user)
    account = await ctx.entity(Account, "ann").edit(change)
    if req.then == "crash":
        raise RuntimeError("after the commit")
    if req.then == "wait":
        await gate.wait()
    if req.then == "grow":
        return {"text": "x" * 70_000}
    return {"balance": account.balance, "id": ctx.new_id()}


@app.rpc(idempotent="request_id")
async def later(ctx: Context, req: Transfer) -> None:
    raise Reject(409, "not yet", temporary=True)


@pytest.fixture
def bench() -> Bench:
    runs.clear()
    gate.clear()
    made = Bench(app)
    made.storage.put("account", "ann", {"balance": 100})
    return made


def beside(bench: Bench) -> Bench:
    """Another process of the app over the same storage."""
    other = Bench(app)
    other._calls = 1000
    other.storage, other.time_ms = bench.storage, bench.time_ms
    other.dispatcher._outside = bench.dispatcher._outside.__class__(
        **{name: getattr(other.dispatcher._outside, name) for name in other.dispatcher._outside.__slots__}
        | {"storage": bench.storage}
    )
    return other


def balance(bench: Bench) -> int:
    state = bench.storage.entities["account", "ann"].state or {}
    return int(state["balance"])


async def test_a_second_call_with_the_same_key_gets_the_first_ones_result_in_any_process(bench: Bench) -> None:
    first = await bench.call("withdraw", {"amount": 30, "request_id": "r1"})
    again = await bench.call("withdraw", b'{ "request_id": "r1",  "amount": 30 }')
    elsewhere = await beside(bench).call("withdraw", {"amount": 30, "request_id": "r1"})

    assert first == again == elsewhere
    assert first["balance"] == balance(bench) == 70
    assert len(runs) == 1


async def test_without_a_key_and_with_another_users_or_methods_each_call_is_its_own(bench: Bench) -> None:
    for _ in range(2):
        await bench.call("withdraw", {"amount": 10})
        await bench.call("withdraw", {"amount": 10, "request_id": None})
    for user in ("ann", "bob", ""):
        await bench.call("withdraw", {"amount": 10, "request_id": "r1"}, user=user)

    assert balance(bench) == 30


async def test_the_same_key_with_another_input_is_107(bench: Bench) -> None:
    await bench.call("withdraw", {"amount": 30, "request_id": "r1"})
    with pytest.raises(CausewayError) as caught:
        await bench.call("withdraw", {"amount": 31, "request_id": "r1"})
    with pytest.raises(CausewayError) as long:
        await bench.call("withdraw", {"amount": 31, "request_id": "r" * 65})

    assert caught.value.code == 107
    assert "another input" in caught.value.message
    assert long.value.code == 107
    assert balance(bench) == 70


async def test_a_rejection_is_a_result_and_a_temporary_one_is_none(bench: Bench) -> None:
    with pytest.raises(CausewayError) as first:
        await bench.call("withdraw", {"amount": 300, "request_id": "r1"})
    bench.storage.put("account", "ann", {"balance": 1000})
    with pytest.raises(CausewayError) as again:
        await bench.call("withdraw", {"amount": 300, "request_id": "r1"})

    assert (first.value.code, first.value.message) == (again.value.code, again.value.message) == (409, "not enough")
    for _ in range(2):
        with pytest.raises(CausewayError, match="not yet"):
            await bench.call("later", {"amount": 1, "request_id": "r2"})


async def test_while_the_first_call_runs_a_second_one_is_told_to_try_later(bench: Bench) -> None:
    first = asyncio.create_task(bench.call("withdraw", {"amount": 30, "request_id": "r1", "then": "wait"}))
    while balance(bench) == 100:
        await asyncio.sleep(0)
    with pytest.raises(CausewayError) as caught:
        await beside(bench).call("withdraw", {"amount": 30, "request_id": "r1", "then": "wait"})
    gate.set()

    assert caught.value.name is ErrorName.UNAVAILABLE
    assert (await first)["balance"] == 70
    assert (await bench.call("withdraw", {"amount": 30, "request_id": "r1", "then": "wait"}))["balance"] == 70
    assert len(runs) == 1


async def test_after_a_kill_the_next_call_takes_over_and_what_was_committed_stands(bench: Bench) -> None:
    """The first run committed and was killed before its result was kept; a change on the new state would refuse."""
    first = asyncio.create_task(bench.call("withdraw", {"amount": 80, "request_id": "r1", "then": "wait"}))
    while balance(bench) == 100:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    bench.time_ms += 7000  # its deadline of 4 s, and the slack
    gate.set()
    taken_over = await beside(bench).call("withdraw", {"amount": 80, "request_id": "r1", "then": "wait"})

    assert taken_over["balance"] == balance(bench) == 20
    assert len(bench.storage.logs["account:ann"]) == 1


async def test_after_a_crash_the_next_call_runs_at_once_with_the_same_ids(bench: Bench) -> None:
    for _ in range(3):
        with pytest.raises(CausewayError) as caught:
            await bench.call("withdraw", {"amount": 10, "request_id": "r1", "then": "crash"})
        assert caught.value.name is ErrorName.INTERNAL

    assert balance(bench) == 90
    assert len(runs) == 3


async def test_a_result_is_kept_for_fifteen_minutes(bench: Bench) -> None:
    await bench.call("withdraw", {"amount": 10, "request_id": "r1"})
    bench.time_ms += 14 * MINUTE
    await bench.call("withdraw", {"amount": 10, "request_id": "r1"})
    await bench.call("withdraw", {"amount": 10, "request_id": "r2"})
    assert balance(bench) == 80
    bench.time_ms += 2 * MINUTE
    await bench.call("withdraw", {"amount": 10, "request_id": "r2"})
    assert balance(bench) == 80
    await bench.call("withdraw", {"amount": 10, "request_id": "r1"})

    assert balance(bench) == 70
    assert {kind for kind, _ in bench.storage.entities} == {"account", LEDGER_KIND}


async def test_a_claim_that_meets_another_ones_runs_once(bench: Bench) -> None:
    """Two processes, the same key, at the same time: one runs, the other hears that it does."""
    other = beside(bench)
    met: list[CommitRequest] = []

    def meet(request: CommitRequest) -> None:
        met.append(request)

    bench.storage.before_commit = meet
    outcomes = await asyncio.gather(
        bench.call("withdraw", {"amount": 30, "request_id": "r1"}),
        other.call("withdraw", {"amount": 30, "request_id": "r1"}),
        return_exceptions=True,
    )

    assert balance(bench) == 70
    assert len(runs) == 1
    assert sorted(type(each).__name__ for each in outcomes) in (["CausewayError", "dict"], ["dict", "dict"])


async def test_a_result_too_large_to_be_kept_is_not_given(bench: Bench) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("withdraw", {"amount": 10, "request_id": "r1", "then": "grow"})

    assert caught.value.name is ErrorName.INTERNAL


async def test_a_users_ledgers_have_a_bound_and_keep_five_minutes_at_least(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causeway_logic.domain.ledger.LEDGER_MAX_CHARS", 600)
    bench.storage.put("account", "ann", {"balance": 1000})

    async def fill() -> None:
        for number in range(100):
            await bench.call("withdraw", {"amount": 1, "request_id": f"r{number}"})

    with pytest.raises(CausewayError) as caught:
        await fill()

    assert caught.value.name is ErrorName.OVERLOADED
    assert (await bench.call("withdraw", {"amount": 1, "request_id": "r0"}))["balance"] == 999
    full = f"r{1000 - balance(bench)}"
    bench.time_ms += 6 * MINUTE
    await bench.call("withdraw", {"amount": 1, "request_id": full})


def test_a_key_needs_a_field_of_the_input() -> None:
    fresh = App("fresh", version="1.0.0")

    async def method(ctx: Context, req: Transfer) -> None: ...

    async def plain(ctx: Context) -> None: ...

    for function in (method, plain):
        with pytest.raises(TypeError, match="has no field 'key'"):
            fresh.rpc(idempotent="key")(function)


async def test_the_ledgers_kind_is_the_sdks_own(bench: Bench) -> None:
    class Idempotency(BaseModel):
        pass

    context = bench.dispatcher._context("ann", "c", bench.question())
    with pytest.raises(TypeError, match="is the SDK's own"):
        context.entity(Idempotency, "1")
