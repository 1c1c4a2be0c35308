"""A gateway tells storage what it holds, clients never wait for it, and one that counts as gone begins anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from causeway_common.contracts.messages import FeedMembership, NamespaceSpec
from causeway_gateway.handlers import metrics
from support.waiting import until
from unit.gateway.fakes import FakeAttendances, Gateway
from unit.gateway.test_over_websocket import Wire, wire

QUIET = NamespaceSpec(name="quiet", allow_subscribe_for_client=True)
ROOM = NamespaceSpec(
    name="room",
    allow_subscribe_for_client=True,
    join_leave=True,
    force_push_join_leave=True,
    lifecycle_events=True,
    occupancy_events=True,
)


def gateway(*, lifecycle: bool = True, **options: Any) -> Gateway:
    return Gateway(specs=(QUIET, ROOM), lifecycle=lifecycle, **options)


@asynccontextmanager
async def subscriber(opened: Gateway, user: str = "ann", channel: str = "room:a") -> AsyncIterator[Wire]:
    async with wire(opened) as client:
        await client.connect(user)
        await client.ask({"id": 2, "subscribe": {"channel": channel}})
        yield client


def scopes(attendances: FakeAttendances, *, held: bool) -> list[str]:
    return sorted(scope for scope, each in attendances.seen if each is held)


async def test_what_nobody_asks_for_is_not_told() -> None:
    async with gateway(lifecycle=False) as opened, subscriber(opened, channel="quiet:a"):
        pass

    assert opened.attendances.requests == []
    assert opened.attending.waiting == 0


async def test_a_connection_and_its_subscription_are_told_when_they_begin_and_when_they_end() -> None:
    async with gateway() as opened:
        async with subscriber(opened):
            await until(lambda: len(opened.attendances.seen) == 4)
            assert scopes(opened.attendances, held=True) == ["channel", "member", "subscription", "user"]
        await until(lambda: len(opened.attendances.seen) == 8)

    assert scopes(opened.attendances, held=False) == ["channel", "member", "subscription", "user"]
    (member,) = [each for each in opened.attendances.told if each.scope == "member" and each.held]
    assert member.info is not None
    assert member.info.user == "ann"


async def test_while_storage_is_away_clients_do_not_wait_and_all_is_told_in_order_later() -> None:
    async with gateway() as opened:
        opened.attendances.away = True
        async with subscriber(opened, "ann"), subscriber(opened, "bob"):
            assert opened.attending.waiting == 7, "two users, subscriptions and members, and the channel"
            opened.attendances.away = False
            await until(lambda: len(opened.attendances.seen) == 7)

    users = [each.user for each in opened.attendances.told if each.held and each.scope == "user"]
    assert users == ["ann", "bob"]


async def test_a_batch_that_could_not_be_told_is_told_again_with_the_same_numbers() -> None:
    async with gateway() as opened:
        opened.attendances.away = True
        async with subscriber(opened):
            await until(lambda: len(opened.attendances.requests) >= 2)
            opened.attendances.away = False
            await until(lambda: len(opened.attendances.seen) == 4)

    told = [request for request in opened.attendances.requests if request.changes]
    assert {request.first for request in told[:2]} == {1}


async def test_a_change_that_storage_never_takes_is_left_out_and_the_others_are_told() -> None:
    refused = metrics.attend_refused.total
    async with gateway() as opened:
        opened.attendances.refuses = "room:bad"
        async with subscriber(opened, "ann", "room:bad"), subscriber(opened, "bob", "room:good"):
            await until(lambda: any(each.channel == "room:good" and each.scope == "member" for each in opened.attendances.told))

    assert metrics.attend_refused.total >= refused + 3
    assert {each.user for each in opened.attendances.told if each.scope == "user"} == {"ann", "bob"}


async def test_a_refused_change_has_no_number_so_that_storage_sees_this_life_begin() -> None:
    async with gateway(lifecycle=False) as opened:
        opened.attendances.refuses = "room:bad"
        async with subscriber(opened, "ann", "room:bad"):
            await until(lambda: opened.attending.waiting == 0)
            async with subscriber(opened, "bob", "room:good"):
                await until(lambda: len(opened.attendances.told) == 3)

    taken = [request for request in opened.attendances.requests if any(each.channel == "room:good" for each in request.changes)]
    assert taken[0].first == 1


async def test_a_gateway_that_counts_as_gone_closes_its_clients_for_reconnection_and_begins_a_new_life() -> None:
    async with gateway() as opened, wire(opened) as client:
        await client.connect()
        await until(lambda: len(opened.attendances.seen) == 1)
        opened.attendances.cleared = True
        assert await client.next() == ("closed", 3011)
        opened.attendances.cleared = False
        async with subscriber(opened, "bob"):
            await until(lambda: any(each.user == "bob" for each in opened.attendances.told))

    lives = [(request.life, request.first) for request in opened.attendances.requests if request.changes]
    assert lives[0] == (1, 1)
    assert lives[1] == (2, 1)


async def test_a_gateway_that_leaves_says_so_and_does_not_let_go_of_whom_it_closes() -> None:
    async with gateway(pause_ms=3000) as opened, aiohttp.ClientSession() as session:
        client = Wire(await session.ws_connect(opened.url))
        await client.connect()
        await client.ask({"id": 2, "subscribe": {"channel": "room:a"}})
        await until(lambda: len(opened.attendances.seen) == 4)
        opened.attending.leave()
        opened.registry.drain(0)
        while await client.next() != ("closed", 3001):
            continue

    assert scopes(opened.attendances, held=False) == ["member"], "it told that leave itself"
    assert opened.attendances.left == [3000]


async def test_a_leave_that_comes_twice_reaches_subscribers_once() -> None:
    async with gateway() as opened, subscriber(opened, "ann") as watcher, subscriber(opened, "bob"):
        push = await watcher.next()
        while push.get("push", {}).get("join", {}).get("info", {}).get("user") != "bob":
            push = await watcher.next()
        client = push["push"]["join"]["info"]["client"]
        member = next(each.info for each in opened.attendances.told if each.client == client)
        assert member is not None
        leave = FeedMembership(channel="room:a", joined=False, info=member, id="1")
        for _ in range(2):
            opened.bus.tell(leave)
        opened.bus.tell(FeedMembership(channel="room:a", joined=True, info=member))

        told = [await watcher.next(), await watcher.next()]
        assert [max(each["push"]) for each in told] == ["leave", "join"]
