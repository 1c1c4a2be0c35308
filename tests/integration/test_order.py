"""Order per key over real processes, under SIGKILL of each: webhooks out to an ordered endpoint, and events of a source into an app."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.ids import derived_id
from causeway_integrations.domain.inbound import InboundEvent, record_of
from causeway_integrations.domain.webhook import configured_id
from support.door import Door, door_in
from support.logic_process import app_world
from support.peers import Peer
from support.storage_process import APP
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TYPE = "lot.changed"
COUNT = 12
BROKEN = 4
"""This one of the first key is never taken: it dies, and the next one goes."""
FAILS_FIRST = 5
"""Each fifth one is taken at its second try."""


class Ordered(Peer):
    """Takes webhooks `{key, number}` slowly, and keeps what broke their order: another of the key under way, or one before not over."""

    def __init__(self) -> None:
        super().__init__()
        self.over: dict[str, list[int]] = {}
        self.tries: dict[tuple[str, int], int] = {}
        self.under_way: dict[str, int] = {}
        self.wrong: list[str] = []
        self.loose = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{name}", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        said = (await request.json())["data"]
        key, number = str(said["key"]), int(said["number"])
        if request.match_info["name"] == "loose":
            self.loose += 1
            return web.Response(status=204)
        over = self.over.setdefault(key, [])
        missing = set(range(1, number)) - set(over) - ({BROKEN} if key == "0" else set())
        if key in self.under_way or missing:
            self.wrong.append(f"{key}/{number} came with {sorted(missing)} not over and {self.under_way.get(key)} under way")
        self.under_way[key] = number
        self.tries[key, number] = self.tries.get((key, number), 0) + 1
        try:
            await asyncio.sleep(0.02)
        finally:
            self.under_way.pop(key, None)
        if (key, number) == ("0", BROKEN) or (number % FAILS_FIRST == 0 and self.tries[key, number] == 1):
            return web.Response(status=503)
        if number not in over:
            over.append(number)
        return web.Response(status=204)


def endpoint(url: str, *, ordered: bool) -> str:
    return (
        f'[[integrations.webhook.endpoints]]\napp = "{APP}"\nevent = "{TYPE}"\nurl = "{url}"\nsecret = "{SECRET}"\n'
        f"ordered = {str(ordered).lower()}\n"
    )


async def changed(door: Door, lot: str, number: int) -> None:
    """One commit of an entity, and with it an event. The keys 0 and 1 are the entities' own, the others are given."""
    key = "" if lot in {"0", "1"} else "given"
    payload: dict[str, Any] = {
        "type": TYPE, "timestamp": "2026-01-01T00:00:00.000Z", "data": {"key": key or lot, "number": number}
    }  # fmt: skip
    item = encode_item(m.JobItem(connector="webhook", op="event", payload=payload, key=key))
    version = number if not key else 1
    request = m.CommitRequest(
        kind="lot",
        id=lot if not key else f"{lot}-{number}",
        expected=version - 1,
        commit_id=f"{lot}-{number}",
        state={},
        items=[item],
    )
    assert (await door.ask(verbs.COMMIT, request)).outcome == "committed"
    if key:  # of different entities: only what is there is before what comes
        async with asyncio.timeout(30):
            while len(door.records("op = 'event'")) < 3 * number:
                door.deaths()
                await asyncio.sleep(0.01)


async def test_an_ordered_endpoint_gets_the_events_of_a_key_one_after_the_other_whatever_dies(tmp_path: Path) -> None:
    """Over two processes, through failed tries, a dead one, and kills of both and of storage; others are not held meanwhile."""
    receiver = Ordered()
    config = (
        f'[integrations.webhook]\ntimeout = "1s"\nallow_hosts = ["127.0.0.1"]\nretry_schedule = ["0s", "100ms", "100ms"]\n'
        f"{endpoint(f'{receiver.url}/ordered', ordered=True)}{endpoint(f'{receiver.url}/loose', ordered=False)}"
    )
    async with receiver, door_in(tmp_path, config, replicas=2) as door:
        for number in range(1, COUNT + 1):
            for lot in ("0", "1", "2"):
                await changed(door, lot, number)
            if number == COUNT // 3:
                door.kill_door(0)
                door.deaths()
            if number == COUNT * 2 // 3:
                door.kill_door(1)
                assert door._process is not None
                door._process.kill()
                door._process.wait()
                door.deaths()
        async with asyncio.timeout(100):
            while door.records("state = 'pending'"):
                door.deaths()
                await asyncio.sleep(0.05)
        dead = door.records("state = 'dead'")

    whole = list(range(1, COUNT + 1))
    assert receiver.wrong == []
    assert receiver.over == {"0": [number for number in whole if number != BROKEN], "1": whole, "given": whole}
    assert len(dead) == 1, "the one that the receiver never takes, and nothing else"
    assert receiver.loose >= 3 * COUNT


