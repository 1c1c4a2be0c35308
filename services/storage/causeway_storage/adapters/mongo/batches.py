"""Group commit: the updates of many channels in one unordered bulk write, a channel at most once in it.

A batch is what arrived while the last write was on its way; there is no timer. A channel's update is conditional on the head that
this process thinks it has: where fewer matched than were sent, where a new channel was there already, or where nobody knows, those
channels are read again. What is already there by id is answered, the rest is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

from pymongo import InsertOne, UpdateOne
from pymongo.errors import PyMongoError

from causeway_common.contracts.epochs import begun, epoch_of
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded, unavailable
from causeway_common.contracts.messages import AppendRequest
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, get_logger, names
from causeway_common.telemetry.spans import Recorded, batch_span
from causeway_storage.adapters.mongo.cache import HEADS, Heads, ids_to_look_up
from causeway_storage.adapters.mongo.database import MongoDatabase, db_span
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError, duplicates, require_size
from causeway_storage.adapters.mongo.heads import HeadDocument, appended, insertion, update
from causeway_storage.adapters.mongo.segments import Segment, Segments, log_key
from causeway_storage.domain.log import NEVER_SEEN, AppendPlan, KnownId, plan_append
from causeway_storage.ports import Appended

log = get_logger("storage")
_counters = Counters("storage")
_batches: Final = _counters.counter("append_batches", "bulk writes of appends")
_updates: Final = _counters.counter("append_updates", "updates in them by outcome: ok, again")
_full: Final = _counters.counter("append_overflows", "appends refused because the queue stood at its bound", label="queue")

BATCH: Final = names.SPAN_BATCH.format(system="mongodb")
CHANNELS_MAX: Final = 256
PATIENCE_S: Final = 5.0
"""So long an append is tried again; then its caller, who has given up long before, is told that the outcome is unknown."""
PAUSE_S: Final = 0.02


@dataclass(slots=True, eq=False)
class _Waiting:
    """An append that waits. `attempt` is what was sent for it, where its outcome has to be looked up."""

    request: AppendRequest
    now_ms: int
    future: asyncio.Future[Appended]
    cost: int
    until: float
    traced: Recorded | None = None
    attempt: AppendPlan | None = None


@dataclass(slots=True)
class _Change:
    """What a batch does to one channel."""

    channel: str
    before: HeadDocument | None
    after: HeadDocument
    taken: list[tuple[_Waiting, AppendPlan]]
    moved: bool

    def operation(self) -> InsertOne[dict[str, Any]] | UpdateOne:
        now_ms = self.taken[0][0].now_ms
        if self.before is None:
            return InsertOne(insertion(self.channel, self.after, now_ms))
        fence, change = update(self.channel, self.before, self.after, moved=self.moved, now_ms=now_ms)
        return UpdateOne(fence, change)


class Batches:
    """All appends of this process.

    Args:
        database: where they go.
        heads: the cache.
        segments: where publications go that leave the head documents.
        new_letters: makes the letters of a new epoch.
        on_appended: as `ports.Logs` says; must not raise.
        max_operations: that may wait; beyond it 111 overloaded.
        max_bytes: of their payloads, likewise.
    """

    def __init__(
        self,
        database: MongoDatabase,
        heads: Heads,
        segments: Segments,
        new_letters: Callable[[], str],
        on_appended: Callable[[Appended], None],
        *,
        max_operations: int,
        max_bytes: int,
    ) -> None:
        self._database, self._heads, self._segments = database, heads, segments
        self._new_letters, self._on_appended = new_letters, on_appended
        self._max_operations, self._max_bytes = max_operations, max_bytes
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._count = self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Appends that wait or are under way."""
        return self._count

    async def submit(self, request: AppendRequest, now_ms: int) -> Appended:
        """Append in the next batch.

        Raises:
            CausewayError: as `ports.Logs` says.
        """
        cost = sum(len(item.data) for item in request.items)
        if self._count >= self._max_operations or (self._count and self._bytes + cost > self._max_bytes):
            _full.add(1, "append")
            raise overloaded(f"{self._count} appends with {self._bytes} bytes wait for the database")
        require_size(cost, f"an append to {request.channel!r:.80}")
        loop = asyncio.get_running_loop()
        with db_span(HEADS, "append") as current:
            traced = current if isinstance(current, Recorded) else None
            waiting = _Waiting(request, now_ms, loop.create_future(), cost, loop.time() + PATIENCE_S, traced)
            return await self._queued(waiting)

    async def _queued(self, waiting: _Waiting) -> Appended:
        request, cost = waiting.request, waiting.cost
        self._waiting.setdefault(request.channel, deque()).append(waiting)
        self._count += 1
        self._bytes += cost
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())  # in no span of its first request
        return await waiting.future

    async def stop(self) -> None:
        """Write what waits."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                channels = self._next_channels()
                try:
                    clean = await self._round(channels)
                except (CausewayError, OutcomeUnknownError) as error:
                    self._give_up_old(channels, error.message if isinstance(error, CausewayError) else "the outcome is unknown")
                    clean = False
                if not clean:
                    await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - apart from another process that tries the same
        except Exception:
            log.exception("the appends under way failed for a reason in the code")
            for channel in list(self._waiting):
                self._heads.forget([channel])
                for waiting in list(self._waiting.get(channel, ())):
                    self._end(waiting, CausewayError(ErrorName.INTERNAL))
        finally:
            self._task = None

    def _next_channels(self) -> list[str]:
        """Those of the next batch; each goes behind the others afterwards."""
        channels = list(self._waiting)[:CHANNELS_MAX]
        for channel in channels:
            queue = self._waiting.pop(channel)
            while queue and queue[0].future.cancelled() and queue[0].attempt is None:
                self._forget(queue.popleft())  # nobody waits, and nothing was sent
            if queue:
                self._waiting[channel] = queue
        return [channel for channel in channels if channel in self._waiting]

    async def _round(self, channels: list[str]) -> bool:
        """One batch; whether all of it went as thought."""
        await self._heads.load(channels)
        looked_up = await self._looked_up(channels)
        await self._make_room(channels)
        changes = [change for channel in channels if (change := self._planned(channel, looked_up.get(channel, {})))]
        outcome, _ = await asyncio.gather(self._written(changes), self._move(changes))
        doubtful = [change for change, ok in zip(changes, outcome, strict=True) if not ok]
        _updates.add(len(changes) - len(doubtful), "ok")
        _updates.add(len(doubtful), "again")
        for change in changes:
            if change not in doubtful:
                self._done(change)
        self._heads.forget([change.channel for change in doubtful])
        for change in doubtful:
            for waiting, plan in change.taken:
                waiting.attempt = plan
        self._give_up_old([change.channel for change in doubtful], "the outcome is unknown, or others append faster")
        self._heads.shrink()
        return not doubtful

    async def _looked_up(self, channels: list[str]) -> dict[str, dict[str, KnownId]]:
        asked: dict[str, list[str]] = {}
        of_log: dict[str, str] = {}
        for channel in channels:
            entry = self._heads[channel]
            names = [item.id for waiting in self._waiting[channel] for item in waiting.request.items]
            if entry.document and (unsure := ids_to_look_up(entry, names)):
                key = log_key(entry.document.log.letters, channel)
                asked[key], of_log[key] = unsure, channel
        found = await self._segments.look_up(asked)
        return {of_log[key]: known for key, known in found.items()}

    async def _make_room(self, channels: list[str]) -> None:
        """Put publications into segments where the head document could not take the next append."""
        crowded: list[str] = []
        for channel in channels:
            entry, first = self._heads[channel], self._waiting[channel][0].request
            document = entry.document and entry.document.without(entry.moved)
            if document and document.kept and not document.has_room(len(first.items), sum(len(item.data) for item in first.items)):
                crowded.append(channel)
        if crowded:
            segments = [self._segment(channel) for channel in crowded]
            for channel, last in zip(crowded, await self._segments.insert(segments), strict=True):
                self._heads[channel].moved = max(last, self._heads[channel].moved)

    def _segment(self, channel: str) -> Segment:
        entry = self._heads[channel]
        assert entry.document is not None  # noqa: S101 - only channels that are there have publications to move
        return Segment(channel, entry.document.without(entry.moved))

    async def _move(self, changes: Sequence[_Change]) -> None:
        """Put what is durable into segments, beside the write that still carries it; the next one leaves it out."""
        wanted = [each for each in changes if each.before and each.before.without(self._heads[each.channel].moved).full]
        if not wanted:
            return
        segments = [self._segment(each.channel) for each in wanted]
        with suppress(OutcomeUnknownError, CausewayError):  # it is done again when it must
            for change, last in zip(wanted, await self._segments.insert(segments), strict=True):
                entry = self._heads[change.channel]
                entry.moved = max(last, entry.moved)

    def _planned(self, channel: str, looked_up: dict[str, KnownId]) -> _Change | None:
        """Take what fits of a channel's appends; those with nothing to write are answered."""
        entry, queue = self._heads[channel], self._waiting[channel]
        before = entry.document
        after = before and before.without(entry.moved)
        moved = bool(before and after and len(after.kept) < len(before.kept))
        found = dict(looked_up)
        taken: list[tuple[_Waiting, AppendPlan]] = []
        for waiting in list(queue):
            request = waiting.request
            if taken and after and not after.has_room(len(request.items), waiting.cost):
                break
            if waiting.future.cancelled() and waiting.attempt is None:
                continue
            known = {item.id: seen for item in request.items if (seen := found.get(item.id) or entry.known.get(item.id))}
            plan = plan_append(
                after.log if after else None,
                known,
                request,
                now_ms=waiting.now_ms,
                letters=waiting.attempt.head.letters
                if waiting.attempt
                else begun(self._new_letters(), waiting.now_ms)
                if before is None
                else "",
                seen=after.seen if after else NEVER_SEEN,
            )
            if plan.publications:
                taken.append((waiting, plan))
                after = appended(after, plan, request.ttl_ms, waiting.now_ms)
                found.update((name, KnownId(offset, waiting.now_ms)) for name, offset in plan.new_ids.items())
            elif taken:
                break  # it may repeat what this batch is about to write
            elif any(plan.skipped) and not entry.fresh:
                self._heads.forget([channel])  # a version seen elsewhere may belong to another epoch: not from memory
                break
            else:
                self._answer(waiting, plan, known)
        return _Change(channel, before, after, taken, moved) if taken and after else None

    async def _written(self, changes: Sequence[_Change]) -> list[bool]:
        """Write them; for each whether it is durable for sure. Where it is not, it has to be looked up."""
        if not changes:
            return []
        operations = [change.operation() for change in changes]
        fault_point("storage.append.before_write")
        _batches.add()
        traced = [waiting.traced for change in changes for waiting, _ in change.taken if waiting.traced is not None]
        attributes: dict[str, str | int] = {
            names.DB_SYSTEM: "mongodb",
            names.DB_COLLECTION: HEADS,
            names.DB_BATCH_SIZE: len(operations),
        }
        try:
            with batch_span(BATCH, traced, attributes):
                result = await self._database.write(
                    HEADS, "append", lambda collection: collection.bulk_write(operations, ordered=False), len(operations)
                )
        except OutcomeUnknownError:
            return [False] * len(changes)
        except PyMongoError as error:
            refused = duplicates(error) or frozenset()
            # How many of the updates matched is not told reliably beside an error: those are looked up.
            return [change.before is None and index not in refused for index, change in enumerate(changes)]
        sent = sum(change.before is not None for change in changes)
        all_matched = result.matched_count == sent
        return [change.before is None or all_matched for change in changes]

    def _done(self, change: _Change) -> None:
        new = [(name, KnownId(offset, waiting.now_ms)) for waiting, plan in change.taken for name, offset in plan.new_ids.items()]
        self._heads.remember(change.channel, change.after, new)
        for waiting, plan in change.taken:
            self._tell(waiting, plan, fed=True)

    def _answer(self, waiting: _Waiting, plan: AppendPlan, known: dict[str, KnownId]) -> None:
        """It needs no write: it is a repeat, or what was sent for it arrived although its answer did not."""
        sent = waiting.attempt
        if sent and sent.head.letters == plan.head.letters:
            landed = {name: known.get(name) == KnownId(offset, waiting.now_ms) for name, offset in sent.new_ids.items()}
            if all(landed.values()):
                self._tell(waiting, sent, fed=True)
                return
        self._tell(waiting, plan, fed=False)

    def _tell(self, waiting: _Waiting, plan: AppendPlan, *, fed: bool) -> None:
        request = waiting.request
        skipped = plan.skipped if any(item.version for item in request.items) else ()
        epoch = epoch_of(plan.head.letters, self._database.generation)
        done = Appended(request.channel, epoch, plan.offsets, plan.repeats, plan.publications, skipped, plan.deltas)
        if fed:
            try:
                self._on_appended(done)
            except Exception:
                log.exception("what follows an append failed")  # the others of the batch still wait for their answers
        self._end(waiting, done)

    def _end(self, waiting: _Waiting, outcome: Appended | CausewayError) -> None:
        queue = self._waiting[waiting.request.channel]
        queue.remove(waiting)
        if not queue:
            del self._waiting[waiting.request.channel]
        self._forget(waiting)
        if waiting.future.done():
            return
        if isinstance(outcome, Appended):
            waiting.future.set_result(outcome)
        else:
            waiting.future.set_exception(outcome)

    def _forget(self, waiting: _Waiting) -> None:
        self._count -= 1
        self._bytes -= waiting.cost

    def _give_up_old(self, channels: Sequence[str], why: str) -> None:
        now = asyncio.get_running_loop().time()
        for channel in channels:
            for waiting in [each for each in self._waiting.get(channel, ()) if each.until <= now]:
                self._end(waiting, unavailable(why))
