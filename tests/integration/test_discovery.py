"""`nats micro` sees every service: who is there, what it serves, how often it was asked (NATS ADR-32)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cent import PublishRequest
from nats.aio.client import Client

from support.stack import running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(60)]


async def asked(client: Client, subject: str, count: int) -> list[dict[str, Any]]:
    """The answers of everybody: a client of the standard tooling gathers them on an inbox of its own."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    await client.publish(subject, b"", reply=inbox)
    found = [json.loads((await subscription.next_msg(timeout=10)).data) for _ in range(count)]
    await subscription.unsubscribe()
    return found


async def test_every_service_answers_the_standard_tooling(tmp_path: Path) -> None:
    async with running_stack(tmp_path, gateways=2) as stack, stack.api() as api:
        client = Client()
        password = stack.credentials["nats_operator_password"]
        await client.connect(stack.state()["nats_url"], user="operator", password=password, inbox_prefix="_INBOX.operator")
        services = [entry for entry in stack.processes() if entry["service"] != "nats"]
        pings = await asked(client, "$SRV.PING", len(services))
        assert Counter(ping["name"] for ping in pings) == Counter(entry["service"] for entry in services)
        assert {ping["type"] for ping in pings} == {"io.nats.micro.v1.ping_response"}
        assert len({ping["id"] for ping in pings}) == len(pings)
        assert all(ping["version"] and ping["metadata"] == {} for ping in pings)

        (info,) = await asked(client, "$SRV.INFO.logic-chat", 1)
        sends = [each for each in info["endpoints"] if each["name"] == "rpc-send"]
        assert [each["subject"].startswith("cw.v1.app.chat.rpc.send.v.") for each in sends] == [True]
        one = pings[0]
        (again,) = await asked(client, f"$SRV.PING.{one['name']}.{one['id']}", 1)
        assert again == one

        await api.publish(PublishRequest(channel="demo:a", data={"n": 1}))
        async with asyncio.timeout(10):
            while True:
                (stats,) = await asked(client, "$SRV.STATS.storage", 1)
                if any(each["name"] == "append" and each["num_requests"] > 0 for each in stats["endpoints"]):
                    break
        assert stats["type"] == "io.nats.micro.v1.stats_response"
        assert all(each["num_errors"] >= 0 and each["queue_group"] is not None for each in stats["endpoints"])
        await client.close()