async def test_two_processes_share_the_rate_of_an_endpoint(tmp_path: Path) -> None:
    """Together they send no more than it allows: so many deliveries take at least so long. Each on its own would need half of that."""
    rate, count = 10, 50
    receiver = Ordered()
    config = (
        f'[integrations.webhook]\ntimeout = "5s"\nallow_hosts = ["127.0.0.1"]\n'
        f"{endpoint(f'{receiver.url}/loose', ordered=False)}rate_limit = {rate}\n"
    )
    async with receiver, door_in(tmp_path, config, replicas=2) as door:
        name = configured_id(APP, TYPE, f"{receiver.url}/loose")
        body = json.dumps({"data": {"key": "k", "number": 1}})
        made = [
            m.NewRecord(
                id=f"d{n}", app=APP, connector="webhook", op="deliver", payload={"endpoint": name, "id": f"d{n}", "body": body}
            )
            for n in range(count)
        ]
        began = time.monotonic()
        await door.ask(verbs.ENQUEUE, m.EnqueueRequest(records=made), "integrations")
        await door.ended(*(each.id for each in made))
        took = time.monotonic() - began

        assert receiver.loose == count
        assert count <= rate * (took + 1) + 1
        assert all(record.state == "done" for record in door.records())


SHOP = """
import asyncio
import os
from typing import Any

from causeway_logic import App, Context, Event, Reject, Retry

app = App("shop", version="1.0.0")


def ran(text: str) -> None:
    with open(os.environ["RAN"], "a") as file:
        file.write(text + "\\n")


@app.on_event("sender", "*", order_by="order.id", timeout="1s", retry=Retry(["100ms", "100ms", "100ms"]))
async def changed(ctx: Context, event: Event[Any]) -> None:
    order, number = event.data["order"]["id"], event.data["number"]
    ran(f"begin {order} {number}")
    await asyncio.sleep(0.02)
    with open(os.environ["RAN"]) as file:
        first = file.read().count(f"begin {order} {number}\\n") == 1
    if number % 5 == 0 and first:
        raise RuntimeError("not at first")
    if (order, number) == (0, 4):
        ran(f"end {order} {number}")
        raise Reject(409, "never")
    ran(f"end {order} {number}")
"""


async def test_an_app_gets_the_events_of_a_key_one_after_the_other_whatever_dies(tmp_path: Path) -> None:
    """Over two processes, through failed tries, a dead one, and kills of both and of storage."""
    async with app_world(tmp_path, SHOP) as world:
        for name in ("storage", "logic", "logic-2"):
            world.run(name)
        numbers, orders = range(1, COUNT + 1), range(3)
        for number in numbers:
            for order in orders:
                event = InboundEvent("sender", f"{order}-{number}", "changed", {"order": {"id": order}, "number": number})
                await world.enqueue(record_of(event, "shop", 1, "", "order.id"))
            if number in {COUNT // 3, COUNT * 2 // 3}:
                killed = "logic" if number == COUNT // 3 else "logic-2"
                await until(lambda: len(world.ran) > 0)
                for name in (killed, "storage") if killed == "logic-2" else (killed,):
                    world.kill(name)
                    world.run(name)
        async with asyncio.timeout(100):
            while sum(line.startswith("end ") for line in set(world.ran)) < COUNT * len(orders):
                await asyncio.sleep(0.05)

        for order in orders:
            lines = [line.split() for line in world.ran if line.split()[1] == str(order)]
            over: list[int] = []
            for what, _, number_ in lines:
                if what == "end":
                    over.append(int(number_))
                else:
                    assert set(range(1, int(number_))) <= set(over), f"{order}/{number_} began after {over}"
            assert sorted(set(over)) == list(numbers)
            assert [number for at, number in enumerate(over) if number not in over[:at]] == list(numbers)


def test_the_line_of_an_event_is_its_key_at_its_source_for_its_app_and_without_a_value_there_is_none() -> None:
    """Any value of one kind and content is one key; what is no text, number or truth value, or is not there, is none."""

    def line(data: Any, by: str = "order.id", app: str = "shop", source: str = "sender") -> tuple[str, str]:
        record = record_of(InboundEvent(source, "1", "t", data), app, 1, "", by)
        return record.line, record.behind

    seven = {"order": {"id": 7}}
    assert line(seven) == ("i:" + derived_id("shop", "sender", json.dumps(7)),) * 2
    assert line({"order": {"id": 7, "x": 1}, "y": 2}) == line(seven)
    assert len({line(seven), line({"order": {"id": "7"}}), line(seven, app="chat"), line(seven, source="other")}) == 4
    assert line({"lines": [{"sku": "a"}]}, "lines.0.sku") != ("", "")
    for data, by in (({}, "order.id"), (seven, "order"), (seven, ""), ([1], "1"), ({"order": {"id": None}}, "order.id"), (5, "a")):
        assert line(data, by) == ("", ""), (data, by)
