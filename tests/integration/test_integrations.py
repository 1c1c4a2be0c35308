"""Integrations as real processes over a real bus and storage, their peers real servers on loopback: calls, jobs, inbound webhooks.

Also under SIGKILL at each step of an attempt: one effect at a peer that honours keys, at most one repeat, visible as such, at one that does not.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from causeway_common.bus import Bus, BusSettings, Deadline
from causeway_common.bus.apps import announce
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.connectors import PAYMENTS_CREATE, Payment
from causeway_common.contracts.errors import ErrorName
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.subjects import JOB
from support.door import Door, door_in
from support.examples import installed
from support.mailbox import Mailbox
from support.peers import Peer, RatesServer
from support.stack import running_stack
from support.storage_process import APP
from support.stripe_peer import API_KEY, StripePeer
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "rates-token-7f3a91"
MAIL_PASSWORD = "mail-password-5c2e"
CREATE: dict[str, Any] = {"amount": 500, "currency": "EUR", "metadata": {"lot": "7"}}
MAIL: dict[str, Any] = {"to": ["ann@example.com"], "subject": "s", "text": "t"}
ORDER: dict[str, Any] = {"method": "POST", "path": "orders", "body": {"n": 1}}


def settings(rates: RatesServer, stripe: StripePeer, mail: Mailbox) -> str:
    return f"""
[integrations.permissions]
{APP} = ["*"]

[integrations.http]
allow_hosts = ["127.0.0.1"]

[[integrations.apis]]
name = "rates"
base_url = "{rates.url}/v1"
methods = ["GET", "POST"]
headers = {{ authorization = "{TOKEN}" }}
timeout = "1s"
retries = ["0s"]
retry_schedule = ["0s", "100ms", "100ms"]
breaker_failures = 3
breaker_pause = "1h"
idempotency_header = "Idempotency-Key"

[integrations.payments]
provider = "stripe"
api_key = "{API_KEY}"
base_url = "{stripe.url}"
allow_hosts = ["127.0.0.1"]
timeout = "1s"

[integrations.email]
host = "127.0.0.1"
port = {mail.port}
tls = "none"
username = "shop"
password = "{MAIL_PASSWORD}"
sender = "shop@example.com"
timeout = "1s"
retry_schedule = ["0s", "100ms"]

[[integrations.sources]]
name = "shop"
scheme = "standard-webhooks"
secret = "{WHSEC}"
"""


async def test_calls_are_answered_over_the_bus_and_errors_say_what_is_wrong(tmp_path: Path) -> None:
    """P6, P8: the caller is who NATS says; the table's errors cross the bus. No secret is in anything that was written."""
    async with RatesServer() as rates, StripePeer() as stripe, Mailbox(password=MAIL_PASSWORD) as mail:
        assert isinstance(rates, RatesServer)
        assert isinstance(stripe, StripePeer)
        async with door_in(tmp_path, settings(rates, stripe, mail)) as door:
            reply = await door.call("http.rates", {"path": "latest", "query": {"base": "CHF"}})
            assert reply["data"]["base"] == "CHF"
            assert rates.asked[0].headers["authorization"] == TOKEN
            payment = PAYMENTS_CREATE.read_reply(await door.call("payments.create", CREATE, key="k"))
            assert isinstance(payment, Payment)
            assert await door.call("payments.create", CREATE, key="k") == PAYMENTS_CREATE.result(payment)
            assert stripe.effects == [f"create {payment.id}"]
            await door.call("email.send", MAIL)
            assert mail.received[0].user == "shop"

            assert (await door.failing("payments.get", {"id": "pi_404"})).code == 404
            assert (await door.failing("payments.create", CREATE | {"currency": "XXX"})).code == 107
            assert (await door.failing("payments.steal", {})).name is ErrorName.METHOD_NOT_FOUND
            assert (await door.failing("fax.send", {})).name is ErrorName.METHOD_NOT_FOUND
            assert (await door.failing("email.send", MAIL, caller="chat")).name is ErrorName.PERMISSION_DENIED
            rates.faults.hang = True
            late = await door.failing("http.rates", {"path": "latest"}, seconds=0.4)
            assert late.temporary
            rates.released.set()

            mail.answers = ["550 never"]
            dead = await door.enqueue("email.send", MAIL, "dead")
            await door.ended(dead)
            said = door.said()
            for secret in (TOKEN, MAIL_PASSWORD, API_KEY, WHSEC.removeprefix("whsec_")):
                assert secret not in said


