"""Tasks, timers, recurring tasks, events from outside and lifecycle events, each at its virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from causeway_logic import App, Context, Draft, Event, LifecycleEvent, Reject, Retry
from causeway_testing import AppTester, Faults, HarnessError


class Diary(BaseModel):
    lines: list[str] = []


class Note(BaseModel):
    text: str


class Paid(BaseModel):
    amount: int


app = App("diary", version="1.0.0")
app.namespace("page", allow_subscribe_for_client=True, lifecycle_events=True, occupancy_events=True)
entries = app.entity(Diary, kind="book")
by_length = entries.index("length", int, of=lambda diary: len(diary.lines))


async def write(ctx: Context, line: str) -> None:
    text = f"{ctx.now():%d %H:%M:%S} {line}"
    if not await ctx.entity(Diary, "1").find():
        await ctx.entity(Diary, "1").create(Diary(lines=[text]))
        return
    await ctx.entity(Diary, "1").edit(lambda draft: draft.state.lines.append(text))


@app.rpc
async def plan(ctx: Context, req: Note) -> None:
    def later(draft: Draft[Diary]) -> None:
        draft.state.lines.append("planned")
        draft.schedule(wake, {"text": req.text}, at=ctx.now() + timedelta(hours=1))
        draft.schedule("wake", {"text": "at once"}, name="other")

    await write(ctx, "begins")
    await ctx.entity(Diary, "1").edit(later)


@app.rpc
async def plan_alone(ctx: Context, req: Note) -> None:
    await ctx.schedule(wake, req, at=ctx.now() + timedelta(minutes=5), name="alarm")


@app.rpc
async def forget(ctx: Context) -> None:
    await ctx.cancel("alarm")


@app.rpc
async def count(ctx: Context) -> int:
    return len((await ctx.query(Diary, by_length > 0)).items)


@app.task
async def wake(ctx: Context, req: Note) -> None:
    await write(ctx, f"wakes {ctx.user} {req.text}")


@app.task(retry=Retry(["1m", "1h"]))
async def stubborn(ctx: Context, req: Note) -> None:
    await write(ctx, f"tries {req.text}")
    raise Reject(503, "not now", temporary=True)


@app.rpc
async def insist(ctx: Context) -> None:
    await ctx.schedule(stubborn, {"text": "x"})


@app.every("0 6 * * *")
async def morning(ctx: Context) -> None:
    await write(ctx, "morning")


refused: list[int] = []


@app.on_event("shop", "changed", order_by="order.id", retry=Retry(["1m"], jitter=0))
async def changed(ctx: Context, event: Event[Any]) -> None:
    order, number = event.data["order"]["id"], event.data["number"]
    if order == "a" and not refused:
        refused.append(number)
        raise Reject(503, "later", temporary=True)
    await write(ctx, f"{order} {number}")


@app.on_event("stripe", "paid")
async def paid(ctx: Context, event: Event[Paid]) -> None:
    await write(ctx, f"{event.type} {event.data.amount}")


@app.on_lifecycle("connected", "disconnected", "subscribed", "unsubscribed", "first_join", "last_leave")
async def heard(ctx: Context, event: LifecycleEvent) -> None:
    if event.user != "owner":
        await write(ctx, f"{event.type} {event.user or event.channel}")


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        yield made


def lines(tester: AppTester) -> list[str]:
    found = tester.find(Diary, "1")
    return found.lines if found else []


async def test_what_is_due_runs_at_its_own_time(tester: AppTester) -> None:
    owner = tester.user("owner")
    await owner.call("plan", {"text": "tea"})
    assert lines(tester) == ["01 00:00:00 begins", "planned", "01 00:00:00 wakes owner at once"]
    await tester.advance(minutes=59)
    assert len(lines(tester)) == 3
    await tester.advance(days=2)

    assert lines(tester)[3:] == ["01 01:00:00 wakes owner tea", "01 06:00:00 morning", "02 06:00:00 morning"]
    assert await owner.call("count") == 1


async def test_a_timer_of_the_app_itself_fires_unless_it_is_cancelled(tester: AppTester) -> None:
    owner = tester.user("owner")
    await owner.call("plan_alone", {"text": "a"})
    await owner.call("forget")
    await tester.advance(minutes=10)
    await owner.call("plan_alone", {"text": "b"})
    await tester.advance(minutes=10)

    assert lines(tester) == ["01 00:15:00 wakes owner b"]


async def test_a_task_that_fails_is_tried_again_by_its_schedule_and_is_dead_in_the_end(tester: AppTester) -> None:
    await tester.user("owner").call("insist")
    await tester.advance(hours=5)

    assert lines(tester) == ["01 00:00:00 tries x"], "a commit of an earlier try is not made again"
    assert [(task.name, task.state, task.attempts) for task in tester.tasks] == [("stubborn", "dead", 3)]


async def test_events_from_outside_are_handled_once_and_told_where_nobody_handles_them(tester: AppTester) -> None:
    await tester.event("stripe", "paid", {"amount": 5}, id="evt_1")
    await tester.event("stripe", "paid", {"amount": 5}, id="evt_1")
    with pytest.raises(HarnessError, match="handles no refunded of stripe"):
        await tester.event("stripe", "refunded", {})

    assert lines(tester) == ["01 00:00:00 paid 5"]


async def test_events_of_one_key_wait_for_the_one_before_and_others_do_not(tester: AppTester) -> None:
    """The first of a is tried again after a minute; the next of a waits for that, b and what has no key do not."""
    for order, number in (("a", 1), ("a", 2), ("b", 1), (None, 1)):
        await tester.event("shop", "changed", {"order": {"id": order}, "number": number})
    assert lines(tester) == ["01 00:00:00 b 1", "01 00:00:00 None 1"]
    await tester.advance(minutes=2)

    assert lines(tester)[2:] == ["01 00:01:00 a 1", "01 00:01:00 a 2"]


async def test_lifecycle_events_tell_who_comes_and_goes_and_not_who_comes_back_at_once(tester: AppTester) -> None:
    ann = tester.user("ann")
    watched = await ann.subscribe("page:1")
    await tester.advance(seconds=1)
    ann.disconnect()
    await tester.advance(seconds=2)
    await watched.recover()
    await tester.advance(seconds=60)
    ann.disconnect()
    await tester.advance(seconds=60)

    told = [line.split(" ", 2)[2] for line in lines(tester)]
    assert told == [
        "connected ann", "subscribed ann", "first_join page:1", "unsubscribed ann", "last_leave page:1", "disconnected ann"
    ]  # fmt: skip


async def test_a_task_whose_process_dies_runs_again_and_its_commits_happen_once() -> None:
    kills = 0
    for seed in range(30):
        async with AppTester(app, seed=seed, faults=Faults(kill=0.2, reorder=1.0), replicas=2) as tester:
            await tester.event("stripe", "paid", {"amount": seed})
            with tester.undisturbed():
                await tester.advance(hours=1)
            kills += sum("dies" in step for step in tester.steps)
            assert [line.split(" ", 2)[2] for line in lines(tester)] == [f"paid {seed}"]

    assert kills > 10
