"""Events from outside, lifecycle events and calls that waited: each reaches its handler at least once, with its effects once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import EventSpec
from causeway_logic import App, Context, Draft, Event, LifecycleEvent, Reject
from causeway_logic.domain.values import moment
from unit.logic.durable import DurableBench, KilledError

app = App("shop", version="1.0.0")
app.namespace("lot", lifecycle_events=True)
heard: list[Any] = []


class Intent(BaseModel):
    amount: int
    at: datetime | None = None


@dataclass
class Seen:
    count: int = 0


def one_more(seen: Draft[Seen]) -> None:
    seen.state.count += 1


@app.on_event("stripe", "payment_intent.succeeded")
async def paid(event: Event[Intent], ctx: Context) -> None:
    heard.append(event)
    await ctx.entity(Seen, "stripe").edit(one_more, initial=Seen())


@app.on_event("stripe", "*")
async def other(ctx: Context, event: Event[Any]) -> None:
    heard.append((event.type, event.data))


@app.on_event("github", "push")
def pushed(event: Event) -> None:  # type: ignore[type-arg]
    heard.append(event.data)


@app.on_lifecycle("disconnected", "last_leave", timeout="5s")
async def left(ctx: Context, event: LifecycleEvent) -> None:
    heard.append(event)
    if event.user == "broken":
        raise RuntimeError
    if event.user == "refused":
        raise Reject(409, "no")
    await ctx.entity(Seen, event.channel or event.user).edit(one_more, initial=Seen())


@app.rpc(when_unavailable="queue")
async def order(ctx: Context, req: Intent) -> int:
    heard.append((ctx.user, ctx.client, ctx.info, req.amount))
    if req.amount < 0:
        raise Reject(409, "nothing to pay")
    return req.amount


@pytest.fixture
def bench() -> DurableBench:
    heard.clear()
    return DurableBench(app)


def stripe(bench: DurableBench, type_: str, data: Any, source: str = "stripe") -> None:
    bench.storage.add("r", "on_event", {"source": source, "type": type_, "id": "evt_1", "data": data, "received_ms": 5000})


def seen(bench: DurableBench, id: str) -> Any:
    return (bench.storage.entities["seen", id].state or {})["count"]


async def test_an_event_reaches_the_handler_of_its_type_with_validated_data(bench: DurableBench) -> None:
    stripe(bench, "payment_intent.succeeded", {"amount": 5, "at": "2025-01-01T00:00:00Z"})
    await bench.deliver("r")

    (event,) = heard
    assert (event.id, event.source, event.received_at) == ("evt_1", "stripe", moment(5000))
    assert event.data == Intent(amount=5, at=datetime.fromisoformat("2025-01-01T00:00:00Z"))
    assert bench.state("r") == "done"


async def test_an_event_of_no_handler_of_its_own_goes_to_the_one_for_any(bench: DurableBench) -> None:
    stripe(bench, "charge.refunded", {"any": [1]})
    await bench.deliver("r")

    assert heard == [("charge.refunded", {"any": [1]})]


async def test_a_plain_function_without_a_type_takes_any_data(bench: DurableBench) -> None:
    stripe(bench, "push", "text", source="github")
    await bench.deliver("r")

    assert heard == ["text"]


async def test_an_event_whose_data_do_not_fit_is_dead_at_once_with_the_field(bench: DurableBench) -> None:
    stripe(bench, "payment_intent.succeeded", {"amount": "5"})
    await bench.deliver("r")

    assert bench.state("r") == "dead"
    assert "amount: Input should be a valid integer" in bench.records.settled[0].note


@pytest.mark.parametrize("payload", [{"source": "stripe", "type": "x"}, {"source": "stripe", "type": "x", "id": "1"}])
async def test_an_event_that_lacks_what_all_have_is_dead_at_once(bench: DurableBench, payload: dict[str, Any]) -> None:
    bench.storage.add("r", "on_event", payload)
    await bench.deliver("r")

    assert bench.state("r") == "dead"


async def test_an_event_that_only_another_version_handles_waits_without_counting_as_a_try(bench: DurableBench) -> None:
    stripe(bench, "push.new", {}, source="github")
    for _ in range(30):
        await bench.deliver("r")
        bench.move(600)

    assert bench.state("r") == "pending"
    assert {each.attempt_log.number for each in bench.records.settled if each.attempt_log} == {0}
    assert [each.delay_ms for each in bench.records.settled][:3] == [5000, 10_000, 20_000]
    assert max(each.delay_ms for each in bench.records.settled) == 600_000


async def test_an_events_commits_happen_once_however_often_it_runs(bench: DurableBench) -> None:
    stripe(bench, "payment_intent.succeeded", {"amount": 5})
    bench.records.die_before_settle = 3
    for _ in range(3):
        with pytest.raises(KilledError):
            await bench.deliver("r")
        bench.move(60)
    await bench.deliver("r")

    assert len(heard) == 4
    assert seen(bench, "stripe") == 1


def event(type_: str = "disconnected", **fields: Any) -> m.LifecycleEvent:
    return m.LifecycleEvent(id="e1", type=type_, time_ms=7000, **fields)


async def test_a_lifecycle_event_reaches_its_handler_once_for_its_id(bench: DurableBench) -> None:
    assert await bench.tell(event(user="ann")) is None
    assert await bench.tell(event(user="ann"), delivered=2) is None

    assert heard[0] == LifecycleEvent("e1", "disconnected", moment(7000), user="ann")
    assert len(heard) == 2
    assert seen(bench, "ann") == 1


async def test_of_channels_an_app_hears_its_own_alone(bench: DurableBench) -> None:
    await bench.tell(event("last_leave", channel="room:1", namespace="room"))
    await bench.tell(event("connected", user="ann"))
    assert not heard
    await bench.tell(event("last_leave", channel="lot:1", namespace="lot"))

    assert [each.channel for each in heard] == ["lot:1"]


async def test_a_lifecycle_event_that_only_another_version_handles_waits_for_it_but_not_for_ever(bench: DurableBench) -> None:
    """An older version must not take away what a newer one has begun to listen to."""
    newer = App("shop", version="2.0.0")
    newer.namespace("lot")
    newer.namespace("new")
    newer.on_lifecycle("connected", "last_leave")(left)
    bench.others = newer.manifest()
    assert await bench.tell(event("connected", user="ann")) == 0.5
    assert await bench.tell(event("last_leave", channel="new:1", namespace="new")) == 0.5
    assert await bench.tell(event("first_join", channel="new:1", namespace="new")) is None
    assert await bench.tell(event("last_leave", channel="room:1", namespace="room")) is None
    assert await bench.tell(event("connected", user="ann"), delivered=61) is None

    assert not heard


async def test_a_lifecycle_event_that_keeps_failing_leaves_the_line_as_a_task_of_the_same_ids(bench: DurableBench) -> None:
    broken = event(user="broken")
    assert [await bench.tell(broken, delivered=each) for each in (1, 2, 3)] == [1, 5, None]
    (record,) = bench.storage.records.values()
    assert (record.op, record.payload["id"]) == ("on_lifecycle", "e1")
    await bench.tell(broken, delivered=4)  # it died before it was acknowledged
    assert len(bench.storage.records) == 1
    await bench.deliver(record.id)

    assert bench.records.settled[0].outcome == "retry"
    assert len(heard) == 5


async def test_a_lifecycle_event_that_is_refused_dies_as_a_task_with_its_reason(bench: DurableBench) -> None:
    assert await bench.tell(event(user="refused")) is None
    (record,) = bench.storage.records.values()
    await bench.deliver(record.id)

    assert (bench.records.settled[0].outcome, bench.records.settled[0].note) == ("dead", "rejected (409): no")


async def test_a_lifecycle_event_as_a_task_repeats_no_commit_of_its_earlier_tries(bench: DurableBench) -> None:
    gone = event(user="ann")
    await bench.tell(gone)
    bench.storage.add("r", "on_lifecycle", msgspec.to_builtins(gone))
    await bench.deliver("r")

    assert (bench.state("r"), seen(bench, "ann")) == ("done", 1)


async def test_while_storage_is_away_a_lifecycle_event_waits(bench: DurableBench) -> None:
    async def away(*_: object) -> object:
        raise unavailable("away")

    bench.storage.commit = away  # type: ignore[method-assign,assignment]
    assert await bench.tell(event(user="ann")) == 1


async def test_a_call_that_waited_runs_for_its_user_with_the_same_checks(bench: DurableBench) -> None:
    payload = {"method": "order", "user": "ann", "client": "c1", "data": {"amount": 5}, "info": {"name": "Ann"}}
    bench.storage.add("r", "on_queued_call", payload)
    bench.storage.add("bad", "on_queued_call", {**payload, "data": {"amount": "5"}})
    bench.storage.add("refused", "on_queued_call", {**payload, "data": {"amount": -1}, "info": None})
    bench.storage.add("gone", "on_queued_call", {**payload, "method": "old"})
    for name in bench.storage.records:
        await bench.deliver(name)

    assert heard == [("ann", "c1", {"name": "Ann"}, 5), ("ann", "c1", None, -1)]
    assert bench.states == ["done", "dead", "dead", "pending"]  # another version may have the method


def test_the_manifest_tells_what_the_app_handles() -> None:
    manifest = app.manifest()

    assert EventSpec(source="stripe", type="*") in manifest.events
    assert len(manifest.events) == 3
    assert manifest.lifecycle == ["disconnected", "last_leave"]


def test_handlers_that_cannot_be_are_refused_where_they_are_declared() -> None:
    shop = App("shop2", version="1.0.0")
    shop.on_event("stripe", "x")(other)
    with pytest.raises(ValueError, match="already"):
        shop.on_event("stripe", "x")(other)
    with pytest.raises(TypeError, match="can get nothing"):
        shop.on_event("stripe", "y")(order)
    for types in ((), ("joined",)):
        with pytest.raises(ValueError, match="lifecycle events are connected"):
            shop.on_lifecycle(*types)
    shop.on_lifecycle("connected")(left)
    with pytest.raises(ValueError, match="already"):
        shop.on_lifecycle("connected")(left)


def test_an_event_is_a_value() -> None:
    made = Event("1", "s", "t", 5, moment(0))

    assert replace(made, data=6).data == 6
