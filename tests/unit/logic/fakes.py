"""An in-memory stand-in for storage with its contract's meaning, and a bench to call an app on. A fake, for unit tests alone."""

from __future__ import annotations

import asyncio
import json
import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.codec import decode_item
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import (
    AppendReply,
    AppendRequest,
    CallRequest,
    CancelItem,
    ClientInfo,
    CommitReply,
    CommitRequest,
    Condition,
    Control,
    Document,
    FeedPublication,
    FoundEntity,
    Head,
    HistoryReply,
    HistoryRequest,
    IndexValue,
    JobItem,
    JsonMap,
    NewRecord,
    PresenceCounts,
    PresenceReply,
    PublishHookReply,
    PublishHookRequest,
    PublishItem,
    QueryReply,
    QueryRequest,
    RpcRequest,
    ScheduleItem,
    SnapshotReply,
    SnapshotRequest,
    StoredPublication,
    SubscribeHookReply,
    SubscribeHookRequest,
    TaskItem,
)
from causeway_logic import App
from causeway_logic.handlers.dispatch import Dispatcher
from causeway_logic.ports import Outside

PAGE_MAX = 7
"""Small, so that every scan needs several pages."""


@dataclass
class FakeStorage:
    """Entities, logs, jobs, tasks and timers in memory. `before_commit` runs just before a commit is judged; `lose_replies` loses answers.

    Timers and new records are kept as they were asked for; `unit.logic.durable` fires and runs them.
    """

    entities: dict[tuple[str, str], Document] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    seen: list[CommitRequest] = field(default_factory=list)
    logs: dict[str, list[StoredPublication]] = field(default_factory=lambda: defaultdict(list))
    jobs: list[JobItem] = field(default_factory=list)
    records: dict[str, NewRecord] = field(default_factory=dict)
    timers: dict[tuple[str, str, str], ScheduleItem] = field(default_factory=dict)
    indexes: dict[tuple[str, str], dict[str, IndexValue]] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    app: str = "shop"
    before_commit: Callable[[CommitRequest], None] | None = None
    after_commit: Callable[[], None] | None = None
    lose_replies: int = 0
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    appended: list[AppendRequest] = field(default_factory=list)

    async def get(self, kind: str, id: str, deadline: Deadline) -> Document:
        assert deadline.remaining() > 0
        found = self.entities.get((kind, id), Document())
        await asyncio.sleep(0)  # others run here, as they do while the real one's answer is on its way
        return found

    async def commit(self, request: CommitRequest, deadline: Deadline) -> CommitReply:
        """The bus's part included: an answer that is lost has the same bytes sent again."""
        self.seen.append(request)
        if self.before_commit is not None:
            self.before_commit(request)
        while True:
            reply = self._judged(request)
            if self.after_commit is not None:
                self.after_commit()
            if not self.lose_replies:
                return reply
            self.lose_replies -= 1
            if deadline.remaining() <= 0:
                raise unavailable("no answer before the deadline")

    def _judged(self, request: CommitRequest) -> CommitReply:
        key = (request.kind, request.id)
        current = self.entities.get(key, Document())
        if request.commit_id in self.commits:
            version = self.commits[request.commit_id]
            return CommitReply(outcome="committed", version=version, repeat=True, document=current)
        if current.version != request.expected:
            return CommitReply(outcome="conflict", version=current.version, document=current)
        if request.delete:
            self.versions[key] = current.version + 1
            self.entities.pop(key)
            self.indexes.pop(key, None)
        else:
            self.put(request.kind, request.id, request.state)
            self.indexes[key] = dict(request.indexes)
        self.commits[request.commit_id] = version = self.versions[key]
        for index, item in enumerate(map(decode_item, request.items)):
            match item:
                case PublishItem(channel=channel, data=data):
                    log = self.logs[channel]
                    log.append(StoredPublication(offset=len(log) + 1, data=data, time_ms=len(log)))
                case JobItem():
                    self.jobs.append(item)
                case TaskItem(task=task, payload=payload):
                    self.add(f"o:{request.commit_id}:{index}", task, payload)
                case ScheduleItem(name=name):
                    self.timers[*key, name] = item
                case CancelItem(name=name):
                    self.timers.pop((*key, name), None)
                case _:
                    raise AssertionError(item)
        return CommitReply(outcome="committed", version=version)

    def add(self, id: str, task: str, payload: JsonMap) -> None:
        """A new record, unless there is one of this id."""
        self.records.setdefault(id, NewRecord(id=id, app=self.app, connector="", op=task, payload=payload))

    def put(self, kind: str, id: str, state: JsonMap) -> None:
        """What another process committed meanwhile."""
        self.versions[kind, id] = version = self.versions.get((kind, id), 0) + 1
        self.entities[kind, id] = Document(version=version, state=json.loads(json.dumps(state)))

    async def snapshot(self, request: SnapshotRequest, deadline: Deadline) -> SnapshotReply:
        document = await self.get(request.kind, request.id, deadline)
        return SnapshotReply(document=document, head=Head(epoch="fake", head=len(self.logs.get(request.channel, []))))

    async def query(self, request: QueryRequest, deadline: Deadline) -> QueryReply:
        """Values of one type in one index; the cursor is a number."""
        assert deadline.remaining() > 0
        found = [
            (self._value(key, request.order), FoundEntity(id=key[1], document=document))
            for key, document in self.entities.items()
            if key[0] == request.kind and all(self._meets(key, condition) for condition in request.where)
        ]
        found.sort(key=lambda each: (each[0], each[1].id), reverse=request.descending)
        start = int(request.cursor or 0)
        page = [each for _, each in found[start : start + min(request.limit, PAGE_MAX)]]
        more = start + len(page) < len(found)
        return QueryReply(entities=page, cursor=str(start + len(page)) if more else "")

    def _value(self, key: tuple[str, str], index: str) -> Any:
        return self.indexes.get(key, {}).get(index) if index else key[1]

    def _meets(self, key: tuple[str, str], condition: Condition) -> bool:
        values = self.indexes.get(key, {})
        if condition.index not in values:
            return False
        value, wanted = values[condition.index], condition.value
        match condition.op:
            case "in":
                return isinstance(wanted, list) and value in wanted
            case "eq":
                return value == wanted
            case other:
                if type(value) is not type(wanted):
                    return False
                return bool(getattr(operator, {"lte": "le", "gte": "ge"}.get(other, other))(value, wanted))

    async def history(self, request: HistoryRequest, deadline: Deadline) -> HistoryReply:
        assert deadline.remaining() > 0
        log = self.logs.get(request.channel, [])
        if request.reverse:
            rest = [each for each in reversed(log) if not request.since or each.offset < request.since]
        else:
            rest = [each for each in log if each.offset > request.since]
        page = rest[: min(request.limit, PAGE_MAX)]
        return HistoryReply(head=Head(epoch="fake", head=len(log)), publications=page, more=len(rest) > len(page))

    async def append(self, request: AppendRequest, deadline: Deadline) -> AppendReply:
        assert deadline.remaining() > 0
        self.appended.append(request)
        log, offsets, repeats = self.logs[request.channel], [], []
        for item in request.items:
            before = self.ids.get((request.channel, item.id))
            if before is None:
                log.append(StoredPublication(offset=len(log) + 1, data=item.data, time_ms=len(log), tags=item.tags))
                self.ids[request.channel, item.id] = len(log)
            offsets.append(before or len(log))
            repeats.append(before is not None)
        return AppendReply(epoch="fake", offsets=offsets, repeats=repeats)

    async def enqueue(self, records: list[NewRecord], deadline: Deadline) -> None:
        assert deadline.remaining() > 0
        for record in records:
            self.records.setdefault(record.id, record)


