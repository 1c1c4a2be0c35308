"""The hooks: what they are asked, what their answers become on the bus, and what a declaration must look like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import BaseModel

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    ConnectHookRequest,
    HookSubscription,
    PublishHookReply,
    RefreshHookRequest,
    RpcRequest,
    SubRefreshHookRequest,
    SubscribeHookReply,
)
from causeway_common.contracts.verbs import CONNECT_HOOK, PUBLISH_HOOK, REFRESH_HOOK, SUB_REFRESH_HOOK, SUBSCRIBE_HOOK
from causeway_logic import (
    App,
    Channel,
    ConnectReply,
    ConnectRequest,
    Context,
    Override,
    PublishReply,
    RefreshReply,
    Reject,
    ServerSubscription,
    SubscribeReply,
)
from unit.logic.fakes import Bench


class Watch(BaseModel):
    depth: int


class Note(BaseModel):
    text: str


app = App("shop", version="1.2.3")
lots = app.namespace("lot", presence=True)
notes = app.namespace("note")
files = app.namespace("file", binary=True)
plain = app.namespace("plain")


@app.on_connect
async def who(ctx: Context, request: ConnectRequest) -> ConnectReply:
    if request.headers.get("x-key") != "sesame":
        raise Reject(401, "who are you?")
    if request.data == "crash":
        raise RuntimeError("the secret is hunter2")
    return ConnectReply(
        user="ann",
        info={"name": "Ann"},
        data=[request.name, request.version, request.transport, request.data],
        meta={"session": 7},
        expire_at=ctx.now() + timedelta(minutes=5),
        subs={"lot:1": ServerSubscription(data=1, override=Override(join_leave=True))},
    )


@app.on_refresh
async def stay(ctx: Context) -> RefreshReply:
    if ctx.meta is None:
        raise Reject(403, "no session")
    if ctx.meta == "busy":
        raise Reject(503, "later", temporary=True)
    return RefreshReply(expire_at=ctx.now() + timedelta(seconds=ctx.meta["session"]), info={"seen": ctx.user})


@lots.on_subscribe
async def watch(ctx: Context, channel: Channel, req: Watch | None) -> SubscribeReply | None:
    if req is None:
        return None
    return SubscribeReply(
        data={"depth": req.depth},
        info={"from": channel.id},
        expire_at=ctx.now() + timedelta(hours=1),
        override=Override(presence=False),
    )


@lots.on_sub_refresh
async def keep_watching(ctx: Context, channel: Channel) -> RefreshReply:
    match channel.id:
        case "forever":
            return RefreshReply(expire_at=None)
        case "forgotten":
            return cast("RefreshReply", None)
        case "naive":
            return RefreshReply(expire_at=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point
        case _:
            raise Reject(404, "sold")


@notes.on_publish
async def check(ctx: Context, channel: Channel, data: Note) -> Note | PublishReply | None:
    if data.text == "bad":
        raise Reject(422, f"{ctx.user} may not say that in {channel.id}")
    if data.text == "mine":
        return PublishReply(tags={"user": ctx.user})
    if data.text == "marked":
        return PublishReply(data=data, tags={})
    return None if data.text == "good" else Note(text=data.text.upper())


@files.on_publish
async def check_bytes(ctx: Context, channel: Channel, data: bytes) -> bytes | None:
    return cast("bytes", "text") if data == b"wrong" else data[::-1] or None


@app.rpc
async def see(ctx: Context) -> Any:
    return ctx.info


@pytest.fixture
def bench() -> Bench:
    return Bench(app)


NOW = 1_735_689_600_000


def connecting(**changes: Any) -> ConnectHookRequest:
    known = {"client": "c1", "transport": "sse", "name": "js", "version": "5", "data": b'{"a":1}', "headers": {"X-Key": "sesame"}}
    return ConnectHookRequest(**(known | changes))


async def test_a_connect_hook_says_who_it_is_and_what_comes_along(bench: Bench) -> None:
    reply = await bench.dispatcher.connect(connecting(), bench.question())

    assert (reply.user, reply.info, reply.meta, reply.expire_at_ms) == ("ann", b'{"name":"Ann"}', b'{"session":7}', NOW + 300_000)
    assert json.loads(reply.data or b"") == ["js", "5", "sse", {"a": 1}]
    assert reply.subs == {"lot:1": HookSubscription(data=b"1", override=Override(join_leave=True))}


async def test_a_connect_hook_denies_and_a_fault_of_it_is_internal_without_its_text(bench: Bench) -> None:
    with pytest.raises(CausewayError) as denied:
        await bench.dispatcher.connect(connecting(headers={}), bench.question())
    with pytest.raises(CausewayError) as crashed:
        await bench.dispatcher.connect(connecting(data=b'"crash"'), bench.question())

    assert (denied.value.code, denied.value.message) == (401, "who are you?")
    assert crashed.value.name is ErrorName.INTERNAL
    assert crashed.value.message.startswith("internal server error (trace ")


async def test_a_refresh_hook_moves_the_expiry_or_ends_the_connection(bench: Bench) -> None:
    """A rejection is the answer `expired`; a temporary one is an error that may be tried again."""
    moved = await bench.dispatcher.refresh(RefreshHookRequest(user="ann", client="c", meta=b'{"session":9}'), bench.question())
    ended = await bench.dispatcher.refresh(RefreshHookRequest(user="ann", client="c"), bench.question())
    with pytest.raises(CausewayError) as later:
        await bench.dispatcher.refresh(RefreshHookRequest(user="ann", client="c", meta=b'"busy"'), bench.question())

    assert (moved.expired, moved.expire_at_ms, moved.info) == (False, NOW + 9_000, b'{"seen":"ann"}')
    assert (ended.expired, ended.expire_at_ms) == (True, 0)
    assert later.value.temporary


async def test_a_subscribe_hook_gets_what_the_client_sent_and_answers_with_data_info_expiry_and_override(bench: Bench) -> None:
    assert await bench.subscribe("lot:1") == SubscribeHookReply()
    reply = await bench.subscribe("lot:1", data=b'{"depth": 3}')
    with pytest.raises(CausewayError) as wrong:
        await bench.subscribe("lot:1", data=b'{"depth": "3"}')

    assert (reply.data, reply.info) == (b'{"depth":3}', b'{"from":"1"}')
    assert (reply.expire_at_ms, reply.override) == (NOW + 3_600_000, Override(presence=False))
    assert (wrong.value.code, "depth" in wrong.value.message) == (107, True)


async def test_a_sub_refresh_hook_ends_or_keeps_a_subscription_and_a_forgotten_return_is_no_yes(bench: Bench) -> None:
    async def ask(channel: str) -> Any:
        return await bench.dispatcher.sub_refresh(SubRefreshHookRequest(user="u", client="c", channel=channel), bench.question())

    kept, ended = await ask("lot:forever"), await ask("lot:sold")
    codes = []
    for channel in ("lot:forgotten", "lot:naive", "note:1", "other:1"):
        with pytest.raises(CausewayError) as caught:
            await ask(channel)
        codes.append(caught.value.code)

    assert (kept.expired, kept.expire_at_ms) == (False, 0)
    assert ended.expired
    assert codes == [100, 100, 103, 102]


async def test_a_publish_hook_lets_through_replaces_or_denies(bench: Bench) -> None:
    assert (await bench.publish("note:1", b'{"text": "good"}')).data is None
    assert (await bench.publish("note:1", b'{"text": "hi"}')).data == b'{"text":"HI"}'
    assert await bench.publish("note:1", b'{"text": "mine"}') == PublishHookReply(tags={"user": "ann"})
    assert await bench.publish("note:1", b'{"text": "marked"}') == PublishHookReply(data=b'{"text":"marked"}', tags={})
    told = []
    for channel, data in (("note:1", b'{"text": "bad"}'), ("note:1", b'{"text": 1}'), ("plain:1", b"1"), ("other:1", b"1")):
        with pytest.raises(CausewayError) as caught:
            await bench.publish(channel, data)
        told.append((caught.value.code, caught.value.message))

    assert [code for code, _ in told] == [422, 107, 103, 102]
    assert told[0][1] == "ann may not say that in 1"
    assert "text: Input should be a valid string" in told[1][1]


async def test_in_a_binary_namespace_the_publish_hook_has_the_bytes_as_they_are(bench: Bench) -> None:
    assert (await bench.publish("file:1", b"\x00\xff")).data == b"\xff\x00"
    assert (await bench.publish("file:1", b"")).data is None
    with pytest.raises(CausewayError) as caught:
        await bench.publish("file:1", b"wrong")

    assert caught.value.name is ErrorName.INTERNAL


async def test_a_method_sees_the_info_of_its_caller(bench: Bench) -> None:
    request = RpcRequest(user="ann", client="c", data=b"null", info=b'{"name":"Ann"}')

    assert (await bench.dispatcher.rpc("see", request, bench.question())).data == b'{"name":"Ann"}'
    assert await bench.call("see", None) is None


def test_only_declared_hooks_are_served_and_announced() -> None:
    fresh = App("fresh", version="0.1.0")
    bare = fresh.namespace("bare")
    assert Bench(fresh).dispatcher.hooks() == []
    bare.on_publish(check)
    manifest = app.manifest()

    assert [verb for verb, _ in Bench(fresh).dispatcher.hooks()] == [PUBLISH_HOOK]
    verbs = [verb for verb, _ in Bench(app).dispatcher.hooks()]
    assert verbs == [CONNECT_HOOK, REFRESH_HOOK, SUBSCRIBE_HOOK, SUB_REFRESH_HOOK, PUBLISH_HOOK]
    assert (manifest.connect_hook, manifest.refresh_hook) == (True, True)
    hooks = {spec.name: (spec.subscribe_hook, spec.sub_refresh_hook, spec.publish_hook) for spec in manifest.namespaces}
    assert hooks == {
        "lot": (True, True, False),
        "note": (False, False, True),
        "file": (False, False, True),
        "plain": (False, False, False),
    }


def test_a_wrong_hook_is_refused_with_its_reason() -> None:
    fresh = App("fresh", version="0.1.0")
    namespace = fresh.namespace("bare")

    async def one(ctx: Context) -> None: ...

    async def two(ctx: Context, channel: Channel) -> None: ...

    async def three(ctx: Context, channel: Channel, data: int) -> None: ...

    async def untyped(ctx: Context, channel: Channel, data) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    async def four(ctx: Context, channel: Channel, data: int, more: int) -> None: ...

    async def yielding(ctx: Context) -> AsyncIterator[int]:
        yield 1

    for declare, function, told in (
        (fresh.on_connect, three, "parameter channel of the connect hook three can get nothing"),
        (
            fresh.on_refresh,
            two,
            "parameter channel of the refresh hook two can get nothing: .* takes its Context, services and no input",
        ),
        (namespace.on_subscribe, untyped, "parameter data of the subscribe hook untyped has no annotation"),
        (namespace.on_subscribe, yielding, "must not yield"),
        (namespace.on_sub_refresh, three, "parameter data of the sub_refresh hook three can get nothing"),
        (namespace.on_publish, four, "at most one input, got data and more"),
        (namespace.on_publish, 3, "must be a function"),
    ):
        with pytest.raises(TypeError, match=told):
            cast("Any", declare)(function)
    fresh.on_refresh(one)
    namespace.on_subscribe(two)
    with pytest.raises(ValueError, match="has a refresh hook already"):
        fresh.on_refresh(one)
    with pytest.raises(ValueError, match="bare has a subscribe hook already"):
        namespace.on_subscribe(two)
