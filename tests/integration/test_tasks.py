"""The durable half of the SDK over real processes: what runs at least once has its effects once, whoever dies by SIGKILL."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from causeway_common.bus import Deadline, publish_durable
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.subjects import EVENT
from support.logic_process import AppWorld, app_world
from support.otlp import OtlpReceiver, ReceivedSpan
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

SOURCE = """
import asyncio
import os
from dataclasses import dataclass, field
from datetime import timedelta

from causeway_logic import App, Context, Draft, Event, History, LifecycleEvent, Reject, Retry

app = App("shop", version="1.0.0")
app.namespace("lot", history=History(size=100, ttl="1h"), lifecycle_events=True)


@dataclass
class Lot:
    status: str = "open"
    closed: int = 0


@dataclass
class Seen:
    events: list[str] = field(default_factory=list)


lots = app.entity(Lot)
by_status = lots.index("status", str)


def ran(text: str) -> None:
    with open(os.environ["RAN"], "a") as file:
        file.write(text + "\\n")


@app.task(timeout="1s", retry=Retry(["100ms"]))
async def close(ctx: Context, req: dict[str, str]) -> None:
    ran(f"close {ctx.user} {ctx.new_id()}")

    def change(lot: Draft[Lot]) -> None:
        if lot.state.status != "open":
            raise Reject(410, "closed")
        lot.state.status = "closed"
        lot.state.closed += 1
        lot.publish(f"lot:{req['lot']}", {"closed": lot.state.closed})

    await ctx.entity(Lot, req["lot"]).edit(change)


@app.task(timeout="60s")
async def long(ctx: Context) -> None:
    ran("long")
    with open(os.environ["RAN"]) as file:
        if file.read().count("long") == 1:
            await asyncio.sleep(60)
    await ctx.entity(Seen, "long").edit(lambda seen: seen.state.events.append("done"), initial=Seen())


@app.rpc
async def begin_long(ctx: Context) -> None:
    await ctx.schedule(long)


@app.rpc
async def open_lot(ctx: Context, req: str) -> None:
    def change(lot: Draft[Lot]) -> None:
        lot.schedule(close, {"lot": req}, at=ctx.now() + timedelta(seconds=0.3))

    await ctx.entity(Lot, req).create(Lot(), change)


@app.rpc
async def remind(ctx: Context, req: str) -> None:
    await ctx.schedule(close, {"lot": req}, at=ctx.now() + timedelta(seconds=0.3), name=f"remind-{req}")


@app.rpc
async def at_once(ctx: Context, req: str) -> None:
    await ctx.schedule(close, {"lot": req})


@app.rpc
async def forget(ctx: Context, req: str) -> None:
    await ctx.cancel(f"remind-{req}")


@app.rpc
async def found(ctx: Context, req: str) -> list[str]:
    return [each.id for each in (await ctx.query(Lot, by_status == req)).items]


@app.rpc
async def snap(ctx: Context, req: str) -> list[int]:
    found = await ctx.snapshot(Lot, req, f"lot:{req}")
    return [found.version, found.offset]


@app.rpc
async def drop(ctx: Context, req: str) -> None:
    await ctx.entity(Lot, req).delete(lambda lot: lot.publish(f"lot:{req}", "gone"))


@app.rpc
async def count(ctx: Context, req: str) -> int:
    return len((await ctx.history(f"lot:{req}")).publications)


@app.rpc(when_unavailable="queue")
async def later(ctx: Context, req: str) -> None:
    ran(f"later {ctx.user} {req}")


@app.on_event("stripe", "paid")
async def paid(ctx: Context, event: Event[dict[str, int]]) -> None:
    ran(f"paid {event.data['amount']}")
    await ctx.entity(Seen, "stripe").edit(lambda seen: seen.state.events.append(event.id), initial=Seen())


@app.on_lifecycle("connected", "disconnected")
async def there(ctx: Context, event: LifecycleEvent) -> None:
    ran(f"{event.type} {event.user} {event.id}")
    await ctx.entity(Seen, event.user).edit(lambda seen: seen.state.events.append(event.id), initial=Seen())
"""
TICKING = (
    SOURCE
    + """

