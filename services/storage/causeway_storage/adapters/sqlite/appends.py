"""The appends of one write, decided one by one and written together: one query for their ids, one statement for each table.

make bench: a statement at a time, each with its savepoint, was 36 µs an append in the writer's thread; so it is about 20, of which
the pages themselves are most.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from causeway_common.contracts.codec import encode
from causeway_common.contracts.messages import AppendRequest
from causeway_common.runtime import fault_point
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.domain.log import NEVER_SEEN, AppendPlan, KnownId, LogHead, SeenVersion, epoch_of, plan_append
from causeway_storage.ports import Appended

KEPT_MAX: Final = 100_000
"""Heads kept in memory; make bench says what they take."""
ASKED_MAX: Final = 256
"""Ids in one query: SQLite allows 32,766 variables, and a statement of one size is compiled once."""


@dataclass(frozen=True, slots=True)
class AppendCall:
    """One append, as it waits for the writer."""

    request: AppendRequest
    now_ms: int


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A channel's row of `heads`."""

    number: int
    head: LogHead
    ttl_ms: int
    expires_ms: int | None


@dataclass(slots=True)
class _Rows:
    """What a write comes to, by table."""

    heads: dict[str, KeptHead] = field(default_factory=dict)
    versions: dict[int, SeenVersion] = field(default_factory=dict)
    publications: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    ids: list[tuple[int, str, int, int]] = field(default_factory=list)
    floors: dict[int, int] = field(default_factory=dict)


class Appends:
    """The appends of a write, in the writer's thread.

    The heads of the last channels are kept in memory: nobody else writes them, the file is locked. Whoever changes `heads` otherwise,
    or undoes a write, calls `forget`.
    """

    def __init__(self, new_letters: Callable[[], str]) -> None:
        self._new_letters = new_letters
        self._kept: dict[str, KeptHead] = {}

    def forget(self, channels: Iterable[str] | None = None) -> None:
        """Read these heads again, or all."""
        if channels is None:
            self._kept.clear()
        for channel in channels or ():
            self._kept.pop(channel, None)

    def __call__(self, connection: sqlite3.Connection, calls: Sequence[AppendCall]) -> list[Appended]:
        """Append them all, in order. What it raises leaves the transaction to be undone."""
        if len(self._kept) > KEPT_MAX:
            self._kept.clear()
        generation, rows = generation_of(connection), _Rows()
        self._read_heads(connection, {call.request.channel for call in calls} - self._kept.keys())
        known = self._known_ids(connection, calls)
        appended = [self._planned(connection, call, known, rows, generation) for call in calls]
        _write(connection, rows)
        self._kept.update(rows.heads)
        return appended

    def _read_heads(self, connection: sqlite3.Connection, channels: Iterable[str]) -> None:
        query = "SELECT number, letters, head, floor, ttl_ms, expires_ms FROM heads WHERE channel = ?"
        for channel in channels:
            row = connection.execute(query, (channel,)).fetchone()
            if row is not None:
                self._kept[channel] = KeptHead(row[0], LogHead(*row[1:4]), row[4], row[5])

    def _known_ids(self, connection: sqlite3.Connection, calls: Sequence[AppendCall]) -> dict[tuple[int, str], KnownId]:
        asked = [
            (kept.number, item.id)
            for call in calls
            if (kept := self._kept.get(call.request.channel)) is not None
            for item in call.request.items
        ]
        known: dict[tuple[int, str], KnownId] = {}
        for start in range(0, len(asked), ASKED_MAX):
            page = asked[start : start + ASKED_MAX]
            # Filled up to a power of two, so that the number of different statements stays small.
            page += page[-1:] * ((1 << (len(page) - 1).bit_length()) - len(page))
            marks = ",".join(["(?, ?)"] * len(page))
            query = (
                f"WITH asked (number, id) AS (VALUES {marks}) SELECT ids.number, ids.id, position, time_ms "  # noqa: S608 - only question marks
                "FROM asked CROSS JOIN ids ON ids.number = asked.number AND ids.id = asked.id"
            )
            found = connection.execute(query, [value for pair in page for value in pair])
            known.update({row[:2]: KnownId(*row[2:]) for row in found})
        return known

    def _planned(
        self,
        connection: sqlite3.Connection,
        call: AppendCall,
        known: dict[tuple[int, str], KnownId],
        rows: _Rows,
        generation: int,
    ) -> Appended:
        request, now_ms = call.request, call.now_ms
        kept = rows.heads.get(request.channel) or self._kept.get(request.channel)
        number = kept.number if kept else 0
        versioned = any(item.version for item in request.items)
        plan = plan_append(
            kept.head if kept else None,
            {item.id: found for item in request.items if (found := known.get((number, item.id)))} if kept and known else {},
            request,
            now_ms=now_ms,
            letters="" if kept else self._new_letters(),
            seen=_seen(connection, rows, number) if versioned and kept else NEVER_SEEN,
        )
        if plan.publications:
            fault_point("storage.append.before_write")
            kept = kept or _new_head(connection, request, plan, now_ms)
            rows.heads[request.channel] = _moved(kept, request, plan, now_ms)
            _take(rows, known, kept, plan, now_ms)
            if versioned:
                rows.versions[kept.number] = plan.seen
        epoch = epoch_of(plan.head.letters, generation)
        skipped = plan.skipped if versioned else ()
        return Appended(request.channel, epoch, plan.offsets, plan.repeats, plan.publications, skipped, plan.deltas)


