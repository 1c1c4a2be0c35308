"""The bus against a real nats-server: errors by the table, bounds, deadlines, outages, JetStream, manifests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from causeway_common.bus import (
    AppsDirectory,
    Bus,
    BusSettings,
    Call,
    Deadline,
    DeliveryInfo,
    DurableConsumer,
    Postponed,
    StreamTail,
    announce,
    ensure_streams,
    publish_durable,
)
from causeway_common.bus.apps import version_order
from causeway_common.bus.buckets import load
from causeway_common.contracts import messages as m
from causeway_common.contracts import subjects, verbs
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.runtime import now_ms
from causeway_gateway.adapters.gateways import BusRevocations
from support.nats import NatsServer
from support.waiting import until


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def make_bus(nats: NatsServer) -> AsyncIterator[Callable[[str], Bus]]:
    made: list[Bus] = []

    def make(name: str) -> Bus:
        made.append(Bus(BusSettings(nats.url, "", "", name)))
        return made[-1]

    yield make
    for bus in made:
        await bus.stop()


async def heads(bus: Bus, seconds: float = 4, channel: str = "a") -> m.HeadsReply:
    return await bus.request(
        verbs.HEADS, m.HeadsRequest(channels=[channel]), Deadline.after(seconds), message_id="id-1", caller="gateway"
    )


async def pair(make_bus: Callable[[str], Bus]) -> tuple[Bus, Bus]:
    client, server = make_bus("client"), make_bus("server")
    await client.start()
    await server.start()
    return client, server


async def test_a_request_is_answered_and_the_handler_learns_caller_id_and_deadline(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    calls: list[Call] = []

    async def handler(request: m.HeadsRequest, call: Call) -> m.HeadsReply:
        calls.append(call)
        return m.HeadsReply(heads=[m.Head(epoch=request.channels[0])])

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()

    assert (await heads(client)).heads[0].epoch == "a"
    assert (calls[0].fields["caller"], calls[0].message_id) == ("gateway", "id-1")
    assert 3 < calls[0].deadline.remaining() <= 4


async def test_a_flush_goes_out_behind_what_was_sent_before(
    make_bus: Callable[[str], Bus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway reads a channel's head only after the server has its subscription; nats-py's own PING overtakes it."""
    bus = make_bus("client")
    await bus.start()
    wire: list[bytes] = []
    transport = bus._client._transport
    assert transport is not None
    write, writelines = transport.write, transport.writelines

    def record(data: bytes) -> None:
        wire.append(bytes(data))
        write(data)

    def record_lines(lines: list[bytes]) -> None:
        wire.extend(map(bytes, lines))
        writelines(lines)

    monkeypatch.setattr(transport, "write", record)
    monkeypatch.setattr(transport, "writelines", record_lines)

    await bus.listen("cw.v1.feed.l.a", lambda _subject, _body: None)
    await bus.flush()

    sent = b"".join(wire)
    assert 0 <= sent.index(b"SUB cw.v1.feed.l.a") < sent.index(b"PING")


async def test_nobody_there_is_an_immediate_temporary_error(make_bus: Callable[[str], Bus]) -> None:
    client, _ = await pair(make_bus)

    with pytest.raises(CausewayError, match="nobody answers") as raised:
        await heads(client)

    assert (raised.value.code, raised.value.temporary) == (100, True)