async def test_a_job_is_tried_by_its_schedule_then_dead_and_every_attempt_is_kept(tmp_path: Path) -> None:
    async with RatesServer() as rates, StripePeer() as stripe, Mailbox(password=MAIL_PASSWORD) as mail:
        assert isinstance(rates, RatesServer)
        assert isinstance(stripe, StripePeer)
        async with door_in(tmp_path, settings(rates, stripe, mail)) as door:
            mail.answers = ["451 later", "451 later"]
            dead = await door.enqueue("email.send", MAIL, "dead")
            await door.ended(dead)
            mail.answers = ["451 later"]
            done = await door.enqueue("email.send", MAIL, "done")
            denied = await door.enqueue("email.send", MAIL, "denied", caller="chat")
            unknown = await door.enqueue("fax.send", {}, "unknown")
            wrong = await door.enqueue("email.send", {"to": 7}, "wrong")
            await door.ended(done, denied, unknown, wrong)

            assert door.record(dead).state == "dead"
            assert [(each.outcome, each.status, each.number) for each in door.record(dead).log] == [
                ("retry", 451, 1),
                ("dead", 451, 2),
            ]
            assert [(each.outcome, each.status) for each in door.record(done).log] == [("retry", 451), ("done", 250)]
            for name, words in ((denied, "may not use"), (unknown, "no operation"), (wrong, "email.send")):
                assert door.record(name).state == "dead"
                assert words in door.record(name).note
            assert len(mail.received) == 1


async def test_a_delivery_that_cannot_be_decoded_becomes_a_dead_record(tmp_path: Path) -> None:
    """Poison holds nobody up: it is kept, listed as dead, and the next delivery is handled."""
    async with Mailbox() as mail:
        config = f'[integrations.permissions]\n"*" = ["*"]\n[integrations.email]\nhost = "127.0.0.1"\nport = {mail.port}\n'
        async with door_in(tmp_path, config + 'tls = "none"\nsender = "a@b.example"\n') as door:
            door.bus.send_raw(JOB.at(connector="email", op="send"), b"\xc1 no message")
            done = await door.enqueue("email.send", MAIL, "after")
            await door.ended(done)
            await until(lambda: bool(door.records("connector = 'poison' AND state = 'dead'")), seconds=30)

            (poison,) = door.records("connector = 'poison'")
            assert poison.log[-1].outcome == "dead"
            assert door.record(done).state == "done"


@pytest.mark.parametrize(
    "fault",
    [
        "integrations.attempt.before:1",
        "integrations.attempt.after:1",
        "integrations.attempt.after:2",
        "integrations.attempt.after:3",
    ],
)
async def test_wherever_the_process_dies_each_job_has_its_effect_once_at_a_peer_that_honours_keys(
    tmp_path: Path, fault: str
) -> None:
    """P3: and at one that does not, the repeat carries the same id."""
    async with RatesServer() as rates, StripePeer() as stripe, Mailbox(password=MAIL_PASSWORD) as mail:
        assert isinstance(rates, RatesServer)
        assert isinstance(stripe, StripePeer)
        async with door_in(tmp_path, settings(rates, stripe, mail), fault=fault) as door:
            jobs = [
                await door.enqueue("payments.create", CREATE, "payment"),
                await door.enqueue("email.send", MAIL, "mail"),
                await door.enqueue("http.rates", ORDER, "order"),
            ]
            await door.ended(*jobs)

            assert door.door_deaths == 1
            assert [door.record(job).state for job in jobs] == ["done"] * 3
            assert stripe.effects == ["create pi_0001"]
            assert list(rates.orders) == [derived_id(jobs[2])]
            assert {got.message["Message-ID"] for got in mail.received} == {f"<{derived_id(jobs[1])}@example.com>"}
            assert len(mail.received) <= 2


