"""Tasks: asked for by a commit or by themselves, run until done or dead, their effects once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from causeway_common.bus import Postponed
from causeway_common.contracts.messages import Attempt, JobDelivery, ScheduleItem
from causeway_logic import App, Context, Deleted, Draft, Reject, Retry
from causeway_logic.domain.values import moment
from causeway_logic.handlers.tasks import UNHANDLED_DEAD_MS, Tasks
from unit.logic.durable import DurableBench, KilledError

app = App("shop", version="1.0.0")
runs: list[Any] = []


@dataclass
class Lot:
    price: int = 0
    status: str = "open"


class Close(BaseModel):
    lot: str
    bids: int = 0


class StepError(Exception):
    """A bug of the app's."""


@app.task(retry=Retry(["1s", "10s"], jitter=0.5), limit=2, timeout="2s")
async def close(ctx: Context, req: Close) -> None:
    runs.append((ctx.user, req.lot, f"{ctx.message_id} {ctx.new_id()}"))

    def change(lot: Draft[Lot]) -> None:
        if lot.state.status != "open":
            raise Reject(410, "closed")
        lot.state.status = "closed"
        lot.enqueue("email.send", {"lot": req.lot})

    await ctx.entity(Lot, req.lot).edit(change)


@app.task(retry=Retry(["1s", "10s"], jitter=0))
async def fail(ctx: Context, req: dict[str, Any]) -> None:
    runs.append(req)
    match req["how"]:
        case "bug":
            raise StepError("secret")
        case "no":
            raise Reject(409, "never")
        case "later":
            raise Reject(503, "not yet", temporary=True)
        case "slow":
            await asyncio.sleep(60)
        case other:
            raise AssertionError(other)


@app.task(timeout="10ms", retry=Retry([]))
async def slow(ctx: Context) -> None:
    await asyncio.sleep(60)


@app.task
def plain(ctx: Context, req: Close) -> None:
    runs.append(req.bids)


@app.task
async def twice(ctx: Context) -> None:
    def raise_by_one(lot: Draft[Lot]) -> None:
        lot.state.price += 1

    lot = ctx.entity(Lot, "7")
    await lot.edit(raise_by_one)
    runs.append("between")
    await lot.edit(raise_by_one)
    await ctx.schedule("plain", Close(lot="7", bids=9))
    await ctx.schedule("plain", Close(lot="7", bids=10), name="n")


@app.task
async def gather(ctx: Context) -> None:
    """What it takes in may grow between two runs."""
    await ctx.entity(Lot, "7").edit(lambda lot: setattr(lot.state, "price", max(lot.state.price, len(runs))), once=False)
    await ctx.entity(Lot, "7").edit(lambda lot: setattr(lot.state, "status", lot.state.status + "!"))


@app.task
async def edit_then_delete(ctx: Context) -> None:
    await ctx.entity(Lot, "7").edit(lambda lot: setattr(lot.state, "price", 5))
    await ctx.entity(Lot, "7").delete()


gates: dict[str, asyncio.Event] = {}


@app.task(limit=1)
async def gated(ctx: Context) -> None:
    await gates["gate"].wait()


@app.rpc
async def bid(ctx: Context, req: int) -> None:
    def change(lot: Draft[Lot]) -> None:
        lot.schedule(close, Close(lot="7"), at=ctx.now() + timedelta(seconds=60))
        lot.schedule("plain", {"lot": "7", "bids": req})

    await ctx.entity(Lot, "7").edit(change)


@app.rpc
async def extend(ctx: Context, req: int) -> None:
    def change(lot: Draft[Lot]) -> None:
        if req:
            lot.schedule(close, Close(lot="7"), at=ctx.now() + timedelta(seconds=req))
        else:
            lot.cancel(close)

    await ctx.entity(Lot, "7").edit(change)


@app.rpc
async def remind(ctx: Context, req: int) -> None:
    await ctx.schedule(plain, Close(lot="7", bids=req), at=ctx.now() + timedelta(seconds=req), name="reminder")


