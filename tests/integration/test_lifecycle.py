"""Durable lifecycle events, and the leaves of a killed gateway's clients: each once, whoever dies, and none for who only moved."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.command import command
from support.people import Street, Told, events_of, street
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

NAMESPACE = """
[[channel.namespaces]]
name = "room"
lifecycle_events = true
occupancy_events = true
join_leave = true
force_push_join_leave = true
allow_subscribe_for_client = true
"""


def config(silence: str, debounce: str) -> str:
    return f"""
[nats]
heartbeat = "250ms"
silence = "{silence}"
[client]
lifecycle_events = true
lifecycle_debounce = "{debounce}"
allow_anonymous_connect_without_token = true
[shutdown]
drain = "200ms"
{NAMESPACE}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack in which no silence counts within the test."""
    async with running_stack(tmp_path_factory.mktemp("patient"), config=config("10m", "1s"), gateways=2) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack in which three seconds of silence are death."""
    async with running_stack(tmp_path_factory.mktemp("strict"), config=config("3s", "100ms"), gateways=2) as stack:
        yield stack


async def both(stack: Stack) -> None:
    """Both gateways run."""
    await until(lambda: bool(stack.pid("gateway-1") and stack.pid("gateway-2")) and bool(stack.state()["ready"]), 30)


