"""What a handler reaches through its context: channels, connections of users, connectors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import ClientInfo, DisconnectUser, Override, SubscribeUser, UnsubscribeUser
from causeway_logic import App, Context, History
from causeway_logic.connectors import EMAIL_SEND, PAYMENTS_CREATE, CreatePayment, Payment, SendEmail
from unit.logic.fakes import Bench


class Note(BaseModel):
    text: str


@dataclass
class Ask:
    what: str
    key: str = ""


app = App("desk", version="1.0.0")
logged = app.namespace("note", history=History(size=10, ttl="7d"))
plain = app.namespace("typing")
notes = logged.channel("{id}", message=Note)
pixels = app.namespace("pixel", binary=True)


@app.rpc
async def publish(ctx: Context, req: Ask) -> list[Any]:
    first = await ctx.publish(notes(id="1"), Note(text=req.what), tags={"a": "b"}, idempotency_key=req.key)
    second = await ctx.publish("note:1", {"text": req.what}) if not req.key else first
    await ctx.publish("typing:1", {"typing": ctx.user}, delta=True)
    await ctx.publish("pixel:1", b"\x00\xff")
    return [first.offset, first.epoch, first.repeat, second.offset, second.repeat]


@app.rpc
async def elsewhere(ctx: Context, req: str) -> None:
    await ctx.publish(req, {"text": "x"})


@app.rpc
async def who(ctx: Context) -> list[Any]:
    present = await ctx.presence(notes(id="1"), limit=1)
    stats = await ctx.presence_stats("note:1")
    return [[each.user for each in present.members], present.total, present.members[0].info, stats.clients, stats.users]


@app.rpc
async def throw_out(ctx: Context, req: str) -> int:
    until = ctx.now() + timedelta(minutes=1)
    met = await ctx.subscribe(req, notes(id="1"), info={"seat": 1}, data=[1], expire_at=until, override=Override(presence=False))
    met += await ctx.unsubscribe(req, "note:1", client="c")
    met += await ctx.disconnect(req)
    return met + await ctx.disconnect(req, code=4001, reason="banned", whitelist=["keep"])


@app.rpc
async def pay(ctx: Context, req: Ask) -> list[Any]:
    paid: Payment = await ctx.call(PAYMENTS_CREATE, CreatePayment(amount=100, currency="eur"))
    rates: Any = await ctx.call("http.rates", {"path": "/latest"}, timeout="1s", idempotency_key=req.key)
    await ctx.enqueue(EMAIL_SEND, SendEmail(to=["a@example.org"], subject="paid"))
    await ctx.enqueue("webhook.event", {"type": "paid", "timestamp": ctx.now()})
    return [paid.id, paid.state, rates["data"]]


@app.rpc
async def wrong(ctx: Context, req: str) -> None:
    if req == "type":
        await ctx.call(PAYMENTS_CREATE, SendEmail(to=[]))  # type: ignore[misc]
    if req == "name":
        await ctx.enqueue("nothing", {})
    if req == "map":
        await ctx.enqueue("webhook.event", [1])
    if req == "reply":
        await ctx.call(PAYMENTS_CREATE, CreatePayment(amount=100, currency="eur"))


@pytest.fixture
def bench() -> Bench:
    return Bench(app)


async def test_a_publication_into_a_log_is_durable_and_a_rerun_of_the_request_publishes_no_second_one(bench: Bench) -> None:
    first = await bench.call("publish", {"what": "a"}, message_id="c:1:1")
    again = await bench.call("publish", {"what": "a"}, message_id="c:1:1")
    other = await bench.call("publish", {"what": "b"}, message_id="c:1:2")

    assert first == [1, "fake", False, 2, False]
    assert again == [1, "fake", True, 2, True]
    assert other[0] == 3
    assert [each.data for each in bench.storage.logs["note:1"]] == [b'{"text":"a"}'] * 2 + [b'{"text":"b"}'] * 2
    assert bench.storage.logs["note:1"][0].tags == {"a": "b"}
    assert (bench.storage.appended[0].size, bench.storage.appended[0].ttl_ms) == (10, 604_800_000)
    assert all(item.id.startswith("k:") for each in bench.storage.appended for item in each.items)


async def test_a_callers_key_makes_a_publication_once_whoever_asks(bench: Bench) -> None:
    await bench.call("publish", {"what": "a", "key": "k1"}, message_id="c:1:1")
    again = await bench.call("publish", {"what": "a", "key": "k1"}, message_id="c:2:9")

    assert again[:3] == [1, "fake", True]


async def test_a_publication_without_a_log_goes_to_those_who_are_there(bench: Bench) -> None:
    await bench.call("publish", {"what": "a"})
    typing, pixel = bench.gateways.published

    assert (typing.channel, typing.data, typing.delta, typing.offset) == ("typing:1", b'{"typing":"ann"}', True, 0)
    assert pixel.data == b"\x00\xff"


@pytest.mark.parametrize("channel", ["other:1", "note:a#b", "note:" + "x" * 300, "pixel:1"])
async def test_what_is_no_channel_of_the_app_or_no_message_of_its_family_is_not_published(bench: Bench, channel: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("elsewhere", channel)

    assert caught.value.name is ErrorName.INTERNAL
    assert not bench.storage.appended
    assert not bench.gateways.published


async def test_presence_tells_who_is_there_and_how_many(bench: Bench) -> None:
    bench.gateways.present = [ClientInfo(user=user, client=user, conn_info=b'{"n":1}') for user in ("ann", "bob")]

    assert await bench.call("who", None) == [["ann"], 2, {"n": 1}, 2, 2]


async def test_users_are_subscribed_unsubscribed_and_disconnected(bench: Bench) -> None:
    assert await bench.call("throw_out", "eve") == 4

    subscribe, unsubscribe, disconnect, ban = bench.gateways.commands
    assert subscribe == SubscribeUser(
        user="eve",
        channel="note:1",
        info=b'{"seat":1}',
        data=b"[1]",
        expire_at_ms=bench.time_ms + 60_000,
        override=Override(presence=False),
    )
    assert unsubscribe == UnsubscribeUser(user="eve", channel="note:1", client="c")
    assert disconnect == DisconnectUser(user="eve", code=3503, reason="force disconnect")
    assert ban == DisconnectUser(user="eve", code=4001, reason="banned", whitelist=["keep"])


async def test_a_call_has_the_operations_own_types_a_deadline_and_a_key_that_a_rerun_has_too(bench: Bench) -> None:
    bench.connectors.answers = {
        "payments.create": {"id": "p1", "state": "open", "amount": 100, "currency": "eur"},
        "http.rates": {"status": 200, "data": {"usd": 2}},
    }
    assert await bench.call("pay", {"what": "", "key": "mine"}, message_id="c:1:1") == ["p1", "open", {"usd": 2}]
    await bench.call("pay", {"what": "", "key": "mine"}, message_id="c:1:1")
    await bench.call("pay", {"what": "", "key": "mine"}, message_id="c:1:2")

    names, requests, seconds = zip(*bench.connectors.asked, strict=True)
    assert names == ("payments.create", "http.rates") * 3
    assert requests[0].payload == {"amount": 100, "currency": "eur"}
    assert requests[1].payload == {"path": "/latest"}
    keys = [each.idempotency_key for each in requests]
    assert keys[0] == keys[2] != keys[4]
    assert keys[1] == keys[3] == keys[5]
    assert 0 < seconds[1] <= 1 < seconds[0] <= 4


async def test_what_is_enqueued_is_written_once_however_often_the_request_runs(bench: Bench) -> None:
    bench.connectors.answers = {
        "payments.create": {"id": "p1", "state": "open", "amount": 100, "currency": "eur"},
        "http.rates": {"status": 200, "data": None},
    }
    for message_id in ("c:1:1", "c:1:1", "c:1:2"):
        await bench.call("pay", {"what": ""}, message_id=message_id)

    records = list(bench.storage.records.values())
    assert [(each.app, each.connector, each.op) for each in records] == [
        ("desk", "email", "send"),
        ("desk", "webhook", "event"),
    ] * 2
    assert records[0].payload["subject"] == "paid"
    assert records[1].payload == {"type": "paid", "timestamp": "2025-01-01T00:00:00Z"}
    assert records[0].traceparent


@pytest.mark.parametrize("what", ["type", "name", "map", "reply"])
async def test_a_wrong_operation_request_or_reply_is_the_apps_own_fault(bench: Bench, what: str) -> None:
    bench.connectors.answers = {"payments.create": {"id": 7}}
    with pytest.raises(CausewayError) as caught:
        await bench.call("wrong", what)

    assert caught.value.name is ErrorName.INTERNAL
    assert not bench.storage.records