@app.rpc
async def forget(ctx: Context) -> None:
    await ctx.cancel("reminder")


@app.rpc
async def later(ctx: Context) -> None:
    await ctx.schedule(plain, Close(lot="7", bids=1), at=ctx.now() + timedelta(seconds=5))
    await ctx.schedule(plain, Close(lot="7", bids=2))


@app.rpc
async def wrong(ctx: Context, req: dict[str, Any]) -> str:
    try:
        await ctx.schedule(req["task"], req.get("payload"), name=req.get("name"))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@pytest.fixture
def bench() -> DurableBench:
    runs.clear()
    bench = DurableBench(app)
    bench.storage.put("lot", "7", {"price": 1, "status": "open"})
    return bench


def lot(bench: DurableBench) -> Any:
    return bench.storage.entities["lot", "7"].state


async def test_what_a_change_schedules_leaves_with_the_commit_and_runs_for_whom_it_was(bench: DurableBench) -> None:
    await bench.call("bid", 3, user="ann")
    await bench.run_due()
    assert runs == [3]
    bench.move(60)
    await bench.run_due()

    assert [run[:2] for run in runs[1:]] == [("ann", "7")]
    assert lot(bench)["status"] == "closed"
    assert bench.storage.seen[-1].by == "ann"
    assert bench.states == ["done", "done"]


async def test_a_timer_moves_with_the_entity_and_can_be_cancelled(bench: DurableBench) -> None:
    await bench.call("bid", 0)
    await bench.call("extend", 120)
    bench.move(61)
    assert len(bench.storage.records) == 1
    await bench.call("extend", 0)
    bench.move(600)

    assert len(bench.storage.records) == 1
    assert not bench.storage.timers


async def test_an_apps_own_timer_moves_fires_once_and_leaves_nothing_behind(bench: DurableBench) -> None:
    await bench.call("remind", 10)
    await bench.call("remind", 20)
    bench.move(15)
    assert not bench.storage.records
    bench.move(10)
    await bench.run_due()

    assert runs == [20]
    assert ("timer", "reminder") not in bench.storage.entities


async def test_a_timer_set_again_while_its_task_runs_stays(bench: DurableBench) -> None:
    await bench.call("remind", 10)
    bench.move(10)
    await bench.call("remind", 20)
    await bench.run_due()
    assert ("timer", "reminder") in bench.storage.entities
    await bench.call("forget", None)
    await bench.call("forget", None)
    bench.move(60)
    await bench.run_due()

    assert runs == [10]
    assert not bench.storage.timers


async def test_without_a_name_a_task_is_a_record_of_its_own_at_its_time(bench: DurableBench) -> None:
    await bench.call("later", None, message_id="m1")
    await bench.call("later", None, message_id="m1")  # the same call, run again
    await bench.run_due()
    assert runs == [2]
    bench.move(5)
    await bench.run_due()

    assert runs == [2, 1]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"task": "nobody"}, "'nobody' is no task of this app"),
        ({"task": "plain"}, "lot: Field required"),
        ({"task": "plain", "payload": {"lot": 7}}, "lot: Input should be a valid string"),
        ({"task": "plain", "payload": [1]}, "must be a map"),
        ({"task": "slow", "payload": {"a": 1}}, "takes no input"),
        ({"task": "slow", "name": ""}, "a timer's name has 1 to 255 bytes"),
    ],
)
async def test_what_could_never_run_is_refused_where_it_is_asked_for(bench: DurableBench, request_: Any, told: str) -> None:
    assert told in await bench.call("wrong", request_)
    assert not bench.storage.records


@pytest.mark.parametrize("how", ["bug", "later"])
async def test_a_failed_task_is_tried_again_after_its_schedule_and_then_dead(bench: DurableBench, how: str) -> None:
    bench.storage.add("r", "fail", {"how": how})
    for wait in (0, 1, 10):
        bench.move(wait)
        await bench.deliver("r")
        await bench.deliver("r")  # doubled: nothing is due yet

    assert len(runs) == 3
    assert [(each.outcome, each.delay_ms) for each in bench.records.settled] == [("retry", 1000), ("retry", 10_000), ("dead", 0)]
    assert [each.attempt_log.number for each in bench.records.settled if each.attempt_log] == [1, 2, 3]
    assert "secret" not in bench.records.settled[-1].note


