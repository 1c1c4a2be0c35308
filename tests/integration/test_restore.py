"""The restore runbook of docs/storage.md, step by step, over the real stack: P4 when a database comes back older than its clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from cent import AsyncClient, HistoryRequest, PublishRequest
from centrifuge import PublicationContext, SubscribedContext, SubscriptionEventHandler

from support.operations import done, operation, violations_in
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
CHANNEL = "kept:1"
CONFIG = """
[[channel.namespaces]]
name = "kept"
history_size = 1000
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
"""


class Told(SubscriptionEventHandler):
    """What a subscriber got, and what it was told when it came back."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.answers: list[tuple[bool, bool]] = []

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.answers.append((ctx.was_recovering, ctx.recovered))

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.received.append(ctx.pub.data)


async def published(api: AsyncClient, words: str) -> None:
    for word in words.split():
        await api.publish(PublishRequest(channel=CHANNEL, data=word))


async def log_of(api: AsyncClient) -> list[str]:
    history = await api.history(HistoryRequest(channel=CHANNEL, limit=100))
    return [each.data for each in history.publications]


def files(stack: Stack) -> list[Path]:
    return sorted(stack.data_dir.glob("storage.sqlite3*"))


@pytest.mark.parametrize("way", ["backup", "export"])
async def test_a_client_that_comes_back_from_a_lost_time_is_told_recovered_false(tmp_path: Path, way: str) -> None:
    copy = tmp_path / "copy"
    async with running_stack(tmp_path, config=CONFIG) as stack:
        told, client = Told(), stack.client("ann")
        subscription = client.new_subscription(CHANNEL, told)
        async with stack.api() as api:
            await published(api, "a")
            await client.connect()
            await subscription.subscribe()
            await subscription.ready(10)
            await published(api, "b c")
            await done(way, "--data-dir", stack.data_dir, copy)
            await published(api, "lost-1 lost-2")
            await until(lambda: told.received == ["b", "c", "lost-1", "lost-2"])
        await client.disconnect()
        assert await violations_in(stack.data_dir) == []
        code, _, err = await operation("restored", "--data-dir", stack.data_dir)
        assert (code, "another storage process" in err) == (1, True)

        await stack.stop()
        for file in files(stack):
            file.unlink()
        if way == "backup":
            copy.rename(stack.data_dir / "storage.sqlite3")
            await done("restored", "--data-dir", stack.data_dir)
        else:
            await done("import", "--data-dir", stack.data_dir, copy)
        assert await violations_in(stack.data_dir) == []
        await stack.start()
        async with stack.api() as api:
            # The log grows past the client's position first: offset alone would say that one publication is missing, new-3.
            await published(api, "new-1 new-2 new-3")
            await client.connect()
            await until(lambda: len(told.answers) == 2)
            assert told.answers[1] == (True, False), "its position is of a time that is not in the log"
            await published(api, "new-4")
            await until(lambda: told.received[4:] == ["new-4"])
            assert await log_of(api) == ["a", "b", "c", "new-1", "new-2", "new-3", "new-4"]
        assert await violations_in(stack.data_dir) == []
        await client.disconnect()
