"""P2 and P3 at every named fault point: the real process dies there by SIGKILL, and what left with a commit still left once.

A chat message is a commit with one publication and one job. After each crash: what was answered is in the log once; whatever is in the
log, answered or not, was delivered to the webhook's peer, with one webhook-id and one body each (a repeat has the same id).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from centrifuge import CentrifugeError, Client, PublicationContext, SubscriptionEventHandler

from causeway_common.runtime import FAULT_POINTS
from support.mongo import SERVERS
from support.otlp import WebhookReceiver
from support.stack import running_stack
from support.stores import mongo_uri

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGES = 6
PAGE = 200
# create_room is a commit of its own, so the commit's points are passed once before the first message
OF_OTHERS = (
    "integrations.hook",
    "storage.attend",
    "storage.clear",
    "storage.timers",
    "storage.snapshot",
    "storage.relay.before_timer",
    "storage.relay.after_timer",
)
POINTS = [point for point in FAULT_POINTS if not point.startswith(OF_OTHERS)]
"""Those that a chat message passes; the others are those of `test_lifecycle.py`, `test_timers.py` and `test_snapshots.py`."""
APPENDED_BY_THE_RELAY = "storage.relay.before_append"
"""On SQLite a publication leaves with its commit; what an outbox still holds there is in `test_left_outboxes.py`."""
NTH = {point: 4 if point.startswith("storage.commit") else 2 for point in POINTS}

OF_THE_QUEUE = ("storage.delivery.before", "storage.delivery.after", "storage.relay.before_record", "storage.relay.after_record")
"""What a record's way into the work queue goes through is the same on every database."""


def config(hooks: WebhookReceiver) -> str:
    return f"""

[integrations.webhook]
timeout = "1s"

[[integrations.webhook.endpoints]]
app = "chat"
event = "chat.message.created"
url = "{hooks.url}"
secret = "{SECRET}"
"""


class Listener(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.ids: list[str] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.ids.append(ctx.pub.data["id"])


async def rpc(client: Client, method: str, data: dict[str, object], *, again: bool) -> dict[str, object] | None:
    """The answer; None for a temporary error, unless it is asked `again` until it is answered."""
    async with asyncio.timeout(30):
        while True:
            try:
                answer: dict[str, object] = (await client.rpc(method, data)).data
            except CentrifugeError:
                if not again:
                    return None
                await asyncio.sleep(0.05)
            else:
                return answer


class Messages:
    """One user in a room: what was answered, what the log has, what the webhook's peer got."""

    def __init__(self, client: Client, hooks: WebhookReceiver, room: str) -> None:
        self._client, self._hooks, self._room = client, hooks, room
        self.heard = Listener()
        self.answered: dict[str, str] = {}
        self._sent = 0

    async def watch(self) -> None:
        subscription = self._client.new_subscription(f"chat:{self._room}", self.heard)
        await subscription.subscribe()
        await subscription.ready(10)

    async def send(self) -> None:
        text, self._sent = f"m{self._sent}", self._sent + 1
        reply = await rpc(self._client, "chat.send", {"room": self._room, "text": text}, again=False)
        if reply:
            self.answered[text] = str(reply["id"])
        else:
            await asyncio.sleep(0.1)

    async def log(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while True:
            before = {"before": found[0][1]} if found else {}
            page = await rpc(self._client, "chat.history", {"room": self._room, "limit": PAGE, **before}, again=True)
            assert page
            assert isinstance(page["messages"], list)
            found = [(message["text"], message["id"]) for message in page["messages"]] + found
            if len(page["messages"]) < PAGE:
                return found

    def delivered(self) -> Counter[str]:
        return Counter(json.loads(body)["data"]["id"] for _, body in self._hooks.received)

    async def settled(self) -> set[str]:
        """Wait until log, subscriber and peer agree, or 30 s are over; the ids of the log."""
        ids: set[str] = set()
        for _ in range(300):
            ids = {id_ for _, id_ in await self.log()}
            if ids >= set(self.answered.values()) and set(self.delivered()) == ids == set(self.heard.ids):
                break
            await asyncio.sleep(0.1)
        return ids

    def assert_once(self, log: list[tuple[str, str]], ids: set[str], most: int) -> None:
        assert max(Counter(text for text, _ in log).values()) == 1, "no message is doubled"
        assert {text: id_ for text, id_ in log if text in self.answered} == self.answered
        assert set(self.delivered()) == ids, "every message of the log left as a webhook, and nothing else did"
        assert self.heard.ids == sorted(ids, key=int), "the subscriber got each message once, in order"
        came: dict[str, set[tuple[str, bytes]]] = {}
        for headers, body in self._hooks.received:
            came.setdefault(json.loads(body)["data"]["id"], set()).add((headers["webhook-id"], body))
        assert all(len(found) == 1 for found in came.values()), "a repeat carries the same id and body"
        assert max(self.delivered().values()) <= most, "an effect is repeated only where it happened before the process died"


async def dies_at(tmp_path: Path, point: str, nth: int, *, storage: str = "sqlite", storages: int = 1) -> None:
    """One run in which a process dies at this point; of several storage processes each does, in its turn."""
    hooks = WebhookReceiver()
    await hooks.start()
    service = point.split(".", maxsplit=1)[0]
    process = "logic-chat" if service == "logic" else service
    env = {"CAUSEWAY_TESTING": "1", "CAUSEWAY_FAULT": f"{point}:{nth}"}
    try:
        async with running_stack(tmp_path, config=config(hooks), env=env, storage=storage, storages=storages) as stack:
            first = set(stack.pids_of(process))
            client = stack.client("ann")
            await client.connect()
            await client.ready(10)
            created = await rpc(client, "chat.create_room", {"name": "r"}, again=True)
            assert created
            messages = Messages(client, hooks, str(created["room"]))
            await messages.watch()
            for _ in range(MESSAGES):
                await messages.send()
            # One round of the relay may take several messages: the point may not have been passed often enough.
            async with asyncio.timeout(30):
                while first <= set(stack.pids_of(process)):
                    await messages.send()
            await stack.ready()
            ids = await messages.settled()
            # integrations runs several jobs at once: one that had its effect and was not settled yet when the process died is repeated
            messages.assert_once(await messages.log(), ids, most=2 if service == "integrations" else 1)
            await client.disconnect()
    finally:
        await hooks.stop()


@pytest.mark.stack
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", [point for point in POINTS if point != APPENDED_BY_THE_RELAY])
async def test_what_left_with_a_commit_leaves_once_wherever_the_process_dies(tmp_path: Path, point: str) -> None:
    await dies_at(tmp_path, point, NTH[point])


@pytest.mark.stack
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("storage.") and point not in OF_THE_QUEUE])
async def test_what_left_with_a_commit_leaves_once_whichever_of_two_storage_processes_dies_and_where(
    tmp_path: Path, point: str
) -> None:
    """On MongoDB's wire. The room's owner dies; the other takes its shards, and its sweep what it had begun."""
    await dies_at(tmp_path, point, NTH[point], storage=mongo_uri(min(SERVERS), tmp_path), storages=2)
