"""Publishers and subscribers of the killing test: the published `cent` and `centrifuge-python` clients, watched."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from cent import AsyncClient, CentError, HistoryRequest, PublishRequest, StreamPosition
from cent.exceptions import CentApiResponseError
from centrifuge import (
    CentrifugeError,
    Client,
    DisconnectedContext,
    PublicationContext,
    SubscribedContext,
    SubscriptionEventHandler,
    UnsubscribedContext,
)
from centrifuge.handlers import ClientEventHandler

from chaos.checker import Entry

TEMPORARY = {100, 111}
PAUSE_SECONDS = 0.02
CONFIG = """
[client]
recovery_max_publication_limit = 50000
queue_max_size = 33554432

[[channel.namespaces]]
name = "soak"
history_size = 1000000
history_ttl = "1h"
force_recovery = true
allow_subscribe_for_client = true
"""


class Publishers:
    """`count` publishers, each with `in_flight` publishes under way, every one repeated with its key until it is answered."""

    def __init__(self, api: AsyncClient, channel: str, *, count: int = 4, in_flight: int = 16) -> None:
        self._api, self._channel = api, channel
        self._workers = [(publisher, worker) for publisher in range(count) for worker in range(in_flight)]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.unanswered: set[str] = set()
        self.sent: set[str] = set()
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.errors: list[str] = []

    def start(self) -> None:
        """Begin to publish."""
        self._tasks = [asyncio.create_task(self._publish(*worker)) for worker in self._workers]

    async def finish(self) -> None:
        """Begin nothing new, and wait until everything is answered."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _publish(self, publisher: int, worker: int) -> None:
        for number in itertools.count():
            if self._stopping:
                return
            key = f"{publisher}-{worker}-{number}"
            self.sent.add(key)
            self.unanswered.add(key)
            self.acknowledged[key] = await self._until_answered(key)
            self.unanswered.discard(key)

    async def _until_answered(self, key: str) -> tuple[int, str]:
        while True:
            try:
                request = PublishRequest(channel=self._channel, data={"key": key}, idempotency_key=key)
                result = await self._api.publish(request)
            except CentApiResponseError as error:
                if error.code not in TEMPORARY:
                    raise
                self.errors.append(repr(error))
            except CentError as error:  # the gateway is away: what was sent may or may not have been taken, so it is sent again
                self.errors.append(repr(error))
            else:
                return result.offset, result.epoch
            await asyncio.sleep(PAUSE_SECONDS)


class Watcher(SubscriptionEventHandler, ClientEventHandler):
    """One subscriber that writes down everything that it gets and is told."""

    def __init__(self, name: str, client: Client, channel: str) -> None:
        self.name, self.client = name, client
        client.events = self
        self.subscription = client.new_subscription(channel, self)
        self.start: int | None = None
        self.entries: list[Entry] = []
        self.complaints: list[str] = []
        self.recoveries = 0

    async def watch(self) -> None:
        """Connect and wait for the first subscription."""
        await self.client.connect()
        await self.subscription.subscribe()
        await self.subscription.ready(10)

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        """Note where it began; complain where a recovery failed."""
        if self.start is None:
            self.start = ctx.stream_position.offset if ctx.stream_position else 0
        elif ctx.was_recovering and ctx.recovered:
            self.recoveries += 1
        else:
            self.complaints.append(f"{self.name} came back and was told recovered: false")

    async def on_publication(self, ctx: PublicationContext) -> None:
        """Note it."""
        data: Any = ctx.pub.data
        self.entries.append((ctx.pub.offset, data["key"]))

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        """A subscription that ends for good is a breach."""
        if ctx.code != 0:
            self.complaints.append(f"{self.name} was unsubscribed for good: {ctx.code} {ctx.reason}")

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        """A connection that ends for good is a breach."""
        if ctx.code != 0:
            self.complaints.append(f"{self.name} was disconnected for good: {ctx.code} {ctx.reason}")


class Chatter:
    """One user who sends to a room, one message after the other. What was answered is in the room once; the rest at most once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.room = ""
        self.sent: set[str] = set()
        self.answered: dict[str, str] = {}

    async def start(self) -> None:
        """Make the room and begin to send."""
        await self._client.connect()
        await self._client.ready(10)
        self.room = (await self._client.rpc("chat.create_room", {"name": "chaos"})).data["room"]
        self._task = asyncio.create_task(self._send())

    async def finish(self) -> list[str]:
        """Send no more; the breaches that the room's own history shows, once the relay has had time to bring everything there."""
        self._stopping = True
        assert self._task is not None
        await self._task
        found: list[str] = []
        for _ in range(100):
            found = self._breaches(await self._history())
            if not found:
                break
            await asyncio.sleep(0.2)
        return found

    async def _history(self) -> dict[str, list[str]]:
        """Text to the ids it stands under."""
        texts: dict[str, list[str]] = {}
        before: dict[str, str] = {}
        while messages := (await self._client.rpc("chat.history", {"room": self.room, "limit": 200, **before})).data["messages"]:
            for message in messages:
                texts.setdefault(message["text"], []).append(message["id"])
            before = {"before": messages[0]["id"]}
        return texts

    def _breaches(self, texts: dict[str, list[str]]) -> list[str]:
        found = [f"chat message {text} stands {len(ids)} times" for text, ids in texts.items() if len(ids) > 1]
        found += [f"chat message {text} was never sent" for text in texts if text not in self.sent]
        for text, id_ in self.answered.items():
            if texts.get(text) != [id_]:
                found.append(f"chat message {text} was answered as {id_} and is {texts.get(text)}")
        return found

    async def _send(self) -> None:
        for number in itertools.count():
            if self._stopping:
                return
            text = f"m{number}"
            self.sent.add(text)
            try:
                reply = await self._client.rpc("chat.send", {"room": self.room, "text": text})
                self.answered[text] = reply.data["id"]
            except CentrifugeError:
                await asyncio.sleep(PAUSE_SECONDS)  # a temporary error or an unknown outcome: the next message is another one


async def whole_log(api: AsyncClient, channel: str) -> tuple[str, list[Entry]]:
    """The epoch and every publication of a channel, page by page."""
    log: list[Entry] = []
    while True:
        last = log[-1][0] if log else 0
        page = await api.history(HistoryRequest(channel=channel, limit=1000, since=StreamPosition(offset=last)))
        if not page.publications:
            return page.epoch, log
        log += [(publication.offset, publication.data["key"]) for publication in page.publications]