async def test_a_reject_that_is_not_temporary_ends_a_task_at_once_with_its_reason(bench: DurableBench) -> None:
    bench.storage.add("r", "fail", {"how": "no"})
    await bench.deliver("r")

    (settled,) = bench.records.settled
    assert (settled.outcome, settled.note) == ("dead", "rejected (409): never")


async def test_a_payload_that_does_not_fit_any_more_ends_a_task_at_once_with_the_field(bench: DurableBench) -> None:
    bench.storage.add("r", "close", {"lot": 7})
    await bench.deliver("r")

    assert bench.state("r") == "dead"
    assert "lot: Input should be a valid string" in bench.records.settled[0].note


async def test_a_task_is_cancelled_at_its_timeout_and_has_failed(bench: DurableBench) -> None:
    bench.storage.add("r", "slow", {})
    await bench.deliver("r")

    assert bench.state("r") == "dead"
    assert "it took longer than 0.01 s" in bench.records.settled[0].note


async def test_a_process_that_dies_between_commit_and_settlement_makes_no_effect_twice(bench: DurableBench) -> None:
    bench.storage.add("r", "close", {"lot": "7"})
    bench.records.die_before_settle = 2
    for _ in range(2):
        with pytest.raises(KilledError):
            await bench.deliver("r")
        bench.move(7)
    await bench.deliver("r")

    assert bench.state("r") == "done"  # not refused as closed by what it did itself
    assert len(bench.storage.jobs) == 1
    assert len(runs) == 3
    assert len(set(runs)) == 1  # the same user, the same ids
    assert runs[0][2].startswith("r ")
    assert bench.storage.versions["lot", "7"] == 2


async def test_a_delivery_of_what_another_process_runs_or_has_done_runs_nothing(bench: DurableBench) -> None:
    bench.storage.add("r", "close", {"lot": "7"})
    bench.records.die_before_settle = 1
    with pytest.raises(KilledError):
        await bench.deliver("r")
    await bench.deliver("r")
    assert len(runs) == 1
    bench.move(7)
    await bench.deliver("r")
    await bench.deliver("r")
    assert len(runs) == 2
    await bench.tasks.handle(JobDelivery(id="gone"), "close", 1)


async def test_a_lost_lease_leaves_the_other_tries_outcome(bench: DurableBench) -> None:
    bench.storage.add("r", "plain", {"lot": "7"})
    claimed = await bench.records.claim("r", 1000)
    bench.move(2)
    await bench.deliver("r")
    assert claimed.record
    assert bench.state("r") == "done"


async def test_claims_that_only_crash_are_given_up_some_day(bench: DurableBench) -> None:
    bench.storage.add("r", "fail", {"how": "bug"})
    await bench.deliver("r")
    for _ in range(21):
        bench.move(60)
        await bench.records.claim("r", 1)
    bench.move(60)
    await bench.deliver("r")

    assert bench.state("r") == "dead"
    assert "ended without an outcome" in bench.records.settled[-1].note
    assert len(runs) == 1


async def test_a_record_whose_log_nobody_keeps_counts_its_claims(bench: DurableBench) -> None:
    bench.records.keeps_log = False
    bench.storage.add("r", "fail", {"how": "bug"})
    for wait in (0, 1, 10):
        bench.move(wait)
        await bench.deliver("r")

    assert bench.state("r") == "dead"


