"""An app's methods and hooks over a real bus: every declared hook is asked on its own subject, and no other one answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_logic import App, Channel, ConnectReply, ConnectRequest, Context, RefreshReply, Reject, SubscribeReply
from unit.logic.buses import served

app = App("shop", version="1.0.0")
lots = app.namespace("lot")


@app.rpc
async def ping(ctx: Context) -> str:
    return ctx.user


@app.on_connect
async def who(ctx: Context, request: ConnectRequest) -> ConnectReply:
    return ConnectReply(user=request.data)


@app.on_refresh
async def stay(ctx: Context) -> RefreshReply:
    raise Reject(401, "out")


@lots.on_subscribe
async def watch(ctx: Context, channel: Channel) -> SubscribeReply:
    return SubscribeReply(data=channel.id)


@lots.on_publish
async def check(ctx: Context, channel: Channel, data: int) -> int:
    return data + 1


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A bus on which the app is served."""
    async with served(app, tmp_path) as (bus, _):
        yield bus


async def test_methods_and_hooks_answer_on_their_own_subjects(bus: Bus) -> None:
    deadline = Deadline.after(10)
    rpc = await bus.request(verbs.RPC, m.RpcRequest(user="ann", client="c", data=b""), deadline, app="shop", method="ping")
    connect = await bus.request(verbs.CONNECT_HOOK, m.ConnectHookRequest(client="c", data=b'"ann"'), deadline, app="shop")
    refresh = await bus.request(verbs.REFRESH_HOOK, m.RefreshHookRequest(user="ann", client="c"), deadline, app="shop")
    subscribe = m.SubscribeHookRequest(user="ann", client="c", channel="lot:1")
    publish = m.PublishHookRequest(user="ann", client="c", channel="lot:1", data=b"1")

    assert rpc.data == b'"ann"'
    assert (connect.user, refresh.expired) == ("ann", True)
    assert (await bus.request(verbs.SUBSCRIBE_HOOK, subscribe, deadline, app="shop")).data == b'"1"'
    assert (await bus.request(verbs.PUBLISH_HOOK, publish, deadline, app="shop")).data == b"2"


async def test_a_hook_that_the_app_does_not_declare_has_nobody_who_answers(bus: Bus) -> None:
    request = m.SubRefreshHookRequest(user="ann", client="c", channel="lot:1")
    with pytest.raises(CausewayError) as caught:
        await bus.request(verbs.SUB_REFRESH_HOOK, request, Deadline.after(10), app="shop")

    assert caught.value.name is ErrorName.UNAVAILABLE
