"""Inbound webhooks: whose signature counts, what becomes durable before the answer, what a repeat does."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from causeway_common.contracts.errors import bad_request, unavailable
from causeway_common.contracts.messages import EventSpec, KeptRecord, Manifest, NewRecord, RecordsReply
from causeway_integrations.adapters.hooks import HooksServer
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.audience import Audience
from causeway_integrations.domain.inbound import NoEventError, NotSignedError, Source, verified
from causeway_integrations.domain.outcome import Done, Failed, GivenUp
from causeway_integrations.handlers.hooks import Hooks, InboundConnector
from causeway_integrations.handlers.repeats import Repeats
from causeway_integrations.handlers.webhook import signature
from support.nats import free_port
from support.stripe_peer import WEBHOOK_SECRET, signed
from unit.integrations.fakes import FakeApps, FakeClock, FakeRecords, claimed

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = Ed25519PrivateKey.generate()
WHPK = "whpk_" + base64.b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
SOURCES = {
    "shop": Source("shop", "standard-webhooks", [WHSEC, OLD], 300_000),
    "asym": Source("asym", "standard-webhooks", [WHPK], 300_000),
    "stripe": Source("stripe", "stripe", [WEBHOOK_SECRET], 300_000),
    "github": Source("github", "github", ["gh-secret"], 300_000),
}
EVENT = {"type": "order.paid", "timestamp": "2025-01-01T00:00:00Z", "data": {"order": 7}}
PAYMENT = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1", "amount_received": 5}}}
BODY = json.dumps(EVENT).encode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def standard(body: bytes = BODY, *, id: str = "msg_1", secret: str = WHSEC, at: float | None = None) -> dict[str, str]:
    """Signed by the senders' own package."""
    when = datetime.fromtimestamp(int(time.time() if at is None else at), UTC)
    signature = Webhook(secret).sign(id, when, body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(when.timestamp())), "webhook-signature": signature}


