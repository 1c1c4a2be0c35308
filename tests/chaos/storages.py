"""Several storage processes on one database, as far as the database is concerned, under a load that never loses an id: each with its own
adapter, relay and sweep, and callers that repeat at another one what was not answered, as the bus does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import AppendItem, AppendRequest, Document, HistoryReply, HistoryRequest, PublishItem
from causeway_common.runtime import now_ms
from causeway_storage.adapters.memory import MemoryDatabase, MemoryTimers
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.packing import pack
from causeway_storage.handlers.delivery import Delivery
from causeway_storage.handlers.relay import Relay
from causeway_storage.handlers.sweeps import OutboxSweep
from causeway_storage.handlers.timers import TimerSweep
from causeway_storage.ports import Appended, Committed, Conflicted, DueRecord, Entities, Logs, Records
from chaos.checker import Commits, Entry, Histories, commit_violations, order_violations, violations

T = TypeVar("T")
SIZE, TTL_MS = 100_000, 3_600_000
PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 2.0


class NoQueue:
    """A work queue that carries nothing: there are no jobs here."""

    async def deliver(self, record: DueRecord) -> None:
        self.send(record)

    def send(self, record: DueRecord) -> None:
        raise AssertionError(record)


class Storage:
    """One storage process: the ports and what storage does on its own."""

    def __init__(self, logs: Logs, entities: Entities, records: Records, clock: Callable[[], int] = now_ms) -> None:
        self.logs, self.entities = logs, entities
        delivery = Delivery(records, NoQueue(), clock, redeliver_after_ms=30_000)
        timers = TimerSweep(MemoryTimers(MemoryDatabase()), delivery, clock)  # there are none here
        self.relay = Relay(entities, logs, delivery, timers, clock)
        self.sweep = OutboxSweep(entities, self.relay.kick, clock, patience_ms=100)
        self.clock = clock


@dataclass(slots=True)
class Load:
    """Publishers on channels, and callers that commit to entities.

    Attributes:
        storages: the processes; who is asked is drawn.
        draw: the source of all that is random.
        acknowledged: by channel, what the checker takes; `ordered` by channel and publisher, in the order of the answers.
        sent: all ids.
        answers: by entity, what the checker takes.
        repeats: how often something was asked again.
    """

    storages: list[Storage]
    draw: random.Random
    channels: int = 2
    publishers: int = 4
    entities: int = 2
    committers: int = 3
    acknowledged: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    ordered: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    answers: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    repeats: int = 0
    stopping: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        works = [self._publish(f"demo:{c}", f"p{c}-{p}") for c in range(self.channels) for p in range(self.publishers)]
        works += [self._commit(f"{e}", f"k{e}-{c}") for e in range(self.entities) for c in range(self.committers)]
        self._tasks = [asyncio.ensure_future(work) for work in works]

    @property
    def done(self) -> int:
        """Appends and commits that were answered."""
        return sum(map(len, self.acknowledged.values())) + sum(map(len, self.answers.values()))

    def raise_if_failed(self) -> None:
        """Raise what ended a caller, where something did."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def finish(self) -> list[str]:
        """Begin nothing new, wait for what is under way, relay what waits; the breaches."""
        self.stopping = True
        async with asyncio.timeout(40):
            await asyncio.gather(*self._tasks)
        await self._settled()
        return await self.breaches()

    async def _settled(self) -> None:
        async with asyncio.timeout(20):
            while (await self._asked(lambda storage: storage.entities.pending(now_ms() + TTL_MS, "", 10))).entities:
                await self._asked(lambda storage: storage.sweep.step())
                await asyncio.sleep(0.05)

    async def breaches(self) -> list[str]:
        """Compare the histories with what the database holds."""
        found: list[str] = []
        for channel, acknowledged in self.acknowledged.items():
            epoch, log = await self.log(channel)
            found += violations(Histories(epoch, log, acknowledged, frozenset(self.sent), {}))
            found += order_violations(log, self.ordered[channel])
        for entity, answers in self.answers.items():
            document = await self._asked(partial(_load, entity))
            _, log = await self.log(f"chat:{entity}")
            effects = [key for _, key in log]
            state = _ids(document)
            found += commit_violations(Commits(entity, answers, frozenset(self.sent), document.version, state, effects))
        return found

    async def log(self, channel: str) -> tuple[str, list[Entry]]:
        """The epoch and all of a channel's publications."""
        log: list[Entry] = []
        while True:
            request = HistoryRequest(channel=channel, since=log[-1][0] if log else 0, limit=1000)
            page = await self._asked(partial(_history, request))
            log += [(each.offset, json.loads(each.data)) for each in page.publications]
            if not page.more:
                return page.head.epoch, log

    async def _publish(self, channel: str, publisher: str) -> None:
        acknowledged = self.acknowledged.setdefault(channel, {})
        order = self.ordered.setdefault(channel, {}).setdefault(publisher, [])
        for number in itertools.count():
            if self.stopping:
                return
            key = f"{publisher}-{number}"
            self.sent.add(key)
            items = [AppendItem(id=f"c:{key}", data=json.dumps(key).encode())]
            request = AppendRequest(channel=channel, size=SIZE, ttl_ms=TTL_MS, items=items)
            appended = await self._asked(partial(_append, request))
            acknowledged[key] = appended.offsets[0], appended.epoch
            order.append(key)

    async def _commit(self, entity: str, caller: str) -> None:
        answers = self.answers.setdefault(entity, [])
        for number in itertools.count():
            if self.stopping:
                return
            id_ = f"{caller}-{number}"
            self.sent.add(id_)
            await self._committed(entity, id_, answers)

    async def _committed(self, entity: str, id_: str, answers: list[tuple[str, int]]) -> None:
        """Change the entity until it is done; now and then say the same again, which is answered as the first time."""
        while True:
            document = await self._asked(partial(_load, entity))
            commit = next_commit(entity, document, id_)
            for _ in range(1 + (self.draw.random() < 0.2)):
                outcome = await self._asked(partial(_commit, entity, commit))
                if isinstance(outcome, Committed):
                    answers.append((id_, outcome.version))
            if answers and answers[-1][0] == id_:
                return

    async def _asked(self, ask: Callable[[Storage], Awaitable[T]]) -> T:
        """Ask one of the processes, and the same again of any while the error is a temporary one."""
        while True:
            await asyncio.sleep(0)  # the store in memory never waits, and others are to have their turn
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await ask(self.draw.choice(self.storages))
            except TimeoutError:
                self.repeats += 1
            except CausewayError as error:
                if not error.temporary:
                    raise
                self.repeats += 1
            await asyncio.sleep(self.draw.uniform(0, PAUSE_SECONDS))


def _key(entity: str) -> EntityKey:
    return EntityKey("chat", "room", entity)


def _ids(document: Document) -> list[str]:
    return list((document.state or {}).get("ids", []))


def next_commit(entity: str, document: Document, id_: str) -> Commit:
    """The commit that adds its id to the entity's state, and publishes it."""
    state = {"ids": [*_ids(document), id_]}
    item = encode_item(PublishItem(channel=f"chat:{entity}", data=json.dumps(id_).encode(), size=SIZE, ttl_ms=TTL_MS))
    return Commit(document.version, id_, state, len(pack(state)), (item,), len(pack(item)), "ann", "", now_ms())


async def _append(request: AppendRequest, storage: Storage) -> Appended:
    return await storage.logs.append(request, storage.clock())


async def _history(request: HistoryRequest, storage: Storage) -> HistoryReply:
    return await storage.logs.history(request)


async def _load(entity: str, storage: Storage) -> Document:
    return await storage.entities.load(_key(entity))


async def _commit(entity: str, commit: Commit, storage: Storage) -> Committed | Conflicted:
    outcome = await storage.entities.commit(_key(entity), commit)
    if isinstance(outcome, Committed) and not outcome.repeat:
        storage.relay.kick(_key(entity))
    return outcome
