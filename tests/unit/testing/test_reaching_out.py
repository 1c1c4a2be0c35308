"""What an app reaches from its handlers: channels, who is there, users' connections, connectors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from causeway_logic import App, Context, History, Reject, connectors
from causeway_testing import AppTester, CallError, MadeCall, User


class Said(BaseModel):
    channel: str
    text: str


class Shown(BaseModel):
    user: str
    channel: str


app = App("hall", version="1.0.0")
app.namespace("log", history=History(size=9, ttl="1h"), allow_subscribe_for_client=True, presence=True)
app.namespace("live", allow_subscribe_for_client=True)


@app.rpc
async def say(ctx: Context, req: Said) -> list[int]:
    first = await ctx.publish(req.channel, {"text": req.text}, idempotency_key="same")
    second = await ctx.publish(req.channel, {"text": req.text}, idempotency_key="same")
    return [first.offset, second.offset]


@app.rpc
async def who(ctx: Context, req: str) -> list[Any]:
    found, stats = await ctx.presence(req), await ctx.presence_stats(req)
    return [sorted(each.user for each in found.members), stats.clients, stats.users]


@app.rpc
async def let_in(ctx: Context, req: Shown) -> int:
    return await ctx.subscribe(req.user, req.channel, data={"by": ctx.user})


@app.rpc
async def let_out(ctx: Context, req: Shown) -> int:
    return await ctx.unsubscribe(req.user, req.channel)


@app.rpc
async def ban(ctx: Context, req: str) -> int:
    return await ctx.disconnect(req, reason="not here")


@app.rpc
async def pay(ctx: Context, req: int) -> str:
    made = await ctx.call(connectors.PAYMENTS_CREATE, connectors.CreatePayment(amount=req, currency="EUR"))
    return made.state


@app.rpc
async def look_up(ctx: Context, req: str) -> Any:
    return await ctx.call("http.rates", {"path": req})


@app.rpc
async def remind(ctx: Context) -> None:
    await ctx.enqueue("email.send", {"to": [ctx.user]})


@pytest.fixture
async def tester() -> AsyncIterator[AppTester]:
    async with AppTester(app) as made:
        yield made


async def code_of(user: User, method: str, data: Any = None) -> int:
    with pytest.raises(CallError) as caught:
        await user.call(method, data)
    return caught.value.code


async def test_publications_reach_those_who_watch_once_per_key_where_there_is_a_history(tester: AppTester) -> None:
    ann = tester.user("ann")
    log, live = await ann.subscribe("log:1"), await ann.subscribe("live:1")

    assert await ann.call("say", {"channel": "log:1", "text": "a"}) == [1, 1]
    await ann.call("say", {"channel": "live:1", "text": "b"})
    assert log.messages == [{"text": "a"}]
    assert live.messages == [{"text": "b"}, {"text": "b"}]


async def test_an_app_sees_who_is_there(tester: AppTester) -> None:
    ann, ann_too, bob = tester.user("ann"), tester.user("ann"), tester.user("bob")
    for user in (ann, ann_too, bob):
        await user.subscribe("log:1")

    assert await ann.call("who", "log:1") == [["ann", "ann", "bob"], 3, 2]
    bob.disconnect()
    assert await ann.call("who", "log:1") == [["ann", "ann"], 2, 1]
    assert await code_of(ann, "who", "live:1") == 108


async def test_an_app_subscribes_unsubscribes_and_disconnects_users(tester: AppTester) -> None:
    ann, bob = tester.user("ann"), tester.user("bob")
    assert await ann.call("let_in", {"user": "bob", "channel": "log:1"}) == 1
    await ann.call("say", {"channel": "log:1", "text": "a"})
    watched = bob.subscriptions["log:1"]
    assert (watched.data, watched.messages) == ({"by": "ann"}, [{"text": "a"}])
    assert await ann.call("let_out", {"user": "bob", "channel": "log:1"}) == 1
    assert not watched.active

    assert await ann.call("ban", "bob") == 1
    assert (bob.connected, bob.closed) == (False, (3503, "not here"))


async def test_connectors_answer_what_the_test_says_and_their_calls_are_told(tester: AppTester) -> None:
    ann = tester.user("ann")
    assert await code_of(ann, "pay", 5) == 100

    def pays(payload: dict[str, Any], key: str) -> connectors.Payment:
        if payload["amount"] > 100:
            raise Reject(402, "too much")
        return connectors.Payment(id=key[:4], state="succeeded", amount=payload["amount"], currency="EUR")

    tester.calls["payments.create"] = pays
    tester.calls["http.rates"] = {"status": 200, "data": {"EUR": 1}}

    assert await ann.call("pay", 5) == "succeeded"
    assert await code_of(ann, "pay", 500) == 402
    assert (await ann.call("look_up", "/latest"))["data"] == {"EUR": 1}
    assert [call.operation for call in tester.calls.made] == ["payments.create", "payments.create", "http.rates"]
    first, second = tester.calls.to("payments.create")
    assert isinstance(first, MadeCall)
    assert first.payload["amount"] == 5
    assert first.key != second.key


async def test_a_job_that_a_connector_refuses_is_dead_and_one_that_fails_for_now_waits(tester: AppTester) -> None:
    ann = tester.user("ann")
    await ann.call("remind")
    answers: list[Exception] = [Reject(503, "later", temporary=True), Reject(550, "no such mailbox")]

    def sends(_payload: dict[str, Any]) -> None:
        raise answers.pop(0)

    tester.calls["email.send"] = sends

    assert [(job.state, job.note) for job in await tester.run_jobs()] == [("pending", "later")]
    await tester.advance(minutes=1)
    assert [(job.state, job.note) for job in await tester.run_jobs()] == [("dead", "no such mailbox")]
    assert [job.attempts for job in tester.jobs] == [2]
