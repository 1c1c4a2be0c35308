"""The file's namespaces change while the gateway runs: no restart, no client is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from centrifuge import CentrifugeError, Client, ReplyError

from support.stack import running_stack

FIRST = """
[[channel.namespaces]]
name = "first"
allow_subscribe_for_client = true
allow_publish_for_client = true
"""
SECOND = FIRST.replace("allow_publish_for_client = true\n", "") + FIRST.replace("first", "second")


async def _error(client: Client, channel: str) -> int:
    """0, or the error of publishing there."""
    try:
        await client.publish(channel, 1)
    except ReplyError as error:
        return int(error.code)
    except CentrifugeError as error:
        raise AssertionError(f"the connection was lost: {error!r}") from error
    return 0


@pytest.mark.stack
@pytest.mark.timeout(60)
async def test_a_namespace_that_is_added_or_changed_in_the_file_holds_without_a_restart(tmp_path: Path) -> None:
    async with running_stack(tmp_path, config=FIRST) as stack:
        client, pid = stack.client("ann"), stack.pid("gateway")
        await client.connect()
        await client.ready(10)
        assert [await _error(client, channel) for channel in ("first:a", "second:a")] == [0, 102]
        (tmp_path / "causeway.toml").write_text(SECOND)
        async with asyncio.timeout(20):
            while [await _error(client, channel) for channel in ("first:a", "second:a")] != [103, 0]:
                await asyncio.sleep(0.05)
        (tmp_path / "causeway.toml").write_text("[[channel.namespaces]]\nname = 5\n")
        async with asyncio.timeout(20):
            while "channel.namespaces" not in stack.log():
                await asyncio.sleep(0.05)

        assert [await _error(client, channel) for channel in ("first:a", "second:a")] == [103, 0], "a faulty file changes nothing"
        assert stack.pid("gateway") == pid
        assert client.state.name == "CONNECTED"
        await client.disconnect()