def _new_head(connection: sqlite3.Connection, request: AppendRequest, plan: AppendPlan, now_ms: int) -> KeptHead:
    letters, expires_ms = plan.head.letters, now_ms + request.ttl_ms
    number = connection.execute(
        "INSERT INTO heads (channel, letters, head, floor, ttl_ms, expires_ms) VALUES (?, ?, 0, 0, ?, ?)",
        (request.channel, letters, request.ttl_ms, expires_ms),
    ).lastrowid
    assert number is not None  # noqa: S101 - SQLite gives every inserted row one
    return KeptHead(number, LogHead(letters, 0, 0), request.ttl_ms, expires_ms)


def _moved(kept: KeptHead, request: AppendRequest, plan: AppendPlan, now_ms: int) -> KeptHead:
    # When to look for expired publications: at once where the ttl changed, since it was worked out with the old one.
    due = 0 if kept.ttl_ms != request.ttl_ms else now_ms + kept.ttl_ms if kept.expires_ms is None else kept.expires_ms
    return KeptHead(kept.number, plan.head, request.ttl_ms, due)


def _take(rows: _Rows, known: dict[tuple[int, str], KnownId], kept: KeptHead, plan: AppendPlan, now_ms: int) -> None:
    number, floor = kept.number, plan.head.floor
    rows.publications += [(number, each.offset, now_ms, encode(each)) for each in plan.publications if each.offset > floor]
    for each, offset in plan.new_ids.items():
        rows.ids.append((number, each, offset, now_ms))
        known[number, each] = KnownId(offset, now_ms)
    if floor > kept.head.floor:
        rows.floors[number] = floor


def _seen(connection: sqlite3.Connection, rows: _Rows, number: int) -> SeenVersion:
    if number in rows.versions:
        return rows.versions[number]
    row = connection.execute("SELECT version, epoch FROM versions WHERE number = ?", (number,)).fetchone()
    return NEVER_SEEN if row is None else SeenVersion(*row)


def _write(connection: sqlite3.Connection, rows: _Rows) -> None:
    heads: list[tuple[Any, ...]] = [
        (kept.head.head, kept.head.floor, kept.ttl_ms, kept.expires_ms, kept.number) for kept in rows.heads.values()
    ]
    for statement, values in (
        ("UPDATE heads SET head = ?, floor = ?, ttl_ms = ?, expires_ms = ? WHERE number = ?", heads),
        ("INSERT INTO publications VALUES (?, ?, ?, ?)", rows.publications),
        ("INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)", rows.ids),
        ("DELETE FROM publications WHERE number = ? AND position <= ?", list(rows.floors.items())),
        (
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?)",
            [(number, seen.version, seen.epoch) for number, seen in rows.versions.items()],
        ),
    ):
        if values:
            connection.executemany(statement, values)
