"""Requests to real receivers on loopback: what they get, and what is never sent."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from causeway_common.telemetry import span
from causeway_integrations.adapters.http import OutsideHttp
from causeway_integrations.adapters.secrets import SecretFiles
from causeway_integrations.domain.inbound import Source, verified
from causeway_integrations.domain.outcome import Done, Postponed
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached, Outgoing
from causeway_integrations.domain.webhook import Endpoint
from causeway_integrations.handlers.webhook import WebhookConnector
from support.certificates import server_context
from unit.integrations.fakes import FakeBreakers, FakeClock, FakeOutside, FakeRecords, claimed, new_record

ANSWER_MAX_BYTES = 1024

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """A fake name service: each answer in turn, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in answer
        ]

    async def close(self) -> None:
        return


@asynccontextmanager
async def receiver(handler: Handler) -> AsyncIterator[int]:
    """A real HTTP server on loopback; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def poster(
    *, allowed: frozenset[str] = LOOPBACK, timeout_s: float = 5, names: Names | None = None
) -> AsyncIterator[OutsideHttp]:
    made = OutsideHttp(timeout_s=timeout_s, allowed=allowed, connections=4, user_agent="test/1")
    await made.start(names)
    try:
        yield made
    finally:
        await made.stop()


async def post(sender: OutsideHttp, url: str) -> Answer:
    return await sender.send(Outgoing("POST", url, {}, b"{}"))


async def ok(_request: web.Request) -> web.Response:
    return web.Response(text="thanks")


async def test_a_delivery_verifies_with_the_standardwebhooks_package() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async with receiver(take) as port, poster() as sender:
        endpoint = Endpoint("chat", "e", f"http://127.0.0.1:{port}/hook?x=1", SECRET)
        records = FakeRecords()
        records.add(new_record("event", {"type": "e", "timestamp": "2025-01-01T00:00:00.000Z", "data": {"text": "hé 🦆"}}))
        connector = WebhookConnector(
            (endpoint,), records, sender, FakeBreakers(), now_ms=lambda: time.time_ns() // 1_000_000, reveal=SecretFiles().reveal
        )
        await connector.event(await claimed(records, "o:1:0"))
        (child,) = records.records.keys() - {"o:1:0"}
        with span("attempt"):
            assert await connector.deliver(await claimed(records, child)) == Done("204", 204)

    ((headers, body),) = got
    assert Webhook(SECRET).verify(body, headers) == {
        "type": "e",
        "timestamp": "2025-01-01T00:00:00.000Z",
        "data": {"text": "hé 🦆"},
    }
    assert list(json.loads(body)) == ["type", "timestamp", "data"]
    assert headers["webhook-id"] == child
    assert headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, headers)


async def test_a_name_that_is_rebound_leads_nowhere_but_to_what_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not allowed answers with a public address first and with loopback later: the first is what is connected to."""
    connected: list[str] = []

    async def connect(addr_infos: list[Any], **_: Any) -> socket.socket:
        connected.extend(info[4][0] for info in addr_infos)
        raise OSError("nothing is sent from a test")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    async with receiver(ok) as port, poster(allowed=frozenset(), names=names) as sender:
        first = await post(sender, f"http://rebinding.example:{port}/")
        second = await post(sender, f"http://rebinding.example:{port}/")

    assert isinstance(first, NotReached)
    assert isinstance(second, AddressRefused)
    assert connected == ["93.184.215.14"]


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def move(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with receiver(move) as port, poster() as sender:
        answer = await post(sender, f"http://127.0.0.1:{port}/first")

    assert isinstance(answer, Answered)
    assert (answer.status, seen) == (307, ["/first"])


async def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            for _ in range(1 << 14):
                await response.write(b"x" * 65_536)
        except ConnectionError:
            pass  # the sender closed on us, as it should
        return response

    async with receiver(flood) as port, poster() as sender:
        answer = await post(sender, f"http://127.0.0.1:{port}/")

    assert isinstance(answer, Answered)
    assert answer.status == 500
    assert len(answer.text) <= ANSWER_MAX_BYTES


async def test_a_receiver_that_never_answers_ends_at_the_time_out() -> None:
    release = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with receiver(hang) as port, poster(timeout_s=0.2) as sender:
        answer = await post(sender, f"http://127.0.0.1:{port}/")
        release.set()

    assert answer == NotReached("no answer within 0.2 s")


async def test_the_status_decides_though_the_body_hangs() -> None:
    release = asyncio.Event()

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        await release.wait()
        return response

    async with receiver(half) as port, poster(timeout_s=0.3) as sender:
        answer = await post(sender, f"http://127.0.0.1:{port}/")
        release.set()

    assert isinstance(answer, Answered)
    assert answer.status == 200


async def test_a_refused_connection_and_a_name_that_is_not_there_are_not_reached() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with poster(names=Names([])) as sender:
        refused = await post(sender, f"http://127.0.0.1:{port}/")
        unresolved = await post(sender, "http://receiver.example/")

    assert isinstance(refused, NotReached)
    assert isinstance(unresolved, NotReached)
    assert "does not resolve" in unresolved.why


async def test_what_is_no_http_is_not_reached() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"SSH-2.0-nothing\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, poster() as sender:
        answer = await post(sender, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert isinstance(answer, NotReached)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"])
async def test_a_literal_address_that_is_not_public_is_refused(host: str) -> None:
    async with receiver(ok) as port, poster(allowed=frozenset()) as sender:
        answer = await post(sender, f"http://{host}:{port}/")

    assert isinstance(answer, AddressRefused)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1"])
async def test_an_odd_spelling_of_loopback_reaches_nothing(host: str) -> None:
    async with receiver(ok) as port, poster(allowed=frozenset()) as sender:
        answer = await post(sender, f"http://{host}:{port}/")

    assert not isinstance(answer, Answered)


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fd00::1"]])
async def test_a_name_with_one_address_that_is_not_public_is_refused(answer: list[str]) -> None:
    async with receiver(ok) as port, poster(allowed=frozenset(), names=Names(answer)) as sender:
        got = await post(sender, f"http://receiver.example:{port}/")

    assert isinstance(got, AddressRefused)
    assert "receiver.example" in got.why


async def test_a_name_that_is_allowed_may_be_loopback_and_is_asked_once_per_request() -> None:
    """The checked address is the one connected to: a second answer (rebinding) is asked for, and checked, by the next connection alone."""

    async def once(_request: web.Request) -> web.Response:
        response = web.Response(text="thanks")
        response.force_close()
        return response

    names = Names(["127.0.0.1"])
    async with receiver(once) as port, poster(allowed=frozenset({"receiver.example"}), names=names) as sender:
        for asked in (1, 2):
            answer = await post(sender, f"http://RECEIVER.example:{port}/")
            assert isinstance(answer, Answered)
            assert (answer.status, answer.body) == (200, b"thanks")
            assert names.asked == asked


async def test_an_answer_that_drips_ends_at_the_time_out_with_its_status(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
        return response

    async with receiver(drip) as port, poster(timeout_s=0.3) as sender:
        answer = await post(sender, f"http://127.0.0.1:{port}/")
        async with asyncio.timeout(5):
            await gone.wait()

    assert isinstance(answer, Answered)
    assert answer.cut
    assert 0 < len(answer.body) < ANSWER_MAX_BYTES


async def test_a_certificate_that_does_not_verify_is_not_reached(tmp_path: Path) -> None:
    context, _ = server_context(tmp_path)
    seen: list[str] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        async with poster() as sender:
            answer = await post(sender, f"https://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()

    assert isinstance(answer, NotReached)
    assert "certificate" in answer.why.lower()
    assert not seen


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(ok) as port, poster() as sender:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
        assert isinstance(await post(sender, f"http://127.0.0.1:{port}/"), Answered)


async def delivered(endpoint: Endpoint, key: str = "msg_1") -> tuple[dict[str, str], bytes]:
    """What a receiver gets of one delivery."""
    records, outside = FakeRecords(), FakeOutside()
    connector = WebhookConnector(
        (endpoint,), records, outside, FakeBreakers(), now_ms=lambda: time.time_ns() // 1_000_000, reveal=SecretFiles().reveal
    )
    records.add(new_record("deliver", {"endpoint": endpoint.id, "id": key, "body": '{"a":1}'}, id=key))
    await connector.deliver(await claimed(records, key))
    return dict(outside.sent[0].headers), outside.sent[0].body or b""


async def test_while_a_secret_is_rotated_both_sign(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "B" * 32)
    headers, body = await delivered(Endpoint("chat", "e", "https://a.example", f"file:{secret}", SECRET))

    for known in ("whsec_" + "B" * 32, SECRET):
        assert Webhook(known).verify(body, headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "C" * 32).verify(body, headers)


async def test_an_ed25519_secret_signs_by_v1a_which_our_own_inbound_side_verifies() -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    endpoint = Endpoint("chat", "e", "https://a.example", "whsk_" + base64.b64encode(private).decode())
    headers, _ = await delivered(endpoint)
    body = b'{"a":1}'
    source = Source("s", "standard-webhooks", [], 300_000)

    assert headers["webhook-signature"].startswith("v1a,")
    key.public_key().verify(
        base64.b64decode(headers["webhook-signature"][4:]), f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    )
    event = verified(source, ["whpk_" + base64.b64encode(public).decode()], headers, body, time.time_ns() // 1_000_000)
    assert (event.id, event.data) == ("msg_1", {"a": 1})


async def test_an_endpoints_rate_limit_holds_back_what_is_more() -> None:
    endpoint = Endpoint("chat", "e", "https://a.example", SECRET, rate_limit=1)
    records, outside, clock = FakeRecords(), FakeOutside(), FakeClock()
    connector = WebhookConnector((endpoint,), records, outside, FakeBreakers(), now_ms=clock, reveal=SecretFiles().reveal)
    records.add(new_record("deliver", {"endpoint": endpoint.id, "id": "msg_1", "body": "{}"}, id="a"))
    outcomes = [await connector.deliver(await claimed(records, "a")) for _ in range(2)]

    assert outcomes == [Done("200", 200), Postponed("the rate limit of the endpoint is reached", 1000)]
    clock.now += 1000
    assert await connector.deliver(await claimed(records, "a")) == Done("200", 200)