async def test_a_task_of_another_version_goes_back_later_and_later_and_then_waits_in_its_record(bench: DurableBench) -> None:
    bench.storage.add("r", "of_tomorrow", {})
    waits = []
    for delivered in range(1, 6):
        with pytest.raises(Postponed) as caught:
            await bench.deliver("r", delivered=delivered)
        waits.append(caught.value.seconds)
    await bench.deliver("r", delivered=6)

    assert waits == [1, 2, 4, 8, 16]
    (told,) = bench.records.settled
    assert (told.outcome, told.attempt_log and told.attempt_log.outcome) == ("retry", "postponed"), "it has not been tried"
    assert told.delay_ms > 0


async def test_what_no_version_has_a_handler_for_is_dead_after_a_day_of_that_and_not_of_waiting(bench: DurableBench) -> None:
    """While no instance runs nothing counts; a re-drive begins the day anew; the reason is told."""
    bench.storage.add("r", "of_tomorrow", {})
    bench.move(30 * 86_400)  # no instance ran
    began = bench.time_ms
    while bench.state("r") == "pending":
        await bench.deliver("r", delivered=6)
        bench.move(bench.records.settled[-1].delay_ms / 1000)

    assert bench.state("r") == "dead"
    assert UNHANDLED_DEAD_MS <= bench.time_ms - began <= 2 * UNHANDLED_DEAD_MS
    assert bench.records.settled[-1].note == "no version of the app had a handler for 1d: this version has no task of_tomorrow"

    record = bench.records.known["r"]
    redriven = Attempt(number=0, claim=record.attempts, at_ms=bench.time_ms, duration_ms=0, outcome="postponed", answer="re-driven")
    bench.records.known["r"] = msgspec.structs.replace(record, state="pending", log=[redriven])
    await bench.deliver("r", delivered=6)
    assert bench.state("r") == "pending"