def asymmetric(body: bytes = BODY, *, id: str = "msg_1") -> dict[str, str]:
    at = str(int(time.time()))
    signature = base64.b64encode(KEY.sign(f"{id}.{at}.".encode() + body)).decode()
    return {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": f"v1,AAAA v1a,{signature}"}


def github(body: bytes, *, event: str = "issues", delivery: str = "d-1") -> dict[str, str]:
    digest = hmac.new(b"gh-secret", body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}", "x-github-event": event, "x-github-delivery": delivery}


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


SIGNED: dict[str, tuple[Callable[[bytes], dict[str, str]], bytes]] = {
    "shop": (standard, BODY),
    "asym": (asymmetric, BODY),
    "stripe": (lambda body: lower(signed(body)), json.dumps(PAYMENT).encode()),
    "github": (github, json.dumps({"action": "opened", "n": 1}).encode()),
}


@dataclass
class Storing(FakeRecords):
    """Records whose storage may be away."""

    error: Exception | None = None
    calls: list[list[NewRecord]] = field(default_factory=list)

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        self.calls.append(records)
        if self.error is not None:
            raise self.error
        return await super().enqueue(records, message_id=message_id)


@dataclass
class Log:
    """`ports.endpoints.EventLog` over the records of a test."""

    records: FakeRecords

    async def page(self, app: str, operation: str, since_ms: int, until_ms: int, after: str) -> RecordsReply:
        raise NotImplementedError

    async def record(self, id: str) -> KeptRecord | None:
        found = self.records.records.get(id)
        return KeptRecord(record=found) if found else None


def hooks_of(records: FakeRecords, apps: FakeApps, clock: Callable[[], int] = now_ms) -> Hooks:
    repeats = Repeats(records, Log(records), window_ms=300_000)
    return Hooks(SOURCES, records, apps, repeats, reveal=SecretFiles().reveal, now_ms=clock)


def events_of(records: FakeRecords) -> list[str]:
    """The sender's ids of the events that were taken, in order."""
    return [record.payload["id"] for record in records.records.values() if record.op != "seen"]


@pytest.mark.parametrize("seconds", [0, 1, 299])
async def test_a_body_that_comes_again_under_another_id_is_a_repeat_where_the_id_is_not_signed(seconds: int) -> None:
    """GitHub signs the body alone: whoever has seen a request cannot have it delivered again for as long as other schemes' time is good."""
    records, clock = FakeRecords(), FakeClock()
    hooks = hooks_of(records, HANDLED, clock)
    body = b'{"action":"opened","n":1}'
    first = await hooks.take("github", github(body), body)
    clock.now += seconds * 1000
    for delivery in ("d-2", "d-2", "d-3"):
        assert await hooks.take("github", github(body, delivery=delivery), body) == first
    assert events_of(records) == ["d-1"]

    other = b'{"action":"opened","n":2}'
    await hooks.take("github", github(other, delivery="d-4"), other)
    clock.now += 300_001
    await hooks.take("github", github(body, delivery="d-5"), body)
    assert events_of(records) == ["d-1", "d-4", "d-5"], "behind the window the same body is another event"


async def test_a_delivery_that_its_sender_repeats_is_taken_though_its_body_was_seen() -> None:
    """The first time storage went away right behind the mark: the same id is no repeat of another's."""
    records = Storing()
    hooks = hooks_of(records, HANDLED)
    body = b'{"action":"opened","n":1}'
    enqueue = records.enqueue

    async def fails(made: list[NewRecord], *, message_id: str) -> int:
        if made[0].op != "seen":
            raise unavailable("storage is away")
        return await enqueue(made, message_id=message_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "enqueue", fails)
        assert (await hooks.take("github", github(body), body)).status == 503
    assert (await hooks.take("github", github(body), body)).status == 200
    assert events_of(records) == ["d-1"]


async def test_what_was_seen_is_done_at_once_and_none_of_an_apps() -> None:
    records = FakeRecords()
    repeats = Repeats(records, Log(records), window_ms=300_000)
    for app, kind in (("integrations", Done), ("chat", GivenUp)):
        records.add(NewRecord(id=app, app=app, connector="inbound", op="seen", payload={}))
        assert isinstance(await repeats.operations()["seen"](await claimed(records, app)), kind)


HANDLED = FakeApps({("shop", "order.paid"): ["auctions", "chat"], ("stripe", "payment_intent.succeeded"): ["auctions"]})


@pytest.mark.parametrize("source", SIGNED)
async def test_what_is_signed_is_taken_and_a_changed_byte_is_not(source: str) -> None:
    sign, body = SIGNED[source]
    records = FakeRecords()
    hooks = hooks_of(records, HANDLED)
    good = await hooks.take(source, sign(body), body)
    bad = await hooks.take(source, sign(body), body + b" ")
    bare = await hooks.take(source, {}, body)

    assert (good.status, bad.status, bare.status) == (200, 401, 401)
    assert records.records
    assert bad.text == bare.text, "the answer does not help to forge one"


async def test_each_app_that_handles_the_event_gets_it_as_a_task_and_all_or_none() -> None:
    records = Storing()
    assert (await hooks_of(records, HANDLED).take("shop", standard(), BODY)).status == 200

    (made,) = records.calls
    assert [(record.app, record.connector, record.op) for record in made] == [
        ("auctions", "", "on_event"),
        ("chat", "", "on_event"),
    ]
    assert len({record.id for record in made}) == 2
    payload = made[0].payload
    assert 0 <= now_ms() - payload.pop("received_ms") < 60_000
    assert payload == {"source": "shop", "type": "order.paid", "id": "msg_1", "data": {"order": 7}}


async def test_what_each_scheme_calls_id_type_and_data() -> None:
    records = Storing()
    hooks = hooks_of(records, FakeApps({}))
    for source in ("stripe", "github"):
        sign, body = SIGNED[source]
        await hooks.take(source, sign(body), body)
    plain = b'{"type":"a.b","n":1}'
    await hooks.take("shop", standard(plain, id="msg_2"), plain)

    found = [(each.payload["id"], each.payload["type"], each.payload["data"]) for (each,) in records.calls if each.op != "seen"]
    assert found == [
        ("evt_1", "payment_intent.succeeded", {"id": "pi_1", "amount_received": 5}),
        ("d-1", "issues.opened", {"action": "opened", "n": 1}),
        ("msg_2", "a.b", {"type": "a.b", "n": 1}),
    ]


async def test_a_repeat_is_answered_as_the_first_time_and_changes_nothing() -> None:
    records = FakeRecords()
    hooks = hooks_of(records, HANDLED)
    first = await hooks.take("shop", standard(), BODY)
    made = dict(records.records)
    for _ in range(3):
        assert await hooks.take("shop", standard(), BODY) == first
    assert records.records == made
    await hooks.take("shop", standard(id="msg_2"), BODY)
    assert len(records.records) == 2 * len(made)


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
@pytest.mark.parametrize("source", ["shop", "stripe"])
async def test_a_signature_whose_time_is_out_of_the_window_is_none(source: str, seconds: int) -> None:
    body, at = SIGNED[source][1], int(time.time()) + seconds
    headers = standard(body, at=at) if source == "shop" else lower(signed(body, at=at))

    assert (await hooks_of(FakeRecords(), HANDLED).take(source, headers, body)).status == 401


def test_the_vector_of_standard_webhooks_passes_both_ways() -> None:
    """The example of the specification and of its libraries."""
    body = b'{"test": 2432232314}'
    told = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(WHSEC, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body.decode()) == told

    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": told}
    event = verified(SOURCES["shop"], [WHSEC], headers, body, 1_614_265_330_000)
    assert (event.id, event.type, event.data) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "untyped", {"test": 2432232314})
    with pytest.raises(NotSignedError):
        verified(SOURCES["shop"], [WHSEC], headers, body + b" ", 1_614_265_330_000)
    with pytest.raises(NotSignedError):
        verified(SOURCES["shop"], [WHSEC], headers, body, 1_614_265_330_000 + 300_001)