@dataclass
class FakeGateways:
    """What an app asked of gateways."""

    published: list[FeedPublication] = field(default_factory=list)
    commands: list[Control] = field(default_factory=list)
    present: list[ClientInfo] = field(default_factory=list)

    async def publish(self, message: FeedPublication) -> None:
        self.published.append(message)

    async def presence(self, channel: str, limit: int, deadline: Deadline) -> PresenceReply:
        return PresenceReply(clients=self.present[:limit], total=len(self.present))

    async def presence_stats(self, channel: str, deadline: Deadline) -> PresenceCounts:
        return PresenceCounts(clients=len(self.present), users=len({each.user for each in self.present}))

    async def control(self, command: Control, deadline: Deadline) -> int:
        self.commands.append(command)
        return 1


@dataclass
class FakeConnectors:
    """Answers calls with `answers`, by name; remembers what was asked, and how long the caller waits."""

    answers: dict[str, JsonMap] = field(default_factory=dict)
    asked: list[tuple[str, CallRequest, float]] = field(default_factory=list)

    async def call(self, connector: str, op: str, request: CallRequest, deadline: Deadline) -> JsonMap:
        self.asked.append((f"{connector}.{op}", request, deadline.remaining()))
        return self.answers[f"{connector}.{op}"]


class Bench:
    """Calls an app as users do, over a FakeStorage, with a clock that stands until it is moved."""

    def __init__(self, app: App, storage: FakeStorage | None = None) -> None:
        self.storage = storage or FakeStorage(app=app.name)
        self.time_ms = 1_735_689_600_000
        self.pauses: list[float] = []
        self._calls = 0
        self.gateways, self.connectors = FakeGateways(), FakeConnectors()
        self.outside = Outside(
            storage=self.storage,
            gateways=self.gateways,
            connectors=self.connectors,
            now_ms=lambda: self.time_ms,
            new_id=self._id,
            jitter=lambda: 0.5,
            pause=self._pause,
        )
        self.dispatcher = Dispatcher(app, self.outside)

    def _id(self) -> str:
        self._calls += 1
        return f"fresh-{id(self)}-{self._calls}"

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def call(self, method: str, data: Any, *, user: str = "ann", message_id: str = "", seconds: float = 4) -> Any:
        """The reply's JSON, decoded."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        call = Call({}, message_id or self._id(), Deadline.after(seconds))
        reply = await self.dispatcher.rpc(method, RpcRequest(user=user, client="client", data=body), call)
        return json.loads(reply.data)

    async def subscribe(self, channel: str, *, user: str = "ann", data: bytes | None = None) -> SubscribeHookReply:
        """Ask the subscribe hook."""
        request = SubscribeHookRequest(user=user, client="client", channel=channel, data=data)
        return await self.dispatcher.subscribe(request, self.question())

    async def publish(self, channel: str, data: bytes, *, user: str = "ann") -> PublishHookReply:
        """Ask the publish hook."""
        request = PublishHookRequest(user=user, client="client", channel=channel, data=data)
        return await self.dispatcher.publish(request, self.question())

    def question(self) -> Call:
        """A call as the bus hands it over."""
        return Call({}, self._id(), Deadline.after(4))