@pytest.mark.parametrize("fault", ["integrations.hook.before:1", "integrations.hook.after:1"])
async def test_an_event_is_durable_before_its_answer_and_delivered_once_wherever_the_process_dies(
    tmp_path: Path, fault: str
) -> None:
    body = json.dumps({"type": "order.paid", "timestamp": "t", "data": {"order": 7}}).encode()
    config = f'[[integrations.sources]]\nname = "shop"\nscheme = "standard-webhooks"\nsecret = "{WHSEC}"\n'

    def signed(id: str) -> dict[str, str]:
        at = datetime.fromtimestamp(int(time.time()), UTC)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(WHSEC).sign(id, at, body.decode()),
        }

    async with door_in(tmp_path, config, fault=fault) as door:
        manifest = m.Manifest(app=APP, version="1", methods=[], events=[m.EventSpec(source="shop", type="*")])
        await announce(door.bus, manifest, Deadline.after(5))
        answers: list[int] = []
        while 200 not in answers:  # as a sender does
            answers.append(await door.hook("shop", body, signed("msg_1")))
            await door.ready()
        assert (answers[0], door.door_deaths) == (0, 1)
        assert await door.hook("shop", body, signed("msg_1")) == 200
        assert await door.hook("shop", body, signed("msg_2")) == 200
        expected = {"in:" + derived_id("shop", each, APP) for each in ("msg_1", "msg_2")}
        await until(lambda: door.ids >= expected)

        assert door.ids == expected, "and nothing was kept as unclaimed, since the app was known"
        claim = await door.ask(verbs.CLAIM, m.ClaimRequest(id="in:" + derived_id("shop", "msg_1", APP), node="n", lease_ms=60_000))
        assert claim.record is not None
        assert (claim.record.op, claim.record.payload["data"]) == ("on_event", {"order": 7})


class Receivers(Peer):
    """Webhook receivers: `/hangs` never answers until released, every other path takes it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: Counter[str] = Counter()
        self.hanging = 0
        self.released = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{name}", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "hangs":
            self.hanging += 1
            await self.released.wait()
        self.taken[name] += 1
        return web.Response(status=204)


async def test_a_receiver_that_hangs_holds_none_of_the_others(tmp_path: Path) -> None:
    """Many more deliveries wait for it than there are attempts at once; the others' go out meanwhile."""
    receivers = Receivers()
    endpoints = "".join(
        f'[[integrations.webhook.endpoints]]\napp = "{APP}"\nevent = "{name}.happened"\nurl = "{receivers.url}/{name}"\nsecret = "{WHSEC}"\n'
        for name in ("hangs", "a", "b", "c")
    )
    config = f"""
[integrations.webhook]
allow_hosts = ["127.0.0.1"]
timeout = "1m"
{endpoints}
"""
    async with receivers, door_in(tmp_path, config, top="concurrency = 8\nper_destination = 2") as door:
        for name, count in (("hangs", 30), ("a", 10), ("b", 10), ("c", 10)):
            for number in range(count):
                payload = {"type": f"{name}.happened", "timestamp": "t", "data": number}
                await door.enqueue("webhook.event", payload, f"{name}-{number}")
        await until(lambda: all(receivers.taken[name] == 10 for name in "abc"), seconds=60)
        assert receivers.hanging > 0
        assert not receivers.taken["hangs"]
        receivers.released.set()
        await until(lambda: receivers.taken["hangs"] == 30, seconds=60)


async def test_the_breaker_is_open_for_every_process_and_visible_in_metrics(tmp_path: Path) -> None:
    async with RatesServer() as rates, StripePeer() as stripe, Mailbox(password=MAIL_PASSWORD) as mail:
        assert isinstance(rates, RatesServer)
        assert isinstance(stripe, StripePeer)
        async with door_in(tmp_path, settings(rates, stripe, mail), replicas=2) as door:
            rates.faults.status = 500

            async def open_everywhere() -> bool:
                await door.failing("http.rates", {"path": "latest"})
                found = [await door.metrics(number) for number in range(2)]
                return all(
                    any(
                        line.startswith("causeway_integrations_breaker_open") and line.endswith(" 1.0")
                        for line in text.splitlines()
                    )
                    for text in found
                )

            async with asyncio.timeout(30):
                while not await open_everywhere():
                    await asyncio.sleep(0.05)
            asked = len(rates.asked)
            rates.faults.status = 0
            for _ in range(20):
                assert "breaker" in (await door.failing("http.rates", {"path": "latest"})).message
            assert len(rates.asked) == asked

            door.kill_door(0)
            await door.ready()
            assert "breaker" in (await door.failing("http.rates", {"path": "latest"})).message, "a new process learns it"