async def test_while_secrets_are_rotated_the_one_before_counts_too_and_another_never() -> None:
    hooks = hooks_of(FakeRecords(), HANDLED)
    both = standard(secret=OLD)
    both["webhook-signature"] = "v1,AAAA v2,BBBB " + both["webhook-signature"]

    assert (await hooks.take("shop", both, BODY)).status == 200
    assert (await hooks.take("shop", standard(secret="whsec_" + "A" * 32), BODY)).status == 401


async def test_a_signature_of_one_scheme_or_source_counts_for_no_other() -> None:
    hooks = hooks_of(FakeRecords(), HANDLED)
    for source in SIGNED:
        for other, (sign, body) in SIGNED.items():
            assert (await hooks.take(source, sign(body), body)).status == (200 if source == other else 401), (source, other)


async def test_nothing_is_answered_200_before_it_is_durable() -> None:
    """Storage away, or the apps not known yet: the sender is told to try again, and nothing was taken."""
    records = Storing(error=unavailable("storage is away"))
    assert (await hooks_of(records, HANDLED).take("shop", standard(), BODY)).status == 503
    assert (await hooks_of(records, FakeApps(None)).take("shop", standard(), BODY)).status == 503
    assert len(records.calls) == 1
    records.error = bad_request("too deep")
    assert (await hooks_of(records, HANDLED).take("shop", standard(), BODY)).status == 413
    records.error = None
    assert (await hooks_of(records, HANDLED).take("shop", standard(), BODY)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b'{"type":7}',
        b'{"type":"a","data":NaN}',
        b"[" * 100_000,
        b'{"type":"a\\u0000b"}',
        b"\xff",
    ],
)
async def test_what_is_signed_and_no_event_is_400(body: bytes) -> None:
    at = str(int(time.time()))
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"m.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"}
    records = Storing()

    assert (await hooks_of(records, HANDLED).take("shop", headers, body)).status == 400
    assert not records.calls


@given(
    source=st.sampled_from(list(SOURCES.values())),
    headers=st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "x-hub-signature-256", "x-github-event"]
        ),
        st.one_of(st.text(max_size=60), st.just("v1,AAAA v1a,AAAA"), st.just("t=1,v1=,v1=a"), st.just(str(int(time.time())))),
    ),
    body=st.binary(max_size=60),
)
def test_no_stranger_is_ever_believed_and_nothing_else_is_raised(source: Source, headers: dict[str, str], body: bytes) -> None:
    """P5, P6: whatever comes, it is refused as what it is."""
    with pytest.raises((NotSignedError, NoEventError)):
        verified(source, source.secrets, headers, body, now_ms())


