"""Audit over the real stack: what the API and the command line did, and who made an entity's versions, as `causeway audit` lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cent import CentError, DisconnectRequest, HistoryRemoveRequest

from support.command import command
from support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]


async def listed(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    async with command(stack, "audit", *arguments, "--json") as shown:
        assert await shown.ended() == 0, shown.err
        return [json.loads(line) for line in shown.out.splitlines()]


async def test_operations_and_an_entitys_trail_are_listed(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        async with stack.api() as api:
            await api.disconnect(DisconnectRequest(user="ann"))
            with pytest.raises(CentError):
                await api.history_remove(HistoryRemoveRequest(channel="unknown:1"))
        async with command(stack, "revoke", "--user", "bob") as revoking:
            assert await revoking.ended() == 0, revoking.err
        client = stack.client("ann")
        await client.connect()
        await client.ready(10)
        room = (await client.rpc("chat.create_room", {"name": "r"})).data["room"]
        await client.disconnect()

        operations = await listed(stack)
        assert [(each["name"], each["target"], each["outcome"]) for each in operations] == [
            ("revoke", "user=bob", "ok"),
            ("history_remove", "channel=unknown:1", "unknown_channel"),
            ("disconnect", "user=ann", "ok"),
        ]
        assert all(each["caller"] and each["traceparent"] for each in operations)
        assert await listed(stack, "--limit", "1") == operations[:1]
        (made,) = await listed(stack, "--entity", "chat", "room", str(room))
        assert (made["version"], made["by"]) == (1, "ann")
        async with command(stack, "audit", "--entity", "chat", "room", "none") as shown:
            assert await shown.ended() == 1
            assert "nothing is known of chat room none" in shown.err
