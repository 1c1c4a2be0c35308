"""The list of bad input, item by item: every job that cannot go well has a classified outcome in its record, and none of them delays a good one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from causeway_common.contracts.subjects import JOB
from support.certificates import server_context
from support.door import Door, door_in
from support.mailbox import Mailbox
from support.nats import free_port
from support.peers import RatesServer
from support.storage_process import APP
from support.stripe_peer import API_KEY, StripePeer
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
MAIL: dict[str, Any] = {"to": ["ann@example.com"], "subject": "s", "text": "t"}
ASK: dict[str, Any] = {"path": "/"}
SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
INJECTED = b"HTTP/1.1 200 OK\r\nX: a\rb: c\r\n\tfolded: \x00\r\nContent-Length: 2\r\n\r\n{}"
FLOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n"


@asynccontextmanager
async def raw(answer: bytes, *, drips: bool = False, floods: bool = False) -> AsyncIterator[str]:
    """A peer that writes these bytes for an answer, whatever HTTP says of them."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            for _ in range(15_000 if floods else 1_000 if drips else 0):
                writer.write(b"x" * (65_536 if floods else 1))
                await writer.drain()
                await asyncio.sleep(0.05 if drips else 0)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asks closes on us, as they should
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def unproven(folder: Path) -> AsyncIterator[str]:
    """A peer whose certificate nobody has signed."""
    context, _ = server_context(folder)
    runner = web.AppRunner(web.Application(), access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def config(apis: dict[str, str], mail: Mailbox, stripe: StripePeer, templates: Path) -> str:
    declared = "".join(
        f'[[integrations.apis]]\nname = "{name}"\nbase_url = "{url}"\ntimeout = "500ms"\nmax_bytes = 65536\n'
        f'retry_schedule = ["0s", "100ms"]\nmethods = ["GET", "POST"]\nbreaker_failures = 100\n'
        for name, url in apis.items()
    )
    return f"""
[integrations.permissions]
{APP} = ["*"]
[integrations.http]
allow_hosts = ["127.0.0.1"]
{declared}
[integrations.payments]
provider = "stripe"
api_key = "{API_KEY}"
base_url = "{stripe.url}"
allow_hosts = ["127.0.0.1"]
timeout = "2s"
retry_schedule = ["0s", "100ms"]
[integrations.email]
timeout = "2s"
retry_schedule = ["0s", "100ms"]
host = "127.0.0.1"
port = {mail.port}
tls = "none"
sender = "shop@example.com"
templates = "{templates}"
"""


BAD: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {
    "unknown connector": ("fax.send", {}, "no operation fax.send", ("dead",)),
    "unknown operation": ("email.burn", MAIL, "no operation email.burn", ("dead",)),
    "malformed body": ("email.send", {"to": 7}, "email.send", ("dead",)),
    "malformed event": ("webhook.event", {"type": 7}, "payload is wrong", ("dead",)),
    "no address": ("http.nowhere", ASK, "does not resolve", ("retry", "dead")),
    "nobody there": ("http.closed", ASK, "no connection", ("retry", "dead")),
    "bad certificate": ("http.unproven", ASK, "certificate", ("retry", "dead")),
    "private address": ("http.private", ASK, "not public", ("dead",)),
    "1 GB": ("http.flood", ASK, "more than 65536 bytes", ("dead",)),
    "drips": ("http.drip", ASK, "broke off", ("retry", "dead")),
    "smuggled answer": ("http.smuggled", ASK, "no HTTP answer", ("retry", "dead")),
    "injected headers": ("http.injected", ASK, "no HTTP answer", ("retry", "dead")),
    "endless header": ("http.endless", ASK, "no HTTP answer", ("retry", "dead")),
    "smuggled request": ("http.rates", {"path": "/latest HTTP/1.1\r\nX: 1"}, "path", ("dead",)),
    "method injected": ("http.rates", {"path": "/latest", "method": "GET / HTTP/1.1\r\nX: 1"}, "allows GET, POST", ("dead",)),
    "subject injected": ("email.send", MAIL | {"subject": "s\r\nBcc: eve@example.com"}, "one line", ("dead",)),
    "recipient injected": ("email.send", MAIL | {"to": ["ann@example.com\r\nBcc: eve@example.com"]}, "no", ("dead",)),
    "attachment injected": ("email.send", MAIL | {"attachments": [{"name": "a\r\nBcc: eve"}]}, "attachment", ("dead",)),
    "template fails": ("email.send", {"to": MAIL["to"], "template": "broken"}, "broken.txt fails", ("dead",)),
    "template is not there": ("email.send", {"to": MAIL["to"], "template": "none"}, "no e-mail template none", ("dead",)),
    "hanging mail server": ("email.send", MAIL | {"to": ["hangs@example.com"]}, "no mail server", ("retry", "dead")),
    "hanging provider": ("payments.get", {"id": "pi_hangs"}, "APIConnectionError", ("retry", "dead")),
    "unknown currency": ("payments.create", {"amount": 5, "currency": "XXX"}, "no currency", ("dead",)),
    "negative amount": ("payments.create", {"amount": -5, "currency": "EUR"}, "an amount is", ("dead",)),
    "no amount": ("payments.create", {"amount": 0, "currency": "EUR"}, "an amount is", ("dead",)),
    "half an amount": ("payments.create", {"amount": 0.5, "currency": "EUR"}, "payments.create", ("dead",)),
    "negative refund": ("payments.refund", {"id": "pi_1", "amount": -1}, "an amount is", ("dead",)),
    "injected id": ("payments.get", {"id": "pi_1/../../v1/customers"}, "id is letters", ("dead",)),
}
"""By what is wrong: operation, payload, words of the note, and the outcomes of the attempts."""


async def outcomes(door: Door, jobs: dict[str, str]) -> dict[str, str]:
    """What each record says, where it is not what was expected."""
    wrong = {}
    for name, job in jobs.items():
        kept, (_, _, words, expected) = door.record(job), BAD[name]
        if kept.state != "dead" or words not in kept.note or tuple(each.outcome for each in kept.log) != expected:
            wrong[name] = f"{kept.state}: {kept.note!r} {[each.outcome for each in kept.log]}"
    return wrong


async def test_every_job_that_cannot_go_well_is_classified_recorded_and_delays_no_other(tmp_path: Path) -> None:
    """Issue 7's list of bad input, all at once, beside jobs that are good; a delivery that cannot be decoded among them."""
    (tmp_path / "broken.subject.txt").write_text("x")
    (tmp_path / "broken.txt").write_text("{{ missing.at.all }}")
    async with (
        raw(FLOOD, floods=True) as flood,
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", drips=True) as drip,
        raw(SMUGGLED) as smuggled,
        raw(INJECTED) as injected,
        raw(ENDLESS) as endless,
        unproven(tmp_path) as https,
        RatesServer() as rates,
        StripePeer() as stripe,
        Mailbox(hangs="hangs@example.com") as mail,
    ):
        assert isinstance(stripe, StripePeer)
        apis = {
            "rates": f"{rates.url}/v1",
            "nowhere": "https://nowhere.invalid",
            "closed": f"http://127.0.0.1:{free_port()}",
            "private": "http://10.0.0.1",
            "unproven": https,
            "flood": flood,
            "drip": drip,
            "smuggled": smuggled,
            "injected": injected,
            "endless": endless,
        }
        async with door_in(tmp_path, config(apis, mail, stripe, tmp_path), top="concurrency = 8") as door:
            door.bus.send_raw(JOB.at(connector="email", op="send"), b"\xc1 no message")
            jobs = {
                name: await door.enqueue(operation, payload, f"bad-{number}")
                for number, (name, (operation, payload, _, _)) in enumerate(BAD.items())
            }
            good = [await door.enqueue("email.send", MAIL, f"good-{number}") for number in range(20)]
            good += [await door.enqueue("http.rates", {"path": "latest"}, f"rates-{number}") for number in range(20)]
            await door.ended(*good)
            await door.ended(*jobs.values())
            await until(lambda: bool(door.records("connector = 'poison' AND state = 'dead'")), seconds=30)

            assert await outcomes(door, jobs) == {}
            assert {door.record(each).state for each in good} == {"done"}
            assert {len(door.record(each).log) for each in good} == {1}
            assert len(mail.received) == 20
            assert stripe.effects == []
            assert door.door_deaths == 0