async def test_an_event_that_no_app_handles_is_kept_and_given_to_the_app_that_learns_it() -> None:
    records, apps = Storing(), FakeApps({})
    assert (await hooks_of(records, apps).take("shop", standard(), BODY)).status == 200
    ((kept,),) = records.calls
    assert (kept.app, kept.connector, kept.op) == ("integrations", "inbound", "unclaimed")

    inbound = InboundConnector(records, apps)
    assert isinstance(await inbound.unclaimed(await claimed(records, kept.id)), Failed)
    apps.apps = {("shop", "order.paid"): ["chat"]}
    for _ in range(2):
        assert await inbound.unclaimed(await claimed(records, kept.id)) == Done("given to chat")
    await hooks_of(records, apps).take("shop", standard(), BODY)
    given_to = [record for record in records.records.values() if record.app == "chat"]
    assert len(given_to) == 1, "under the id that it would have had at first"
    assert given_to[0].payload["data"] == {"order": 7}


async def test_no_app_can_forge_an_unclaimed_event() -> None:
    records = FakeRecords()
    records.add(NewRecord(id="x", app="chat", connector="inbound", op="unclaimed", payload={"source": "stripe"}))

    assert isinstance(await InboundConnector(records, HANDLED).unclaimed(await claimed(records, "x")), GivenUp)


def manifest(app: str, version: str, at_ms: int, *events: tuple[str, str]) -> Manifest:
    return Manifest(app=app, version=version, methods=[], events=[EventSpec(source=s, type=t) for s, t in events], at_ms=at_ms)


def test_an_event_is_for_every_app_that_handles_it_also_for_one_that_does_not_run_right_now() -> None:
    """At least once: an app that is down when its event comes gets it when it is back."""
    audience, day = Audience(), 24 * 3600 * 1000
    now = 100 * day
    audience.learn(manifest("chat", "1", now - 10 * day, ("shop", "order.paid")))
    audience.learn(manifest("auctions", "1", now - 5, ("shop", "*")))
    audience.learn(manifest("gone", "1", now - 31 * day, ("shop", "*")))
    assert list(audience.handling("shop", "order.paid", now)) == ["auctions", "chat"]
    assert list(audience.handling("shop", "other", now)) == ["auctions"]
    assert list(audience.handling("stripe", "order.paid", now)) == []

    audience.learn(manifest("auctions", "2", now, ("stripe", "*")))
    assert list(audience.handling("shop", "x", now)) == ["auctions"], "the version before runs beside the new one"
    audience.learn(manifest("auctions", "2", now + day, ("stripe", "*")))
    assert list(audience.handling("shop", "x", now + day)) == []
    audience.forget("auctions", "2")
    audience.forget("auctions", "1")
    audience.forget("nobody", "1")
    assert list(audience.handling("stripe", "x", now)) == []


@asynccontextmanager
async def listening(records: FakeRecords, max_body: int = 10_000) -> AsyncIterator[tuple[str, int]]:
    port = free_port()
    server = HooksServer(hooks_of(records, HANDLED), host="127.0.0.1", port=port, max_body=max_body)
    await server.start()
    try:
        assert server.port == port
        yield f"http://127.0.0.1:{port}/hooks", port
    finally:
        await server.stop()


async def post(url: str, body: Any, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
        return response.status


async def test_the_listener_answers_by_the_table() -> None:
    records = FakeRecords()
    large = json.dumps(EVENT | {"data": "x" * 20_000}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with listening(records) as (url, _):
        assert await post(f"{url}/shop", BODY, standard()) == 200
        assert await post(f"{url}/shop", BODY + b" ", standard()) == 401
        packed = gzip.compress(BODY)
        assert await post(f"{url}/shop", packed, standard() | {"Content-Encoding": "gzip"}) == 401, "what is signed is what came"
        assert await post(f"{url}/nobody", BODY, standard()) == 404
        assert await post(f"{url}/shop/more", BODY, standard()) == 404
        assert await post(f"{url}/shop", large, standard(large)) == 413
        assert await post(f"{url}/shop", chunks(), {}) == 413
        async with aiohttp.ClientSession() as session, session.get(f"{url}/shop") as response:
            assert response.status == 405

    assert len(records.records) == 2


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nab\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /hooks/sh\x00op HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_requests_that_could_be_read_in_two_ways_are_refused(request_: bytes) -> None:
    """HTTP/1.1 smuggling: 400, and the connection ends."""
    records = FakeRecords()
    async with listening(records) as (url, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, request_)
            answer = await loop.sock_recv(connection, 4096)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer
        assert await post(f"{url}/shop", BODY, standard()) == 200