async def test_the_payments_of_development_are_paid_told_by_webhook_and_survive_a_kill(tmp_path: Path) -> None:
    config = f"""
[integrations.permissions]
"*" = ["payments.*"]
[integrations.payments]
provider = "test"
folder = "{tmp_path / "payments"}"
"""
    async with door_in(tmp_path, config) as door:
        manifest = m.Manifest(
            app=APP, version="1", methods=[], events=[m.EventSpec(source="stripe", type="payment_intent.succeeded")]
        )
        await announce(door.bus, manifest, Deadline.after(5))
        created = await door.call("payments.create", CREATE, key="k")
        door.kill_door()
        await door.ready()
        assert await door.call("payments.create", CREATE, key="k") == created
        await _paid(door, created["id"])
        await until(lambda: bool(door.ids))
        door.kill_door()
        await door.ready()
        assert (await door.call("payments.get", {"id": created["id"]}))["state"] == "succeeded"
        (task,) = door.ids
        claim = await door.ask(verbs.CLAIM, m.ClaimRequest(id=task, node="n", lease_ms=60_000))
        assert claim.record is not None
        data = claim.record.payload["data"]
        assert (data["id"], data["amount_received"], data["currency"], data["metadata"]) == (
            created["id"],
            500,
            "eur",
            {"lot": "7"},
        )


async def _paid(door: Door, id: str) -> None:
    """Confirm until it is answered: the process may not know the apps yet."""
    async with asyncio.timeout(20):
        while True:
            try:
                await door.call("payments.confirm", {"id": id}, key="pay")
            except Exception as error:
                if not getattr(error, "temporary", False):
                    raise
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_process_that_is_told_to_stop_fails_no_call(tmp_path: Path) -> None:
    """P7: of two, one leaves under load; what it has begun is answered, what comes goes to the other one."""
    async with RatesServer() as rates, StripePeer() as stripe, Mailbox(password=MAIL_PASSWORD) as mail:
        assert isinstance(rates, RatesServer)
        assert isinstance(stripe, StripePeer)
        async with door_in(tmp_path, settings(rates, stripe, mail), replicas=2) as door:
            answered = 0

            async def calling(number: int) -> None:
                nonlocal answered
                while not stopped.done() or answered < 200:
                    await door.call("http.rates", {"path": "latest", "query": {"n": f"{number}-{answered}"}})
                    answered += 1

            stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            callers = [asyncio.create_task(calling(number)) for number in range(8)]
            await until(lambda: answered > 50)
            stopped.set_result(await door.leave(0))
            await asyncio.gather(*callers)

            assert stopped.result() == 0


async def test_in_development_every_app_may_call_and_e_mails_and_payments_are_files(tmp_path: Path) -> None:
    """`causeway dev` as it comes: with the rights of its NATS users, as the app itself."""
    async with running_stack(tmp_path) as stack:
        users = json.loads((stack.data_dir / "nats.conf").read_text())["authorization"]["users"]
        password = next(user["password"] for user in users if user["user"] == "logic-chat")
        bus = Bus(BusSettings(stack.state()["nats_url"], "logic-chat", password, "test"))
        await bus.start()
        try:

            async def call(connector: str, op: str, payload: dict[str, Any]) -> Any:
                request = m.CallRequest(payload=payload)
                return (
                    await bus.request(verbs.CALL, request, Deadline.after(4), caller="chat", connector=connector, op=op)
                ).payload

            sent = await call("email", "send", MAIL)
            (file,) = (stack.data_dir / "mail").iterdir()
            assert file.stem == sent["message_id"].strip("<>").partition("@")[0]
            created = await call("payments", "create", CREATE)
            assert (await call("payments", "confirm", {"id": created["id"]}))["state"] == "succeeded"
            assert len(list((stack.data_dir / "payments").iterdir())) == 1
        finally:
            await bus.stop()


async def test_a_connector_of_another_distribution_serves_calls_and_jobs(tmp_path: Path) -> None:
    async with RatesServer() as gateway:
        assert isinstance(gateway, RatesServer)
        config = f"""
[integrations.permissions]
{APP} = ["fax.*"]
[integrations.connectors.fax]
url = "{gateway.url}/v1/orders"
token = "t"
allow_hosts = ["127.0.0.1"]
"""
        async with door_in(tmp_path, config, path=installed("causeway_connector_fax", tmp_path / "site")) as door:
            assert await door.call("fax.send", {"to": "+49", "text": "x"}) == {"accepted": True}
            job = await door.enqueue("fax.send", {"to": "+49", "text": "x"}, "one")
            await door.ended(job)
            assert door.record(job).state == "done"
            assert derived_id(job) in gateway.orders
