"""The auctions app on the whole real stack: the handles over the published client, and what it does with the outside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from centrifuge import Client, PublicationContext, ReplyError, SubscriptionEventHandler
from centrifuge.exceptions import CentrifugeError
from standardwebhooks.webhooks import Webhook

from support.otlp import WebhookReceiver
from support.peers import RatesServer
from support.stack import running_stack
from support.waiting import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOT = {"title": "A chair", "currency": "EUR", "start_price": 1000, "increment": 10, "closes_in": 6}


def config(rates: RatesServer, seller: WebhookReceiver) -> str:
    endpoints = "".join(
        f'[[integrations.webhook.endpoints]]\napp = "auctions"\nevent = "{event}"\nurl = "{seller.url}"\nsecret = "{SECRET}"\n'
        for event in ("auctions.lot.closed", "auctions.lot.sold")
    )
    api = f'[[integrations.apis]]\nname = "rates"\nbase_url = "{rates.url}/v1"\nretries = ["0s"]\ncache = "200ms"\nstale_if_error = "1h"\n'
    return endpoints + api


class Kept(SubscriptionEventHandler):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.messages.append(ctx.pub.data)


async def code_of(client: Client, method: str, data: Any) -> int:
    """The code of a refusal, 0 for none."""
    try:
        await client.rpc(method, data)
    except ReplyError as error:
        return int(error.code)
    return 0


@pytest.mark.stack
@pytest.mark.timeout(120)
async def test_a_lot_from_its_making_to_its_receipt(tmp_path: Path) -> None:
    """One lot through everything: bids, a proxy, refusals, rates, the close, a payment, the seller's webhooks, the buyer's mail."""
    seller_hook = WebhookReceiver()
    await seller_hook.start()
    async with RatesServer() as rates:
        assert isinstance(rates, RatesServer)
        async with running_stack(tmp_path, config=config(rates, seller_hook)) as stack:
            sam, ann, bob = clients = [stack.client(name) for name in ("sam", "ann", "bob")]
            for client in clients:
                await client.connect()
                await client.ready(10)
            lot_id = (await sam.rpc("auctions.create_lot", LOT)).data["lot_id"]
            kept = Kept()
            watching = ann.new_subscription(f"lot:{lot_id}", kept)
            await watching.subscribe()
            await watching.ready(10)

            answer = (await ann.rpc("auctions.bid", {"lot_id": lot_id, "amount": 1000})).data
            assert (answer["price"], answer["leader"], answer["bids"]) == (1000, "ann", 1)
            await ann.rpc("auctions.proxy_bid", {"lot_id": lot_id, "maximum": 1500})
            answer = (await bob.rpc("auctions.bid", {"lot_id": lot_id, "amount": 1200})).data
            assert (answer["price"], answer["leader"], answer["bids"]) == (1210, "ann", 3)
            assert await code_of(bob, "auctions.bid", {"lot_id": lot_id, "amount": 1219}) == 409
            assert await code_of(sam, "auctions.bid", {"lot_id": lot_id, "amount": 5000}) == 403
            with pytest.raises(CentrifugeError):
                await watching.publish({"type": "bid"})

            prices = (await bob.rpc("auctions.prices", {"lot_id": lot_id, "currencies": ["USD"]})).data
            assert (prices["prices"], prices["rates"]) == ({"USD": 1331}, "fresh")
            await rates.stop()
            await asyncio.sleep(0.3)  # the cached answer is fresh no longer
            prices = (await bob.rpc("auctions.prices", {"lot_id": lot_id, "currencies": ["USD"]})).data
            assert (prices["prices"], prices["rates"]) == ({"USD": 1331}, "stale")

            await ann.rpc("auctions.contact", {"email": "ann@example.com"})
            await until(lambda: bool(kept.messages) and kept.messages[-1].get("status") == "awaiting_payment", 20)
            assert await code_of(bob, "auctions.bid", {"lot_id": lot_id, "amount": 9000}) == 410
            assert await code_of(bob, "auctions.pay", {"lot_id": lot_id, "method": "pm_card_visa"}) == 403
            while (await ann.rpc("auctions.checkout", {"lot_id": lot_id})).data["state"] == "pending":
                await asyncio.sleep(0.05)
            assert (await ann.rpc("auctions.pay", {"lot_id": lot_id, "method": "pm_card_visa"})).data["state"] == "succeeded"
            assert (await bob.rpc("auctions.lot", {"lot_id": lot_id})).data["status"] == "sold"

            await until(lambda: len(seller_hook.received) == 2 and any((stack.data_dir / "mail").glob("*.eml")), 20)
            events = [Webhook(SECRET).verify(body, headers) for headers, body in seller_hook.received]
            assert {event["type"] for event in events} == {"auctions.lot.closed", "auctions.lot.sold"}
            assert all(event["data"]["lot_id"] == lot_id for event in events)
            (mail,) = (stack.data_dir / "mail").glob("*.eml")
            assert "To: ann@example.com" in mail.read_text()
            assert [message.get("seq", message.get("status")) for message in kept.messages] == [1, 2, 3, "awaiting_payment", "sold"]
            (payment,) = (stack.data_dir / "payments").glob("*.json")
            assert json.loads(payment.read_bytes())["payment"]["received"] == 1210
            for client in clients:
                await client.disconnect()
    await seller_hook.stop()