async def test_an_unexpected_exception_is_internal_without_its_text(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)

    async def handler(_request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        raise RuntimeError("the password is hunter2")

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()

    with pytest.raises(CausewayError) as raised:
        await heads(client)

    assert (raised.value.name, raised.value.message) == (ErrorName.INTERNAL, "internal server error")


async def test_beyond_the_limit_the_answer_is_overloaded_and_the_running_ones_go_on(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    gate = asyncio.Event()

    async def handler(_request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        await gate.wait()
        return m.HeadsReply(heads=[])

    await server.serve(verbs.HEADS, handler, queue="storage", limit=2)
    await server.flush()
    waiting = [asyncio.create_task(heads(client)) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    error = done.pop().exception()
    gate.set()

    assert isinstance(error, CausewayError)
    assert (error.code, error.temporary) == (111, True)
    assert sum(1 for each in await asyncio.gather(*waiting, return_exceptions=True) if isinstance(each, m.HeadsReply)) == 2


async def test_a_repeatable_request_is_sent_again_with_the_same_id_when_no_answer_comes(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    ids: list[str] = []

    async def handler(_request: m.HeadsRequest, call: Call) -> m.HeadsReply:
        ids.append(call.message_id)
        if len(ids) == 1:
            await asyncio.Event().wait()
        return m.HeadsReply(heads=[])

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()
    await heads(client)

    assert ids == ["id-1", "id-1"]


async def test_a_deadline_ends_the_handler_and_the_caller(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    cancelled = asyncio.Event()

    async def handler(_request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()

    with pytest.raises(CausewayError, match="outcome is unknown") as raised:
        await heads(client, seconds=0.2)

    assert raised.value.code == 100
    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_a_lost_connection_fails_new_requests_at_once_and_finds_out_unknown_outcomes(
    make_bus: Callable[[str], Bus], nats: NatsServer
) -> None:
    client, server = await pair(make_bus)
    begun = asyncio.Event()
    asked: list[str] = []

    async def handler(_request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        asked.append("heads")
        if len(asked) == 1:
            begun.set()
            await asyncio.Event().wait()
        return m.HeadsReply(heads=[])

    async def rpc(_request: m.RpcRequest, _call: Call) -> m.RpcReply:
        return await asyncio.Future()

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.serve(verbs.RPC, rpc, queue="chat", limit=8, app="chat", method="send")
    await server.flush()
    came_back: list[bool] = []
    client.on_reconnect(lambda: came_back.append(True))
    heard: list[str] = []
    await client.listen("cw.v1.feed.l.*", lambda subject, _body: heard.append(subject))
    repeatable = asyncio.create_task(heads(client, seconds=10))
    once = asyncio.create_task(
        client.request(verbs.RPC, m.RpcRequest(user="", client="", data=b"1"), Deadline.after(10), app="chat", method="send")
    )
    await begun.wait()

    nats.kill()

    with pytest.raises(CausewayError, match="lost, the outcome is unknown"):
        await once
    with pytest.raises(CausewayError, match="the bus is away"):
        await heads(client)
    await nats.start()
    assert (await repeatable).heads == []
    assert len(asked) == 2
    await until(lambda: client.connected and server.connected and bool(came_back))
    await server.publish("cw.v1.feed.l.a", m.CompareHeads())
    await until(lambda: heard == ["cw.v1.feed.l.a"])


async def test_a_begun_request_ends_once_by_answer_error_deadline_or_a_lost_connection(
    make_bus: Callable[[str], Bus], nats: NatsServer
) -> None:
    client, server = await pair(make_bus)

    async def rpc(request: m.RpcRequest, _call: Call) -> m.RpcReply:
        if request.data == b"reject":
            raise CausewayError(ErrorName.REJECTED, "no", code=409)
        if request.data == b"wait":
            await asyncio.Event().wait()
        return m.RpcReply(data=request.data)

    await server.serve(verbs.RPC, rpc, queue="chat", limit=8, app="chat", method="send")
    await server.flush()
    ends: dict[str, list[m.RpcReply | CausewayError]] = {}

    def begin(name: str, data: bytes, *, seconds: float = 4, method: str = "send") -> None:
        ends[name] = []
        request = m.RpcRequest(user="", client="", data=data)
        client.begin(verbs.RPC, request, Deadline.after(seconds), ends[name].append, app="chat", method=method)

    begin("answer", b"1")
    begin("error", b"reject")
    begin("late", b"wait", seconds=0.1)
    begin("nobody", b"1", method="other")
    assert not any(ends.values())
    await until(lambda: all(ends.values()))
    begin("lost", b"wait", seconds=30)
    nats.kill()
    await until(lambda: bool(ends["lost"]))
    with pytest.raises(CausewayError, match="the bus is away"):
        begin("away", b"1")
    await nats.start()
    await until(lambda: client.connected and server.connected)
    begin("again", b"2")
    await until(lambda: bool(ends["again"]))

    assert {name: str(end[0]) for name, end in ends.items() if end and isinstance(end[0], CausewayError)} == {
        "error": "rejected (409): no",
        "late": "unavailable (100): unavailable: no answer before the deadline, the outcome is unknown",
        "nobody": "unavailable (100): unavailable: nobody answers this right now, try again",
        "lost": "unavailable (100): unavailable: the bus connection was lost, the outcome is unknown",
    }
    assert [(name, len(end)) for name, end in ends.items() if name != "away"] == [(name, 1) for name in ends if name != "away"]
    assert ends["again"] == [m.RpcReply(data=b"2")]
    assert ends["away"] == []


async def test_a_request_that_has_expired_on_its_way_is_dropped_unprocessed(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    handled: list[str] = []

    async def handler(request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        handled.append(request.channels[0])
        return m.HeadsReply(heads=[])

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()
    body = encode(m.HeadsRequest(channels=["late"]))
    client.send_raw(verbs.HEADS.at(caller="gateway"), body, headers={"Cw-Deadline-Ms": "0"})
    await heads(client)

    assert handled == ["a"]


async def test_draining_finishes_what_runs_and_takes_no_more(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    begun, gate = asyncio.Event(), asyncio.Event()

    async def handler(_request: m.HeadsRequest, _call: Call) -> m.HeadsReply:
        begun.set()
        await gate.wait()
        return m.HeadsReply(heads=[])

    await server.serve(verbs.HEADS, handler, queue="storage", limit=8)
    await server.flush()
    running = asyncio.create_task(heads(client))
    await begun.wait()
    stopping = asyncio.create_task(server.stop_serving())
    await server.flush()
    with pytest.raises(CausewayError, match="nobody answers"):
        await heads(client, channel="late")
    gate.set()

    assert (await running).heads == []
    await stopping


async def test_a_failing_callback_does_not_end_the_connection(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    heard: list[bytes] = []

    def callback(subject: str, body: bytes) -> None:
        if subject.endswith("bad"):
            raise RuntimeError("a bug")
        heard.append(body)

    await client.listen("cw.v1.feed.u.*", callback)
    await client.flush()
    await server.publish("cw.v1.feed.u.bad", m.CompareHeads())
    await server.publish("cw.v1.feed.u.good", m.CompareHeads())

    await until(lambda: len(heard) == 1)


async def test_jobs_are_delivered_once_bounded_and_again_after_a_failure_and_a_restart(
    make_bus: Callable[[str], Bus], nats: NatsServer
) -> None:
    client, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    await ensure_streams(server, Deadline.after(5))
    seen: list[tuple[str, int]] = []
    running = [0, 0]

    async def handler(message: m.JobDelivery, info: DeliveryInfo) -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.01)
        running[0] -= 1
        seen.append((message.id, info.delivered))
        if message.id == "fails" and info.delivered == 1:
            raise RuntimeError("once")

    consumer = DurableConsumer(
        client, stream=subjects.JOBS_STREAM, durable="integrations", subject=subjects.JOB.wildcard(), message=m.JobDelivery,
        handler=handler, concurrency=4, ack_wait_s=0.5,
    )  # fmt: skip
    await consumer.start()

    async def put(name: str) -> None:
        await publish_durable(
            server, subjects.JOB.at(connector="webhook", op="event"), m.JobDelivery(id=name), Deadline.after(3), message_id=name
        )

    for name in ("a", "a", "fails", *map(str, range(20))):
        await put(name)
    await until(lambda: len(seen) == 23)
    assert sorted(name for name, _ in seen) == sorted(["a", "fails", "fails", *map(str, range(20))])
    assert running[1] <= 4

    nats.kill()
    with pytest.raises(CausewayError):
        await put("lost")
    await nats.start()
    await until(lambda: client.connected and server.connected)
    await put("after")
    await until(lambda: ("after", 1) in seen)
    await consumer.stop()


async def test_a_delivery_that_is_given_back_comes_again_when_it_says_and_holds_up_no_other(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    seen: list[str] = []

    async def handler(message: m.JobDelivery, info: DeliveryInfo) -> None:
        seen.append(message.id)
        if message.id.startswith("later") and info.delivered < 3:
            raise Postponed(0.2)

    consumer = DurableConsumer(
        client, stream=subjects.TASKS_STREAM, durable="chat", subject=subjects.TASK.wildcard(app="chat"), message=m.JobDelivery,
        handler=handler, concurrency=1, max_pending=-1,
    )  # fmt: skip
    await consumer.start()
    for name in ("later-1", "later-2", "at-once"):
        subject = subjects.TASK.at(app="chat", task="t")
        await publish_durable(server, subject, m.JobDelivery(id=name), Deadline.after(3), message_id=name)
    await until(lambda: len(seen) == 7)

    assert seen[:3] == ["later-1", "later-2", "at-once"]
    await consumer.stop()


async def test_a_delivery_under_way_is_nobody_elses_however_long_it_takes(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    seen: dict[str, list[int]] = {"held": [], "let_go": []}
    done = asyncio.Event()

    def consumer(app: str, bus: Bus, *, in_progress: bool) -> DurableConsumer[m.JobDelivery]:
        async def handler(_message: m.JobDelivery, info: DeliveryInfo) -> None:
            seen[app].append(info.delivered)
            await done.wait()

        return DurableConsumer(
            bus, stream=subjects.TASKS_STREAM, durable=app, subject=subjects.TASK.wildcard(app=app), message=m.JobDelivery,
            handler=handler, concurrency=8, ack_wait_s=0.3, in_progress=in_progress,
        )  # fmt: skip

    consumers = [consumer("held", client, in_progress=True), consumer("held", server, in_progress=True)]
    consumers.append(consumer("let_go", server, in_progress=False))
    for each in consumers:
        await each.start()
    for app in seen:
        subject = subjects.TASK.at(app=app, task="t")
        await publish_durable(server, subject, m.JobDelivery(id=app), Deadline.after(3), message_id=app)
    await until(lambda: len(seen["let_go"]) >= 4)

    assert seen["held"] == [1]
    done.set()
    for each in consumers:
        await each.stop()


async def test_a_consumer_that_begins_with_what_is_new_takes_nothing_older(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    seen: list[str] = []

    async def tell(name: str) -> None:
        event = m.LifecycleEvent(id=name, type="connected", time_ms=1)
        await publish_durable(
            server, subjects.EVENT.at(source="gateway", type="connected"), event, Deadline.after(3), message_id=name
        )

    async def handler(message: m.LifecycleEvent, _info: DeliveryInfo) -> None:
        seen.append(message.id)

    consumer = DurableConsumer(
        client, stream=subjects.EVENTS_STREAM, durable="chat", subject=subjects.EVENT.wildcard(source="gateway"),
        message=m.LifecycleEvent, handler=handler, concurrency=1, max_pending=1, deliver="new",
    )  # fmt: skip
    await tell("old")
    await consumer.start()
    await until(lambda: consumer.ready)
    for number in range(10):
        await tell(str(number))
    await until(lambda: len(seen) == 10)

    assert seen == [str(number) for number in range(10)]
    await consumer.stop()


async def test_a_manifest_reaches_a_directory_live_and_one_that_comes_later(make_bus: Callable[[str], Bus]) -> None:
    early, server = await pair(make_bus)
    directory = AppsDirectory(early)
    await directory.start()
    await ensure_streams(server, Deadline.after(5))
    chat = m.Manifest(app="chat", version="0.1.0", methods=[m.MethodSpec(name="send")], namespaces=[m.NamespaceSpec(name="chat")])
    newer = m.Manifest(app="chat", version="0.10.0", methods=[m.MethodSpec(name="send", concurrent=True)])
    await announce(server, chat, Deadline.after(3))
    await until(lambda: directory.ready and "chat" in directory.manifests)
    assert directory.namespaces["chat"][0] == "chat"

    await announce(server, newer, Deadline.after(3))
    await announce(server, chat, Deadline.after(3))
    later = AppsDirectory(server)
    await later.start()
    await until(lambda: later.ready)

    both = replace(newer, namespaces=chat.namespaces)
    assert later.manifests == {"chat": both}
    await until(lambda: directory.manifests["chat"] == both)
    assert [each.version for each in later.living["chat"]] == ["0.10.0", "0.1.0"]
    await directory.stop()
    await later.stop()


async def test_a_namespace_of_another_app_or_with_other_history_is_refused_at_announcement(make_bus: Callable[[str], Bus]) -> None:
    _, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    plain = m.NamespaceSpec(name="chat")
    logged = m.NamespaceSpec(name="chat", history_size=1, history_ttl_ms=1)
    await announce(server, m.Manifest(app="chat", version="1.0.0", methods=[], namespaces=[plain]), Deadline.after(3))

    with pytest.raises(CausewayError, match="belongs to the app 'chat'"):
        await announce(server, m.Manifest(app="other", version="1.0.0", methods=[], namespaces=[plain]), Deadline.after(3))
    with pytest.raises(CausewayError, match="cannot name an app"):
        await announce(server, m.Manifest(app="gateway", version="1.0.0", methods=[]), Deadline.after(3))
    with pytest.raises(CausewayError, match="has history never changes"):
        await announce(server, m.Manifest(app="chat", version="1.1.0", methods=[], namespaces=[logged]), Deadline.after(3))


async def test_a_revocation_is_kept_as_long_as_it_holds_and_no_longer(make_bus: Callable[[str], Bus]) -> None:
    client, server = await pair(make_bus)
    await ensure_streams(server, Deadline.after(5))
    heard: list[m.Revocation] = []
    revocations = BusRevocations(client, heard.append, now_ms, lambda _lifted: None)
    await revocations.start()
    lasting, ending = m.Revocation(jti="lasting"), m.Revocation(user="ann", expire_at_ms=now_ms() + 1000)
    for each in (lasting, ending):
        await revocations.revoke(each, Deadline.after(3))
    await until(lambda: heard == [lasting, ending])

    async with asyncio.timeout(10):
        while len(await load(client, subjects.REVOCATIONS_STREAM, subjects.KV_REVOCATIONS, Deadline.after(3))) > 1:
            await asyncio.sleep(0.1)
    await revocations.stop()


def test_versions_are_ordered_by_value() -> None:
    versions = ["1.0.0", "1.9.0", "1.10.0", "1.10.0-rc1", "2.0.0", "0.1.0"]

    assert sorted(versions, key=version_order) == ["0.1.0", "1.0.0", "1.9.0", "1.10.0-rc1", "1.10.0", "2.0.0"]


# --- a stream that is only looked at


async def tailed(tail: StreamTail, since: int | datetime, found: list[tuple[int, str]]) -> None:
    async for message in tail.messages(since):
        found += [(message.sequence, decode(message.body, m.LifecycleEvent).id)]


async def event(bus: Bus, id: str, type: str = "connected") -> None:
    message = m.LifecycleEvent(id=id, type=type, time_ms=1, user="ann")
    await publish_durable(bus, subjects.EVENT.at(source="gateway", type=type), message, Deadline.after(5), message_id=id)


async def test_a_stream_is_followed_from_a_place_or_a_time_in_order_and_through_an_outage(
    make_bus: Callable[[str], Bus], nats: NatsServer
) -> None:
    reader, writer = await pair(make_bus)
    await ensure_streams(writer, Deadline.after(5))
    await event(writer, "a")
    await event(writer, "b", "subscribed")
    every = StreamTail(reader, subjects.EVENTS_STREAM, subjects.EVENT.wildcard())
    some = StreamTail(reader, subjects.EVENTS_STREAM, subjects.EVENT.wildcard(type="connected"))
    assert await every.end() == 3
    found: list[list[tuple[int, str]]] = [[], [], []]
    following = [
        asyncio.ensure_future(tailed(every, 1, found[0])),
        asyncio.ensure_future(tailed(some, datetime.fromtimestamp(0, UTC), found[1])),
        asyncio.ensure_future(tailed(every, 3, found[2])),
    ]
    await until(lambda: len(found[0]) == 2 and len(found[1]) == 1)
    nats.kill()
    await nats.start()
    await until(lambda: writer.connected and reader.connected)
    for attempt in range(20):
        try:
            await event(writer, "c")
            break
        except CausewayError:
            assert attempt < 19
            await asyncio.sleep(0.1)
    await until(lambda: all(each and each[-1] == (3, "c") for each in found))
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)

    assert found == [[(1, "a"), (2, "b"), (3, "c")], [(1, "a"), (3, "c")], [(3, "c")]]


async def test_a_stream_that_is_not_there_is_unavailable(make_bus: Callable[[str], Bus]) -> None:
    reader, _ = await pair(make_bus)
    with pytest.raises(CausewayError, match="no stream"):
        await StreamTail(reader, subjects.EVENTS_STREAM, subjects.EVENT.wildcard()).end()
