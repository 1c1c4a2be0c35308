"""`ports.Records` on MongoDB: claim, settle and postponement are conditional updates of one document.

`due` is there while a record is pending, `done` once it is done: what the sweeps look for is indexed. `line`, `turn` and `behind` are there
where a record stands in a line (`lines`), `lined` and `waits` while it does so and is pending, `held` while it is under way. `born` and `claim` name the call that made the document or the claim, so that a lost answer can be looked up.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Sequence
from collections.abc import Collection as Several
from typing import Any, Final, Protocol, TypeVar, assert_never

from bson.binary import Binary
from msgspec.structs import replace
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, JsonMap, NewRecord, Record, SettleRequest
from causeway_storage.adapters.mongo.database import Collection, Fields, MongoDatabase
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError, duplicates
from causeway_storage.adapters.mongo.lines import RECORDS, Lines
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.domain.record import (
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    Waits,
    life_of_new,
    look_again_ms,
    plan_claim,
    plan_settle,
    record_message,
    refusal,
)
from causeway_storage.domain.relay import ParkedItem, parked_record
from causeway_storage.ports import DuePage, DueRecord, Ending
from causeway_storage.ports.records import CLAIMS_MAX_BYTES

TRIES: Final = 20
PAUSE_S: Final = 0.05
T = TypeVar("T")
LIFE: Final = ("state", "attempts", "settled", "free_at_ms", "next_at_ms", "note", "ended_ms", "log")


class MongoRecords:
    """The records."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self.lines = Lines(database)

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """As the port says."""
        born = secrets.token_hex(8)
        placed = await self._placed(records)
        alive = [(record, life_of_new(record, now_ms=now_ms, next_at_ms=next_at_ms)) for record in placed]
        dead = [parked_record(item, now_ms) for item in parked]
        documents = {each.id: stored_record(each, its, now_ms, born=born) for each, its in (*alive, *dead)}
        if not documents:
            return frozenset()
        # Those of a line go in one by one in their order: where this dies half way, no later one is there without those before it.
        lined = [each for each in documents.values() if each.get("line")]
        loose = [each for each in documents.values() if not each.get("line")]
        there = set[str]()
        for some in (*([each] for each in lined), *([loose] if loose else [])):
            there |= await self._put(some, born)
        return frozenset(record.id for record in records) - there

    async def _put(self, missing: list[Fields], born: str) -> set[str]:
        """Insert these; those that were there already."""

        async def work(collection: Collection) -> None:
            await collection.insert_many(missing, ordered=False)

        for _ in range(TRIES):
            try:
                await self._database.write(RECORDS, "put", work, len(missing))
            except OutcomeUnknownError:
                await _pause()
                continue
            except PyMongoError as error:
                refused = duplicates(error) or frozenset()
                mine = await self._born_here([missing[index]["_id"] for index in refused], born)
                return {missing[index]["_id"] for index in refused} - mine
            return set()
        raise unavailable("whether the records are there is unknown")

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """As the port says."""
        return await self._claim(request, now_ms, runner, await self.document(request.id))

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        """As the port says."""
        return (await self._settle(request, now_ms, runner)).settled

    async def claims(self, requests: Sequence[ClaimRequest], now_ms: int, runner: str = "") -> Sequence[ClaimReply | CausewayError]:
        """As the port says."""
        found = await self._documents([each.id for each in requests])
        size, taken = 0, list[bool]()
        for each in requests:
            its = len(found[each.id]["payload"]) if each.id in found else 0
            taken.append(not (size and its) or size + its <= CLAIMS_MAX_BYTES)
            size += its if taken[-1] else 0
        return await asyncio.gather(
            *(
                _told(self._claim(each, now_ms, runner, found.get(each.id))) if take else _later()
                for each, take in zip(requests, taken, strict=True)
            )
        )

    async def settles(self, requests: Sequence[SettleRequest], now_ms: int, runner: str = "") -> Sequence[Ending | CausewayError]:
        """As the port says."""
        return await asyncio.gather(*(_told(self._settle(each, now_ms, runner)) for each in requests))

    async def _claim(self, request: ClaimRequest, now_ms: int, runner: str, found: Fields | None) -> ClaimReply:
        claim = secrets.token_hex(8)
        for _ in range(TRIES):
            if found and found.get("claim") == claim:
                return ClaimReply(outcome="run", record=_record(found, life_of(found)))
            _require_own(found, runner)
            waits_ms = look_again_ms(found["created_ms"], now_ms) if found and await self.lines.must_wait(found, now_ms) else 0
            match plan_claim(life_of(found) if found else None, now_ms=now_ms, lease_ms=request.lease_ms, waits_ms=waits_ms):
                case Claimed(life):
                    assert found is not None  # noqa: S101 - only a record that is there is claimed
                    held = {"held": found["line"]} if found.get("line") else {}
                    change = {**life_fields(life), **held, "node": request.node, "claim": claim}
                    if await self.change("claim", found, change):
                        return ClaimReply(outcome="run", record=_record(found, life))
                case Waits(life):
                    assert found is not None  # noqa: S101 - a line is of a record that is there
                    if await self.change("wait", found, life_fields(life)):
                        return ClaimReply(outcome="leased")
                case NotClaimed(outcome):
                    return ClaimReply(outcome=outcome)
                case other:
                    assert_never(other)
            await _pause()
            found = await self.document(request.id)
        raise unavailable("whether the record is claimed is unknown")

    async def _settle(self, request: SettleRequest, now_ms: int, runner: str) -> Ending:
        for _ in range(TRIES):
            found = await self.document(request.id)
            _require_own(found, runner)
            before = life_of(found) if found else None
            match plan_settle(before, request, now_ms=now_ms):
                case Settled(life):
                    if found is None or life == before or await self.change("settle", found, life_fields(life)):
                        return Ending(True, await self.lines.woken(found, now_ms) if found else ())
                case LeaseLost():
                    return Ending(settled=False)
                case other:
                    assert_never(other)
            await _pause()
        raise unavailable("whether the record is settled is unknown")

    async def due(self, now_ms: int, limit: int) -> DuePage:
        """As the port says."""

        async def work(collection: Collection) -> list[Fields]:
            fields = {"connector": 1, "op": 1, "due": 1, "trace": 1, "app": 1}
            return [each async for each in collection.find({"due": {"$gte": 0}}, fields).sort([("due", 1)]).limit(limit + 1)]

        found = await self._database.read(RECORDS, "due", work)
        waiting = [DueRecord(each["_id"], each["connector"], each["op"], each["due"], each["trace"], each["app"]) for each in found]
        due = tuple(record for record in waiting[:limit] if record.next_at_ms <= now_ms)
        return DuePage(due, waiting[len(due)].next_at_ms if len(due) < len(waiting) else None)

    async def postpone(self, records: Several[DueRecord], next_at_ms: int) -> None:
        """As the port says."""
        change = {"$set": {"due": next_at_ms, "next_at_ms": next_at_ms}}
        changes = [UpdateOne({"_id": each.id, "due": each.next_at_ms}, change) for each in records]
        if changes:
            await self._repeatable("postpone", lambda collection: collection.bulk_write(changes, ordered=False))

    async def remove_done(self, before_ms: int, limit: int) -> int:
        """As the port says."""

        async def work(collection: Collection) -> list[str]:
            old = collection.find({"done": {"$lt": before_ms}}, {"_id": 1}).sort([("done", 1)]).limit(limit)
            return [each["_id"] async for each in old]

        names = await self._database.read(RECORDS, "find", work)
        if names:
            await self._repeatable("remove", lambda collection: collection.delete_many({"_id": {"$in": names}}))
        return len(names)

    async def _placed(self, records: Sequence[NewRecord]) -> list[NewRecord]:
        """With a turn each, where they stand in a line."""
        count = sum(1 for record in records if record.line and not record.turn)
        turn = await self.lines.turns(count) if count else 0
        placed: list[NewRecord] = []
        for record in records:
            if record.line and not record.turn:
                turn += 1
                placed.append(replace(record, turn=turn))
            else:
                placed.append(record)
        return placed

    async def _documents(self, names: list[str]) -> dict[str, Fields]:
        async def work(collection: Collection) -> dict[str, Fields]:
            return {each["_id"]: each async for each in collection.find({"_id": {"$in": names}})}

        return await self._database.read(RECORDS, "find", work)

    async def _born_here(self, names: list[str], born: str) -> set[str]:
        """Those of these that this call made: the answer to its first try was lost."""

        async def work(collection: Collection) -> set[str]:
            return {each["_id"] async for each in collection.find({"_id": {"$in": names}, "born": born}, {"_id": 1})}

        return await self._database.read(RECORDS, "find", work)

    async def document(self, name: str) -> Fields | None:
        """A record as it is stored; None where it is not there."""
        return await self._database.read(RECORDS, "find", lambda collection: collection.find_one({"_id": name}))

    async def change(self, operation: str, found: Fields, change: Fields) -> bool:
        """Change a record that was read. Whether it counted for sure: nothing of its life changed since it was read."""
        if "due" in change:
            change = {**change, **line_fields(found.get("line", ""), found.get("behind", ""))}
        gone = [name for name in ("due", "done", "held", "lined", "waits") if name in found and name not in change]
        update: Fields = {"$set": change, **({"$unset": dict.fromkeys(gone, "")} if gone else {})}
        fence = {"_id": found["_id"], **{name: found[name] for name in ("state", "attempts", "settled", "next_at_ms")}}
        try:
            done = await self._database.write(RECORDS, operation, lambda collection: collection.update_one(fence, update))
        except OutcomeUnknownError:
            return False
        return bool(done.matched_count)

    async def _repeatable(self, operation: str, work: Any) -> None:
        try:
            await self._database.write(RECORDS, operation, work)
        except OutcomeUnknownError as error:
            raise unavailable("the database did not answer; the next round does it again") from error