async def test_a_users_first_connection_and_last_end_are_events_and_nothing_between(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        first = await (await people.person("ann", "gateway-1")).subscribe("room:a")
        second = await (await people.person("ann", "gateway-2")).subscribe("room:a")
        bob = await (await people.person("bob", "gateway-1")).subscribe("room:a")
        await until(lambda: told.about("bob", "room:a") == ["subscribed"])
        await first.leave()
        await bob.leave()  # behind `first` on the same gateway: what comes of `first` comes before it
        await until(lambda: told.about("bob") == ["connected", "disconnected"])
        assert told.about("ann") == ["connected"]
        assert told.about("ann", "room:a") == ["subscribed"]
        await second.leave()
        await until(lambda: told.about("", "room:a") == ["first_join", "last_leave"])
        await until(lambda: told.about("ann") == ["connected", "disconnected"])

        assert told.about("ann", "room:a") == ["subscribed", "unsubscribed"]
        assert {event.namespace for event in told.events if event.channel} == {"room"}
        assert len({event.id for event in told.events}) == len(told.events)


async def test_an_anonymous_client_is_told_by_itself(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        await (await people.person("")).leave()
        one, two = await people.person(""), await people.person("")
        for person in (one, two):
            await person.leave()

        def anonymous() -> list[str]:
            return [event.type for event in told.events if not event.user and not event.channel]

        await until(lambda: anonymous().count("disconnected") == 3)
        assert anonymous().count("connected") == 3
        assert len({event.client for event in told.events if event.client}) == 3


async def test_a_quick_move_to_another_gateway_tells_nothing(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        moving = await (await people.person("mia", "gateway-1")).subscribe("room:move")
        other = await (await people.person("otto", "gateway-1")).subscribe("room:other")
        seat = await people.seat("gateway-2")
        await moving.leave()
        moved = await (await people.sit("mia", seat)).subscribe("room:move")
        await other.leave()
        await until(lambda: told.about("otto") == ["connected", "disconnected"])

        assert told.about("mia") == ["connected"]
        assert told.about("mia", "room:move") == ["subscribed"]
        assert told.about("", "room:move") == ["first_join"]
        await moved.leave()
        await until(lambda: told.about("mia") == ["connected", "disconnected"])


async def test_a_gateway_that_leaves_in_good_order_tells_only_of_clients_that_did_not_come_back(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        back = await (await people.person("back", "gateway-1")).subscribe("room:back")
        gone = await (await people.person("gone", "gateway-1")).subscribe("room:gone")
        watcher = await (await people.person("wim", "gateway-2")).subscribe("room:gone")
        seat = await people.seat("gateway-2")
        pid = patient.kill("gateway-1", signal.SIGTERM)
        await until(lambda: back.code == 3001 and gone.code == 3001)
        await (await people.sit("back", seat)).subscribe("room:back")
        await until(lambda: told.about("gone") == ["connected", "disconnected"], 30)
        await until(lambda: told.about("gone", "room:gone") == ["subscribed", "unsubscribed"])
        await until(lambda: patient.pid("gateway-1") not in (0, pid), 20)
        await both(patient)

        assert told.about("back") == ["connected"]
        assert told.about("back", "room:back") == ["subscribed"]
        assert watcher.leaves == {("room:gone", "gone"): 1}


async def test_an_outage_of_the_bus_delays_events_and_loses_and_doubles_none(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        before = await (await people.person("nat", "gateway-1")).subscribe("room:nats")
        await until(lambda: told.about("nat", "room:nats") == ["subscribed"])
        nats = patient.kill("nats")
        await before.leave()
        await until(lambda: patient.pid("nats") not in (0, nats), 20)
        await patient.ready()
        after = await (await people.person("after", "gateway-2")).subscribe("room:after")
        await after.leave()
        await until(lambda: told.about("after") == ["connected", "disconnected"], 30)
        await until(lambda: told.about("nat") == ["connected", "disconnected"], 30)
        await until(lambda: told.about("", "room:nats") == ["first_join", "last_leave"], 30)

        assert told.about("nat", "room:nats") == ["subscribed", "unsubscribed"]
        assert len({event.id for event in told.events}) == len(told.events)


async def test_the_command_line_shows_events_from_a_time_on_and_by_type(patient: Stack) -> None:
    async with events_of(patient) as told, street(patient) as people:
        await (await people.person("lisa", "gateway-1")).leave()
        await until(lambda: told.about("lisa") == ["connected", "disconnected"])
        async with command(patient, "events", "--since", "1h", "--type", "disconnected", "--json") as shown:
            await until(lambda: '"lisa"' in shown.out)
            entries = [json.loads(line) for line in shown.out.splitlines()]
            (entry,) = [each for each in entries if each.get("user") == "lisa"]
            assert {each["type"] for each in entries} == {"disconnected"}
            assert entry.keys() == {"id", "type", "time_ms", "user"}
            shown.process.send_signal(signal.SIGINT)
            assert await shown.ended() == 0


async def killed(stack: Stack, people: Street, told: Told, mark: str) -> None:
    """A gateway with subscribers dies: each leave and each end is told once, and nothing of who is elsewhere too."""
    room = f"room:{mark}"
    watcher = await (await people.person(f"watcher-{mark}", "gateway-2")).subscribe(room)
    names = [f"{mark}-{number}" for number in range(4)]
    victims = [await (await people.person(name, "gateway-1")).subscribe(room) for name in names]
    both_sides = f"both-{mark}"
    for gateway in ("gateway-1", "gateway-2"):
        await (await people.person(both_sides, gateway)).subscribe(room)
    alone = await (await people.person(f"alone-{mark}", "gateway-1")).subscribe(f"{room}-alone")
    await until(lambda: told.about("", f"{room}-alone") == ["first_join"], 30)
    await until(lambda: all(told.about(name, room) == ["subscribed"] for name in [*names, both_sides]), 30)
    pid = stack.kill("gateway-1")
    await until(lambda: all(person.code for person in [*victims, alone]))
    await until(lambda: all(told.about(name) == ["connected", "disconnected"] for name in [*names, f"alone-{mark}"]), 40)
    await until(lambda: told.about("", f"{room}-alone") == ["first_join", "last_leave"], 30)
    await until(lambda: all(told.about(name, room) == ["subscribed", "unsubscribed"] for name in names), 30)
    await until(lambda: sum(watcher.leaves.values()) >= len(names) + 1, 30)
    await until(lambda: stack.pid("gateway-1") not in (0, pid), 20)
    await both(stack)
    # A sentinel through all of it: behind it nothing of the above is on its way.
    last = await (await people.person(f"last-{mark}")).subscribe(room)
    await last.leave()
    await until(lambda: told.about(f"last-{mark}") == ["connected", "disconnected"], 30)
    await until(lambda: watcher.leaves[room, f"last-{mark}"] == 1)

    assert watcher.leaves == {(room, name): 1 for name in [*names, both_sides, f"last-{mark}"]}
    assert told.about(both_sides) == ["connected"]
    assert told.about(both_sides, room) == ["subscribed"]
    assert told.about("", room) == ["first_join"]
    assert all(told.about(name) == ["connected", "disconnected"] for name in names)
    assert len({event.id for event in told.events}) == len(told.events)


async def test_a_killed_gateways_clients_are_told_as_gone_once(strict: Stack) -> None:
    async with events_of(strict) as told, street(strict) as people:
        await killed(strict, people, told, "kill")


async def test_a_gateway_that_was_held_dead_finds_out_and_its_clients_come_back(strict: Stack) -> None:
    async with events_of(strict) as told, street(strict) as people:
        watcher = await (await people.person("warden", "gateway-2")).subscribe("room:stop")
        held = await (await people.person("held", "gateway-1")).subscribe("room:stop")
        await until(lambda: told.about("held", "room:stop") == ["subscribed"])
        pid = strict.kill("gateway-1", signal.SIGSTOP)
        try:
            await until(lambda: told.about("held") == ["connected", "disconnected"], 30)
            await until(lambda: told.about("held", "room:stop") == ["subscribed", "unsubscribed"], 30)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: held.code == 3011, 20)
        again = await (await people.person("held", "gateway-1")).subscribe("room:stop")
        await until(lambda: told.about("held", "room:stop") == ["subscribed", "unsubscribed", "subscribed"])
        await again.leave()
        await until(lambda: told.about("held") == ["connected", "disconnected"] * 2)

        assert watcher.leaves == {("room:stop", "held"): 2}, "its leave was told by storage, and not again by itself"
        assert strict.pid("gateway-1") == pid


@pytest.mark.parametrize(
    "point",
    ["storage.attend.after_write", "storage.attend.before_clear", "storage.clear.after_page"],
)
async def test_events_and_leaves_come_once_wherever_storage_dies(tmp_path: Path, point: str) -> None:
    env = {"CAUSEWAY_TESTING": "1", "CAUSEWAY_FAULT": f"{point}:{1 if 'clear' in point else 3}"}
    async with running_stack(tmp_path, config=config("3s", "100ms"), gateways=2, env=env) as stack:
        storage = stack.pid("storage")
        async with events_of(stack) as told, street(stack) as people:
            await killed(stack, people, told, "crash")
        assert stack.pid("storage") != storage, "the point was passed"
