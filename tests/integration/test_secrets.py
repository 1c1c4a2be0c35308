"""No secret is in anything that a run writes: logs, the database, the bus's files, exported traces and metrics, what the commands say."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.connectors import split_operation
from causeway_common.contracts.errors import CausewayError
from support.command import command
from support.examples import installed
from support.mailbox import Mailbox
from support.otlp import OtlpReceiver, WebhookReceiver
from support.peers import Peer
from support.stack import Stack, running_stack
from support.stripe_peer import StripePeer, signed
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
SECRETS = {
    "api": "api-token-7f3a91c0d2",
    "mail": "mail-password-5c2e88",
    "stripe": "sk_test_wrongkey0123456789",
    "fax": "fax-token-1b2c3d4e5f",
    "inbound": "whsec_stripe_inbound_0a1b2c",
    "github": "github-secret-99aa88bb",
    "endpoint": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "key": base64.b64encode(b"k" * 32).decode(),
}
MAIL: dict[str, Any] = {"to": ["ann@example.com"], "subject": "s", "text": "t"}


@dataclass
class Echo(Peer):
    """An API that repeats in its errors what it was sent, credentials and all."""

    asked: int = 0
    statuses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/{path:.*}", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        self.asked += 1
        status = int(request.path.rpartition("/")[2]) if request.path[-1].isdigit() else 401
        return web.json_response({"error": f"not allowed: {dict(request.headers)}"}, status=status)


@dataclass(frozen=True)
class Peers:
    """All that the run reaches."""

    echo: Echo
    stripe: StripePeer
    mail: Mailbox
    hooks: WebhookReceiver
    otlp: OtlpReceiver


def config(folder: Path, peers: Peers) -> str:
    """Every secret by reference to a file: this configuration itself is written down."""

    def of(name: str) -> str:
        path = folder / name
        path.write_text(SECRETS[name] + "\n")
        return f"file:{path}"

    return f"""
[telemetry]
otlp_endpoint = "{peers.otlp.url}"
sample_ratio = 1.0
export_interval = "200ms"
log_level = "debug"

[integrations.webhook]
retry_schedule = ["0s", "100ms"]
secrets_key = "{of("key")}"