def _require_own(found: Fields | None, runner: str) -> None:
    if found and (refused := refusal(found["app"], found["connector"], runner)):
        raise refused


async def _told(asked: Awaitable[T]) -> T | CausewayError:
    try:
        return await asked
    except CausewayError as error:
        return error


async def _later() -> ClaimReply:
    return ClaimReply(outcome="later")


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - what is under way may become majority-durable


class _New(Protocol):
    """What a record is made of: the message's or an export's."""

    @property
    def id(self) -> str: ...
    @property
    def app(self) -> str: ...
    @property
    def connector(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def payload(self) -> JsonMap: ...
    @property
    def traceparent(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def turn(self) -> int: ...
    @property
    def behind(self) -> str: ...


def stored_record(record: _New, life: RecordLife, now_ms: int, *, born: str, node: str = "") -> Fields:
    """A record's document."""
    return {
        "_id": record.id,
        "app": record.app,
        "connector": record.connector,
        "op": record.op,
        "payload": Binary(pack(record.payload)),
        "trace": record.traceparent,
        "created_ms": now_ms,
        "born": born,
        "node": node,
        **({"line": record.line, "turn": record.turn} if record.line else {}),
        **({"behind": record.behind} if record.behind else {}),
        **(line_fields(record.line, record.behind) if life.state == "pending" else {}),
        **life_fields(life),
    }


def line_fields(line: str, behind: str) -> Fields:
    """What a record is found by in its lines while it is pending."""
    return {**({"lined": line} if line else {}), **({"waits": behind} if behind else {})}


def life_fields(life: RecordLife) -> Fields:
    """A record's life as it is stored."""
    fields: Fields = {name: getattr(life, name) for name in LIFE}
    fields["log"] = Binary(life.log)
    if life.state == "pending":
        fields["due"] = life.next_at_ms
    elif life.state == "done":
        fields["done"] = life.ended_ms
    return fields


def life_of(found: Fields) -> RecordLife:
    """The life of a stored record."""
    return RecordLife(*(found.get(name, b"") if name == "log" else found[name] for name in LIFE))  # older documents have no log


def _record(found: Fields, life: RecordLife) -> Record:
    record = NewRecord(
        id=found["_id"],
        app=found["app"],
        connector=found["connector"],
        op=found["op"],
        payload=unpack(found["payload"]),
        traceparent=found["trace"],
        line=found.get("line", ""),
        turn=found.get("turn", 0),
    )
    return record_message(record, found["created_ms"], life)
