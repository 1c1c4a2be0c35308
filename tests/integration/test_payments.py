"""A payment over the whole real stack, its provider a double of Stripe's API: webhooks doubled, swapped and late, and a kill among them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.command import command
from support.stack import Stack, running_stack
from support.stripe_peer import API_KEY, WEBHOOK_SECRET, StripePeer
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
LOT = {"title": "A chair", "currency": "EUR", "start_price": 1000, "increment": 10, "closes_in": 1}


def config(stripe: StripePeer) -> str:
    return f"""
[integrations.payments]
provider = "stripe"
api_key = "{API_KEY}"
base_url = "{stripe.url}"
retry_schedule = ["0s", "100ms", "100ms"]

[[integrations.sources]]
name = "stripe"
scheme = "stripe"
secret = "{WEBHOOK_SECRET}"
"""


async def kept(stack: Stack, payment: str) -> dict[str, Any]:
    """The payment's entity, as the database has it; empty where there is none."""
    async with command(stack, "inspect", "auctions", "payment", payment, "--json") as done:
        return dict(json.loads(done.out)["state"]) if await done.ended() == 0 else {}


async def both_of(stack: Stack, payment: str, *names: str) -> dict[str, Any]:
    """Wait until these fields of the payment are set."""
    async with asyncio.timeout(30):
        while True:
            found = await kept(stack, payment)
            if all(found.get(name) for name in names):
                return found


async def test_money_comes_once_and_goes_back_once_whatever_the_webhooks_do(tmp_path: Path) -> None:
    """The lot is sold once and stray money goes back once: each event comes twice, the last first, some after a kill."""
    async with StripePeer() as stripe:
        assert isinstance(stripe, StripePeer)
        async with running_stack(tmp_path, config=config(stripe)) as stack:
            port = next(each["port"] for each in stack.state()["processes"] if each["service"] == "integrations")
            stripe.webhook_url = f"http://127.0.0.1:{port}/hooks/stripe"
            sam, ann = stack.client("sam"), stack.client("ann")
            for client in (sam, ann):
                await client.connect()
                await client.ready(10)
            lot_id = (await sam.rpc("auctions.create_lot", LOT)).data["lot_id"]
            await ann.rpc("auctions.bid", {"lot_id": lot_id, "amount": 1000})
            await until(lambda: bool(stripe.intents), 20)
            (payment,) = stripe.intents

            intent = stripe.intents[payment] | {"status": "succeeded", "amount_received": 1000}
            stripe.intents[payment] = intent
            for type_, changed in (
                ("payment_intent.succeeded", {}),
                ("payment_intent.processing", {"status": "processing", "amount_received": 0}),
                ("payment_intent.requires_action", {"status": "requires_action", "amount_received": 0}),
            ):
                told = [stripe.tell(type_, intent | changed) for _ in range(2)]
                assert await asyncio.gather(*told) == [200, 200]
            stack.kill("logic-auctions")
            assert await stripe.tell("payment_intent.succeeded", intent, id="evt_again") == 200

            stray = stripe.stray(metadata=intent["metadata"], amount=700)
            for type_ in ("payment_intent.succeeded", "payment_intent.created"):
                assert await stripe.tell(type_, stray) == 200
            await until(lambda: any(each.startswith("refund") for each in stripe.effects), 40)
            (refund,) = stripe.refunds.values()
            back = {"id": "ch_1", "object": "charge", "payment_intent": stray["id"], "amount_refunded": 700, "metadata": {}}
            for type_, told_of in (
                ("refund.updated", refund),
                ("charge.refunded", back),
                ("refund.created", refund | {"status": "pending"}),
            ):
                assert [await stripe.tell(type_, told_of) for _ in range(2)] == [200, 200]

            found = await both_of(stack, stray["id"], "returned", "refunds")
            assert found["refunds"] == {refund["id"]: {"amount": 700, "state": "succeeded", "key": "no-sale"}}
            assert found["wishes"] == {"no-sale": 700}
            found = await both_of(stack, payment, "received")
            assert (found["succeeded"], found["cancelled"], found["received"]) == (True, False, 1000)
            await ann.ready(20)
            assert (await ann.rpc("auctions.lot", {"lot_id": lot_id})).data["status"] == "sold"
            assert stripe.effects == [f"create {payment}", f"refund {refund['id']}"]
            for client in (sam, ann):
                await client.disconnect()
