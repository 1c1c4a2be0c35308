"""A SQLite database as storage's real adapters write it, and what an export of it says."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    Attempt,
    Attend,
    ClaimRequest,
    ClientInfo,
    NewRecord,
    PublishItem,
    SettleRequest,
)
from causeway_storage.adapters.sqlite import (
    SqliteAttendances,
    SqliteAuditLog,
    SqliteDatabase,
    SqliteEntities,
    SqliteLogs,
    SqliteRecords,
    SqliteTimers,
    inspected,
    restoring,
)
from causeway_storage.domain.attendance import Change
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.invariants import Violation
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.domain.stored import AnyEntry, Operation, Timer
from causeway_storage.domain.stream import ExportReader, Header
from causeway_storage.operations.check import checked
from causeway_storage.operations.transfer import exported, imported
from causeway_storage.ports import Attendances, AuditLog, Entities, Inspection, Logs, Records, Timers
from support.stores import Store

MINUTE = 60_000
KEY = EntityKey("chat", "room", "1")
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))
NOW = 1_000_000


@dataclass(slots=True)
class Ports:
    """The ports on one open database."""

    logs: Logs
    entities: Entities
    records: Records
    attendances: Attendances
    timers: Timers
    audit: AuditLog


@asynccontextmanager
async def ports_on(path: Path) -> AsyncIterator[Ports]:
    """The real adapters on a SQLite file, for the block."""
    database = SqliteDatabase(path, write_queue=10_000, write_queue_bytes=1 << 28, read_queue=10_000)
    letters: Callable[[], str] = (f"{number:08}" for number in count()).__next__
    await database.start()
    try:
        yield Ports(
            SqliteLogs(database, letters, lambda _appended: None),
            SqliteEntities(database),
            SqliteRecords(database),
            SqliteAttendances(database),
            SqliteTimers(database),
            SqliteAuditLog(database),
        )
    finally:
        await database.stop()


async def violations(inspection: Inspection, now_ms: int = 0) -> tuple[Violation, ...]:
    """What a check finds."""
    report = await checked(inspection, now_ms=now_ms, stuck_after_ms=15 * MINUTE, advance=lambda _done: None)
    return report.violations


async def export_of(inspection: Inspection) -> bytes:
    """The bytes of an export."""
    stream = io.BytesIO()
    await exported(inspection, stream, now_ms=1, advance=lambda _done: None)
    return stream.getvalue()


def read_export(data: bytes) -> tuple[Header, list[AnyEntry]]:
    """What an export says."""
    reader = ExportReader()
    entries = list(reader.feed(data))
    reader.end()
    assert reader.header is not None
    return reader.header, entries


def append(channel: str, *ids: str, size: int = 100, version: int = 0) -> AppendRequest:
    """An append of small publications."""
    items = [AppendItem(id=each, data=b'{"n": 1}', version=version) for each in ids]
    return AppendRequest(channel=channel, size=size, ttl_ms=60 * MINUTE, items=items)


def commit(expected: int, id: str, *, items: int = 0, now: int = NOW) -> Commit:
    """A commit."""
    return Commit(expected, id, {"n": expected}, 1, (ITEM,) * items, items, "ann", "trace", now)


def record(id: str) -> NewRecord:
    """A new record."""
    return NewRecord(id=id, app="chat", connector="webhook", op="event", payload={"id": id}, traceparent="trace")


def attends() -> list[Change]:
    """Changes of a gateway: one user stays, another one goes, a client is in a channel."""
    info = ClientInfo(user="ann", client="c", conn_info=b"1")
    return [
        Change("user ann", 1, Attend(scope="user", held=True, user="ann")),
        Change("user bob", 2, Attend(scope="user", held=True, user="bob")),
        Change("user bob", 3, Attend(scope="user", held=False, user="bob")),
        Change("member c", 4, Attend(scope="member", held=True, channel="chat:1", client="c", info=info)),
    ]


async def a_bit_of_everything(ports: Ports | Store) -> None:
    """Something of each kind."""
    await ports.logs.append(append("demo:a", *[f"c:{n}" for n in range(1, 7)], size=4, version=0), NOW)
    await ports.logs.append(append("demo:b", "c:1", version=7), NOW)
    for number in range(3):
        await ports.entities.commit(KEY, commit(number, f"commit-{number}", items=1))
    await ports.records.put([record("o:1"), record("o:2"), record("o:3")], (), now_ms=NOW, next_at_ms=NOW + 1)
    await ports.records.put((), [ParkedItem("o:4", "chat", {"kind": "publish"}, "refused", "trace")], now_ms=NOW, next_at_ms=NOW)
    for each in ("o:2", "o:3"):
        await ports.records.claim(ClaimRequest(id=each, node="n", lease_ms=1000), NOW)
    await ports.records.settle(SettleRequest(id="o:2", attempt=1, outcome="done", note="x", delay_ms=5), NOW)
    await ports.attendances.attend("n.1", 1, attends(), NOW, NOW + 5)
    await ports.attendances.attend("m.1", 1, attends()[:1], NOW)
    await ports.attendances.clear("m.1", NOW, 10)
    told = Attempt(number=1, claim=1, at_ms=NOW, duration_ms=5, outcome="retry", status=503, answer="busy", trace_id="f" * 32)
    await ports.records.settle(SettleRequest(id="o:3", attempt=1, outcome="retry", note="x", delay_ms=5, attempt_log=told), NOW)
    timer = Timer(app="chat", kind="room", entity="1", name="close", version=2, set_ms=NOW, at_ms=NOW + 5, payload={"n": 1})
    await ports.timers.put([timer, replace(timer, name="over")])
    await ports.timers.fired([replace(timer, name="over")])
    await ports.audit.record(
        [Operation(id=f"{NOW:016d}-1", at_ms=NOW, caller="api", name="publish", target="demo:a", outcome="ok")]
    )


async def found_in(path: Path, now_ms: int = NOW) -> tuple[Violation, ...]:
    """What a check of a file finds."""
    async with inspected(path) as inspection:
        return await violations(inspection, now_ms)


async def exported_from(path: Path) -> bytes:
    """The export of a file."""
    async with inspected(path) as inspection:
        return await export_of(inspection)


async def import_into(path: Path, data: bytes, now_ms: int = NOW) -> int:
    """Import an export into a file; its generation."""
    async with restoring(path) as restoration:
        generation, _ = await imported(io.BytesIO(data), restoration, now_ms=now_ms, advance=lambda _done: None)
        return generation