[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.tested"
url = "{peers.hooks.url}"
secret = "{of("endpoint")}"

[[integrations.apis]]
name = "echo"
base_url = "{peers.echo.url}/v1"
headers = {{ authorization = "{of("api")}" }}
retry_schedule = ["0s", "100ms"]

[integrations.payments]
provider = "stripe"
api_key = "{of("stripe")}"
base_url = "{peers.stripe.url}"
retry_schedule = ["0s", "100ms"]

[integrations.email]
host = "127.0.0.1"
port = {peers.mail.port}
tls = "none"
username = "shop"
password = "{of("mail")}"
sender = "shop@example.com"
retry_schedule = ["0s", "100ms"]

[integrations.connectors.fax]
url = "{peers.echo.url}/fax"
token = "{of("fax")}"
allow_hosts = ["127.0.0.1"]

[[integrations.sources]]
name = "stripe"
scheme = "stripe"
secret = "{of("inbound")}"

[[integrations.sources]]
name = "github"
scheme = "github"
secret = "{of("github")}"
"""


@asynccontextmanager
async def chat_on(stack: Stack) -> AsyncIterator[Bus]:
    """The bus as the app `chat` has it."""
    users = json.loads((stack.data_dir / "nats.conf").read_text())["authorization"]["users"]
    password = next(user["password"] for user in users if user["user"] == "logic-chat")
    bus = Bus(BusSettings(stack.state()["nats_url"], "logic-chat", password, "test"))
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


async def said(stack: Stack, *arguments: str) -> str:
    async with command(stack, *arguments) as done:
        await done.ended()
        return done.out + done.err


OPERATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("http.echo", {"path": "401"}),
    ("http.echo", {"path": "503"}),
    ("payments.create", {"amount": 500, "currency": "EUR"}),
    ("email.send", MAIL),
    ("fax.send", {"to": "+49", "text": "x"}),
    ("webhook.event", {"type": "chat.tested", "timestamp": "t", "data": 1}),
)


async def exercised(stack: Stack) -> str:
    """Each operation as a call and as a job, most of them failing; webhooks in, signed and not. What everybody was told of it."""
    told = ""
    async with chat_on(stack) as bus:
        for number, (operation, payload) in enumerate(OPERATIONS):
            connector, op = split_operation(operation)
            try:
                reply = await bus.request(
                    verbs.CALL, m.CallRequest(payload=payload), Deadline.after(4), caller="chat", connector=connector, op=op
                )
                told += repr(reply)
            except CausewayError as error:
                told += repr(error) + str(error)
            record = m.NewRecord(id=f"job-{number}", app="chat", connector=connector, op=op, payload=payload)
            await bus.request(verbs.ENQUEUE, m.EnqueueRequest(records=[record]), Deadline.after(4), caller="chat")
    port = next(each["port"] for each in stack.state()["processes"] if each["service"] == "integrations")
    body = json.dumps({"id": "evt_1", "type": "customer.created", "data": {"object": {}}}).encode()
    async with aiohttp.ClientSession() as session:
        for headers, source in (
            (signed(body, secret=SECRETS["inbound"]), "stripe"),
            (signed(body, secret="x"), "stripe"),
            ({}, "github"),
        ):
            async with session.post(f"http://127.0.0.1:{port}/hooks/{source}", data=body, headers=headers) as response:
                told += await response.text()
    async with asyncio.timeout(40):
        while json.loads(await said(stack, "jobs", "list", "--state", "pending", "--json")) or json.loads(
            await said(stack, "jobs", "list", "--state", "retrying", "--json")
        ):
            continue
    return told


async def shown(stack: Stack, endpoint: str) -> str:
    """What the operators' commands say."""
    jobs = json.loads(await said(stack, "jobs", "list", "--json"))
    assert {each["state"] for each in jobs} == {"done", "dead"}
    assert len(jobs) >= len(OPERATIONS)
    arguments = [
        *(("jobs", "show", each["id"], "--json") for each in jobs if each["state"] == "dead"),
        ("webhooks", "show", endpoint),
        ("webhooks", "test", endpoint),
        ("audit", "--json"),
        ("inspect", "integrations", "webhook_endpoint", endpoint, "--json"),
    ]
    found = list(await asyncio.gather(*(said(stack, *each) for each in arguments)))
    async with aiohttp.ClientSession() as session:
        for process in stack.state()["processes"]:
            for path in ("metrics", "readyz") if process["internal_port"] and process["service"] != "nats" else ():
                async with session.get(f"http://127.0.0.1:{process['internal_port']}/{path}") as response:
                    found.append(await response.text())
    return "\n".join(found)


async def test_no_secret_is_in_anything_that_a_run_writes(tmp_path: Path) -> None:
    """Also where a peer repeats in its error what it was sent, and for the secret of an endpoint that was added while all runs."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    otlp, hooks = OtlpReceiver(), WebhookReceiver()
    await otlp.start()
    await hooks.start()
    site = installed("causeway_connector_fax", tmp_path / "site")
    try:
        async with Echo() as echo, StripePeer() as stripe, Mailbox(password="another-one") as mail:
            assert isinstance(echo, Echo)
            assert isinstance(stripe, StripePeer)
            made = config(folder, Peers(echo, stripe, mail, hooks, otlp))
            async with running_stack(tmp_path / "run", config=made, env={"PYTHONPATH": str(site)}) as stack:
                added = json.loads(
                    await said(stack, "webhooks", "add", "--app", "chat", "--event", "chat.tested", "--url", f"{echo.url}/hook")
                )
                told = await exercised(stack)
                told += await shown(stack, added["id"])
                await until(lambda: any("attempt http.echo" in span.name for span in otlp.spans), 20)
                spans = len(otlp.spans)
            assert spans > 50
            assert echo.asked > 4
            written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
            assert any(path.suffix == ".sqlite3" for path in written)
            everything = [told.encode(), *otlp.exported, *(path.read_bytes() for path in written)]
    finally:
        await hooks.stop()
        await otlp.stop()

    for name, secret in {**SECRETS, "added": added["secret"]}.items():
        bare = secret.removeprefix("whsec_")
        assert not [each for each in everything if bare.encode() in each], name
    assert any(b"[secret]" in each for each in everything), "the echo was heard, and made harmless"