@app.every("1s", timeout="1s")
async def tick(ctx: Context) -> None:
    ran(f"tick {ctx.new_id()}")
"""
)
LOGIC_POINTS = ["logic.task.after_claim", "logic.task.before_settle", "logic.task.after_settle"]
STORAGE_POINTS = ["storage.timers.after_record", "storage.delivery.before", "storage.delivery.after", "storage.relay.before_clear"]


async def closed_once(world: AppWorld, lot: str) -> None:
    """The lot was closed, published and made known once, and its task is over."""
    await world.until_state("lot", lot, {"status": "closed", "closed": 1})
    async with asyncio.timeout(30):
        while await world.call("count", lot) != 1:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("point", LOGIC_POINTS)
async def test_wherever_an_apps_process_dies_in_a_task_its_effect_happens_once(tmp_path: Path, point: str) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic", fault=f"{point}:1")
        await world.call("open_lot", "7", user="ann")
        await until(lambda: world.died("logic"), 30)
        world.run("logic")
        await closed_once(world, "7")
        await world.call("at_once", "other")  # refused (no such lot), behind whatever still ran
        await until(lambda: sum(line.startswith("close") for line in world.ran) >= 2, 30)

        runs = [line for line in world.ran if line.startswith("close ann")]
        closings = Counter(runs[:-1])
        assert len(closings) <= 1, world.ran  # the same task each time: the same user, the same ids
        assert await world.state("lot", "7") == {"status": "closed", "closed": 1}
        assert await world.call("count", "7") == 1
        await until(lambda: "a task is dead" in world.logs(), 30)
        assert world.logs().count("a task is dead") == 1  # the one without a lot; the other was not refused by its own effect


@pytest.mark.parametrize("point", STORAGE_POINTS)
async def test_wherever_storage_dies_under_a_task_its_effect_happens_once(tmp_path: Path, point: str) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage", fault=f"{point}:1")
        world.run("logic")
        await world.call("open_lot", "7")
        await until(lambda: world.died("storage"), 30)
        world.run("storage")
        await closed_once(world, "7")

        assert await world.state("lot", "7") == {"status": "closed", "closed": 1}


async def test_timers_of_the_app_fire_are_cancelled_and_leave_nothing(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic")
        await world.call("remind", "cancelled")
        await world.call("forget", "cancelled")
        await world.call("open_lot", "7")
        await closed_once(world, "7")
        await world.call("remind", "7")
        await until(lambda: len(world.ran) == 2, 30)
        async with asyncio.timeout(30):
            while await world.state("timer", "remind-cancelled") is not None:
                await asyncio.sleep(0.02)

        assert await world.call("found", "closed") == ["7"]
        assert await world.call("snap", "7") == [2, 1]
        await world.call("drop", "7")
        assert await world.call("found", "closed") == []
        assert await world.call("count", "7") == 2


async def test_each_tick_runs_once_over_two_processes_and_goes_on_after_kills(tmp_path: Path) -> None:
    async with app_world(tmp_path, TICKING) as world:
        world.run("storage")
        world.run("logic-1")
        world.run("logic-2")
        await until(lambda: len(world.ran) >= 4, 40)
        assert max(Counter(world.ran).values()) == 1
        world.kill("logic-1")
        world.kill("storage")
        world.run("storage")
        before = len(world.ran)
        await until(lambda: len(world.ran) >= before + 3, 40)
        world.kill("logic-2")
        world.run("logic-1")
        before = len(set(world.ran))
        await until(lambda: len(set(world.ran)) >= before + 2, 40)

        # A tick that was cut off by a kill runs again, all others once.
        assert sum(count - 1 for count in Counter(world.ran).values()) <= 2


async def test_lifecycle_events_keep_their_order_and_happen_once_though_the_process_that_has_them_dies(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic-1")
        world.run("logic-2")
        await world.call("found", "open")
        users = ("ann", "bob")
        await first_heard(world)
        for number in range(30):
            for user in users:
                await tell(world, user, "connected" if number % 2 == 0 else "disconnected", f"{user}-{number:02}")
            if number == 10:
                world.kill("logic-1")
            if number == 20:
                world.kill("logic-2")
                world.run("logic-1")
        for user in users:
            await world.until_state("seen", user, {"events": [f"{user}-{number:02}" for number in range(30)]})


async def tell(world: AppWorld, user: str, type_: str, id: str) -> None:
    """An event of a gateway, as storage tells it."""
    event = m.LifecycleEvent(id=id, type=type_, time_ms=1, user=user)
    await publish_durable(world.bus, EVENT.at(source="gateway", type=type_), event, Deadline.after(5), message_id=id)


async def first_heard(world: AppWorld) -> None:
    """Wait until the app listens: of what was told before it began it hears nothing."""
    number = 0
    async with asyncio.timeout(30):
        while not any("warm" in line for line in world.ran):
            number += 1
            await tell(world, "warm", "connected", f"warm-{number}")
            await asyncio.sleep(0.1)


async def test_an_inbound_event_is_a_record_that_its_handler_runs_once_for_its_id(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic")
        payload = {"source": "stripe", "type": "paid", "id": "evt_1", "data": {"amount": 5}, "received_ms": 1}
        record = m.NewRecord(id="e:1", app="shop", connector="", op="on_event", payload=payload)
        await world.call("found", "open")
        await world.enqueue(record)
        await world.enqueue(record)
        await world.until_state("seen", "stripe", {"events": ["evt_1"]})

        assert world.ran == ["paid 5"]


async def test_a_call_that_waited_for_its_app_runs_as_soon_as_there_is_one(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic")
        await world.call("found", "open")
        world.kill("logic")
        payload = {"method": "later", "user": "ann", "client": "c1", "data": "now", "info": None}
        record = m.NewRecord(id="c:c1:1", app="shop", connector="", op="on_queued_call", payload=payload)
        await world.enqueue(record, caller="gateway")
        assert not world.ran
        world.run("logic")
        await until(lambda: bool(world.ran), 40)

        assert world.ran == ["later ann now"]


async def test_a_process_that_stops_in_good_order_leaves_its_long_task_to_another_at_once(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic-1")
        await world.call("begin_long")
        await until(lambda: world.ran == ["long"], 30)
        world.run("logic-2")
        world.kill("logic-1", signal.SIGTERM)
        await world.until_state("seen", "long", {"events": ["done"]})  # its lease would have lasted 65 s
        await until(lambda: world.died("logic-1"), 30)

        assert world.ran == ["long", "long"]


async def test_an_app_runs_no_others_tasks(tmp_path: Path) -> None:
    async with app_world(tmp_path, SOURCE) as world:
        world.run("storage")
        world.run("logic")
        await world.call("found", "open")
        record = m.NewRecord(id="x", app="chat", connector="", op="close", payload={})
        await world.enqueue(record)
        with pytest.raises(CausewayError, match="permission denied"):
            await world.enqueue(record, caller="shop")

        assert not world.ran


TRACED = """
[telemetry]
otlp_endpoint = "{url}"
export_interval = "200ms"
"""


async def test_the_trace_of_a_call_goes_on_in_the_task_that_its_timer_became(tmp_path: Path) -> None:
    otlp = OtlpReceiver()
    await otlp.start()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    try:
        async with app_world(tmp_path, SOURCE, TRACED.format(url=otlp.url)) as world:
            world.run("storage")
            world.run("logic")
            await world.call("found", "open")
            request = encode(m.RpcRequest(user="ann", client="c", data=b'"7"'))
            headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
            await world.bus.ask(verbs.RPC.at(app="shop", method="open_lot"), request, Deadline.after(5), headers)

            def spans() -> list[ReceivedSpan]:
                return [span for span in otlp.spans if span.trace_id == trace_id]

            def edges() -> set[tuple[str, str]]:
                by_id = {span.span_id: span for span in spans()}
                return {(by_id[span.parent_id].name, span.name) for span in by_id.values() if span.parent_id in by_id}

            wanted = {("attempt shop.close", "request cw.v1.storage.{caller}.any.{verb}")}
            wanted |= {("publish cw.v1.task.{app}.{task}", "process cw.v1.task.{app}.{task}")}
            try:
                await until(lambda: wanted <= edges(), 30)
            except TimeoutError:
                raise AssertionError(f"missing {wanted - edges()}, there are {edges()}\n{world.logs()}") from None
    finally:
        await otlp.stop()
