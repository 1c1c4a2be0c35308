"""What the gateway of a test does on its own: asks again when something is over, and answers for an app that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import BaseModel

from causeway_logic import App, Channel, ConnectReply, ConnectRequest, Context, RefreshReply, Reject, SubscribeReply
from causeway_testing import AppTester, CallError, User


class Seen(BaseModel):
    users: list[str] = []


app = App("door", version="1.0.0")
short = app.namespace("short")
once = app.namespace("once")
strict = app.namespace("strict")
late = app.namespace("late")


@app.on_connect(when_unavailable="allow")
async def enter(ctx: Context, request: ConnectRequest) -> ConnectReply:
    return ConnectReply(user=str(request.data), expire_at=ctx.now() + timedelta(minutes=1), meta={"until": 3})


@app.on_refresh
async def stay(ctx: Context) -> RefreshReply:
    if ctx.now().minute >= ctx.meta["until"]:
        raise Reject(403, "time is over")
    return RefreshReply(expire_at=ctx.now() + timedelta(minutes=1))


@short.on_subscribe(when_unavailable="allow")
async def may_watch(ctx: Context, channel: Channel) -> SubscribeReply:
    return SubscribeReply(expire_at=ctx.now() + timedelta(minutes=1))


@short.on_sub_refresh
async def may_stay(ctx: Context, channel: Channel) -> RefreshReply:
    if ctx.now().minute >= 2:
        raise Reject(403, "enough")
    return RefreshReply(expire_at=ctx.now() + timedelta(minutes=1))


@once.on_subscribe
async def may_watch_once(ctx: Context, channel: Channel) -> SubscribeReply:
    return SubscribeReply(expire_at=ctx.now() + timedelta(minutes=1))


@strict.on_subscribe(when_unavailable="deny")
async def may_watch_strictly(ctx: Context, channel: Channel) -> None: ...


@late.on_subscribe
async def too_late(ctx: Context, channel: Channel) -> SubscribeReply:
    return SubscribeReply(expire_at=ctx.now())


@app.rpc(when_unavailable="queue")
async def sign(ctx: Context) -> str:
    if await ctx.entity(Seen, "1").find() is None:
        await ctx.entity(Seen, "1").create(Seen())
    await ctx.entity(Seen, "1").edit(lambda draft: draft.state.users.append(ctx.user))
    return ctx.user


@app.rpc
async def ask(ctx: Context) -> str:
    return ctx.user


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        yield made


async def code_of(user: User, channel: str) -> int:
    with pytest.raises(CallError) as caught:
        await user.subscribe(channel)
    return caught.value.code


async def test_a_connection_stays_as_long_as_its_hook_says(tester: AppTester) -> None:
    ann = await tester.connect("ann")
    await tester.advance(minutes=2, seconds=50)
    assert ann.connected
    await tester.advance(seconds=20)

    assert (ann.connected, ann.closed) == (False, (3005, "connection expired"))


async def test_a_subscription_stays_as_long_as_its_hook_says_and_without_one_ends_in_time(tester: AppTester) -> None:
    ann = tester.user("ann")
    asked, plain = await ann.subscribe("short:1"), await ann.subscribe("once:1")
    await tester.advance(seconds=70)
    assert (asked.active, plain.active) == (True, False)
    await tester.advance(seconds=60)

    assert (asked.active, ann.connected) == (False, True)
    assert await code_of(ann, "late:1") == 110


async def test_an_app_that_is_away_is_answered_for_as_it_has_declared(tester: AppTester) -> None:
    ann = tester.user("ann")
    with tester.app_away():
        assert (await tester.connect("bob")).name == "", "let in by nobody: anonymous"
        assert (await ann.subscribe("short:1")).active
        assert await code_of(ann, "strict:1") == 103
        assert await code_of(ann, "once:1") == 100
        failed = await ann.attempt("ask")
        kept = await ann.call("sign")

    assert (failed.code, failed.temporary) == (100, True)
    assert kept["queued"].startswith("q:")
    assert await ann.call("ask") == "ann"
    assert tester.entity(Seen, "1") == Seen(users=["ann"])