async def test_a_task_runs_no_oftener_at_once_than_its_limit_and_gives_back_what_may_not_wait(bench: DurableBench) -> None:
    gates["gate"] = asyncio.Event()
    for name in "abc":
        bench.storage.add(name, "gated", {})
    bench.storage.add("other", "plain", {"lot": "7"})
    held = [asyncio.ensure_future(bench.deliver(name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(Postponed):
        await bench.deliver("c")
    await bench.deliver("other")  # a full lane holds up no other

    assert set(bench.records.known) == {"a", "other"}
    gates["gate"].set()
    await asyncio.gather(*held)
    await bench.deliver("c")
    assert bench.states == ["done"] * 4


async def test_tasks_that_a_stopping_process_cuts_off_run_elsewhere_at_once_and_have_not_failed(bench: DurableBench) -> None:
    gates["gate"] = asyncio.Event()
    bench.storage.add("r", "gated", {})
    held = asyncio.ensure_future(bench.deliver("r"))
    while not bench.records.known:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    bench.tasks.stop()
    await held
    assert [(each.outcome, each.delay_ms) for each in bench.records.settled] == [("retry", 0)]
    gates["gate"].set()
    bench.tasks = Tasks(bench.works, bench.records, bench.outside, concurrency=1)
    await bench.deliver("r")

    assert bench.state("r") == "done"
    assert [each.attempt_log.number for each in bench.records.settled if each.attempt_log] == [0, 1]


async def test_a_closing_process_gives_back_what_waits_and_finishes_what_runs(bench: DurableBench) -> None:
    gates["gate"] = asyncio.Event()
    for name in "ab":
        bench.storage.add(name, "gated", {})
    runs_, waits = (asyncio.ensure_future(bench.deliver(name)) for name in "ab")
    while not bench.records.known:
        await asyncio.sleep(0)
    bench.tasks.close()
    gates["gate"].set()
    await runs_
    with pytest.raises(Postponed):
        await waits

    assert bench.state("a") == "done"
    assert set(bench.records.known) == {"a"}


async def test_what_a_task_commits_is_remembered_as_long_as_a_try_may_come(bench: DurableBench) -> None:
    await bench.call("bid", 1)
    assert bench.storage.seen[-1].remember_ms == 0
    bench.storage.add("r", "close", {"lot": "7"})
    await bench.deliver("r")

    assert bench.storage.seen[-1].remember_ms == 11_000 * 1.5 + 86_400_000


async def test_a_change_for_every_run_takes_in_what_a_rerun_knows_beyond_the_first(bench: DurableBench) -> None:
    runs.extend("abc")
    bench.storage.add("r", "gather", {})
    bench.records.die_before_settle = 1
    with pytest.raises(KilledError):
        await bench.deliver("r")
    runs.extend("de")
    bench.move(60)
    await bench.deliver("r")

    assert lot(bench) == {"price": 5, "status": "open!"}


async def test_an_edit_of_what_was_deleted_since_is_told_as_such(bench: DurableBench) -> None:
    bench.storage.add("r", "edit_then_delete", {})
    bench.records.die_before_settle = 1
    with pytest.raises(KilledError):
        await bench.deliver("r")
    bench.move(60)
    await bench.deliver("r")

    assert bench.state("r") == "dead"
    assert bench.records.settled[0].note == str(Deleted("lot"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), max_size=6))
def test_wherever_a_run_dies_its_commits_and_records_are_made_once(deaths: list[tuple[int, bool, bool]]) -> None:
    """Each run dies before or behind its nth commit, others change the entity meanwhile; the last one goes through."""

    async def play() -> None:
        runs.clear()
        bench = DurableBench(app)
        bench.storage.put("lot", "7", {"price": 0, "status": "open"})
        others = 0
        bench.storage.add("r", "twice", {})
        for steps, behind, strange in deaths:
            left = steps

            def die(_request: Any = None) -> None:
                nonlocal left
                if left == 0:
                    raise KilledError
                left -= 1

            bench.storage.before_commit, bench.storage.after_commit = (None, die) if behind else (die, None)
            try:
                await bench.deliver("r")
            except KilledError:
                bench.move(60)
            if strange:
                others += 1
                bench.storage.put("lot", "7", {**lot(bench), "price": lot(bench)["price"] + 100})
        bench.storage.before_commit = bench.storage.after_commit = None
        bench.move(60)
        await bench.deliver("r")

        assert bench.state("r") == "done"
        assert lot(bench)["price"] == 2 + 100 * others
        await bench.run_due()
        bench.move(1)
        await bench.run_due()
        assert [run for run in runs if run != "between"] == [9, 10]

    asyncio.run(play())


def test_a_schedule_is_as_long_as_it_says_and_no_wait_is_shorter() -> None:
    retry = Retry()
    delays = [retry.delay_ms(attempt, 0) for attempt in range(1, retry.tries + 1)]

    assert delays == [1000, 5000, 30_000, 300_000, 1_800_000, 7_200_000, None]
    assert Retry(["10s"], jitter=0.2).delay_ms(1, 0.5) == 11_000
    with pytest.raises(ValueError, match="jitter"):
        Retry(jitter=2)
    with pytest.raises(ValueError, match="seven days"):
        Retry(["6d", "1d"])
    with pytest.raises(ValueError, match="a duration"):
        Retry(["soon"])


def test_a_task_that_cannot_be_is_refused_where_it_is_declared() -> None:
    other = App("other", version="1.0.0")

    async def on_event(ctx: Context) -> None:
        """The name is Causeway's own."""

    with pytest.raises(ValueError, match="none of on_event"):
        other.task(on_event)
    with pytest.raises(ValueError, match="limit"):
        other.task(limit=0)(bid)
    with pytest.raises(ValueError, match="timeout"):
        other.task(timeout="0s")(bid)
    other.task(close)
    with pytest.raises(ValueError, match="declared twice"):
        other.task(close)
    assert other.manifest().tasks == ["close"]


def test_a_timer_without_a_name_has_its_tasks_and_a_time_goes_up_to_the_next_millisecond() -> None:
    draft = Draft(Lot(), app)
    draft.schedule(close, Close(lot="7"), at=moment(5) + timedelta(microseconds=1))
    draft.schedule(close, Close(lot="7"), name="x")

    assert [(item.name, item.at_ms) for item in draft.items if isinstance(item, ScheduleItem)] == [("close", 6), ("x", 1)]
