"""Appends: all those of a batch are decided one by one, and written with one statement for each table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from causeway_common.contracts.codec import encode
from causeway_common.contracts.epochs import begun, epoch_of
from causeway_common.contracts.messages import AppendRequest
from causeway_common.runtime import fault_point
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.adapters.sqlite.heads import Channel, Heads, chunks
from causeway_storage.domain.log import NEVER_SEEN, AppendPlan, KnownId, SeenVersion, plan_append
from causeway_storage.ports import Appended

Known = dict[tuple[int, str], KnownId]
"""What is known of ids, by channel number and id."""


@dataclass(slots=True)
class _Batch:
    """What a batch knows and what it writes; `heads` and `trimmed` by channel number."""

    connection: sqlite3.Connection
    generation: int
    channels: dict[str, Channel]
    known: Known
    publications: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    ids: list[tuple[int, str, int, int]] = field(default_factory=list)
    heads: dict[int, Channel] = field(default_factory=dict)
    trimmed: dict[int, Channel] = field(default_factory=dict)


class Appends:
    """The work of `Writer.submit_kind`.

    Args:
        heads: the channels' heads.
        new_letters: makes the letters of a new epoch.
    """

    def __init__(self, heads: Heads, new_letters: Callable[[], str]) -> None:
        self._heads, self._new_letters = heads, new_letters

    def work(self, connection: sqlite3.Connection, asked: Sequence[tuple[AppendRequest, int]]) -> list[Appended]:
        """Append: requests and their times of day."""
        channels = self._heads.of(connection, [request.channel for request, _ in asked])
        batch = _Batch(connection, generation_of(connection), channels, _known(connection, channels, asked))
        done = [self._append(batch, request, now_ms) for request, now_ms in asked]
        if batch.heads:
            _write(batch)
            self._heads.write(connection, batch.heads.values())
        return done

    def _append(self, batch: _Batch, request: AppendRequest, now_ms: int) -> Appended:
        channel = batch.channels.get(request.channel)
        if channel is None:
            channel = self._heads.add(batch.connection, request.channel, begun(self._new_letters(), now_ms), request.ttl_ms, now_ms)
            batch.channels[request.channel] = channel
        number, versioned = channel.number, any(item.version for item in request.items)
        plan = plan_append(
            channel.log_head,
            {item.id: seen for item in request.items if (seen := batch.known.get((number, item.id))) is not None},
            request,
            now_ms=now_ms,
            letters=channel.letters,
            seen=_seen(batch.connection, number) if versioned else NEVER_SEEN,
        )
        if plan.publications:
            fault_point("storage.append.before_write")
            _add(batch, channel, request, plan, now_ms)
            if versioned:
                batch.connection.execute(
                    "INSERT OR REPLACE INTO versions VALUES (?, ?, ?)", (number, plan.seen.version, plan.seen.epoch)
                )
        return Appended(
            request.channel,
            epoch_of(channel.letters, batch.generation),
            plan.offsets,
            plan.repeats,
            plan.publications,
            plan.skipped if versioned else (),
            plan.deltas,
        )


def _add(batch: _Batch, channel: Channel, request: AppendRequest, plan: AppendPlan, now_ms: int) -> None:
    number, floor = channel.number, plan.head.floor
    batch.publications += [(number, each.offset, now_ms, encode(each)) for each in plan.publications if each.offset > floor]
    for name, offset in plan.new_ids.items():
        batch.ids.append((number, name, offset, now_ms))
        batch.known[number, name] = KnownId(offset, now_ms)
    batch.heads[number] = channel
    if floor > channel.floor:
        batch.trimmed[number] = channel
    # When to look for expired publications: at once where the ttl changed, since it was worked out with the old one.
    if channel.ttl_ms != request.ttl_ms:
        channel.ttl_ms, channel.expires_ms = request.ttl_ms, 0
    elif channel.expires_ms is None:
        channel.expires_ms = now_ms + request.ttl_ms
    channel.head, channel.floor, channel.at_ms = plan.head.head, floor, now_ms


def _write(batch: _Batch) -> None:
    batch.connection.executemany("INSERT INTO publications VALUES (?, ?, ?, ?)", batch.publications)
    batch.connection.executemany("INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)", batch.ids)
    batch.connection.executemany(
        "DELETE FROM publications WHERE number = ? AND position <= ?",
        [(each.number, each.floor) for each in batch.trimmed.values()],
    )


def _seen(connection: sqlite3.Connection, number: int) -> SeenVersion:
    row = connection.execute("SELECT version, epoch FROM versions WHERE number = ?", (number,)).fetchone()
    return NEVER_SEEN if row is None else SeenVersion(*row)


def _known(connection: sqlite3.Connection, channels: dict[str, Channel], asked: Sequence[tuple[AppendRequest, int]]) -> Known:
    keys = [
        (channel.number, item.id)
        for request, _ in asked
        if (channel := channels.get(request.channel)) is not None
        for item in request.items
        if item.id
    ]
    known: Known = {}
    for some in chunks(keys):
        marks = ",".join(["(?,?)"] * len(some))
        # A join: for `(number, id) IN (VALUES …)` SQLite reads the whole table.
        query = (
            f"WITH asked (number, id) AS (VALUES {marks}) SELECT ids.number, ids.id, position, time_ms "  # noqa: S608 - question marks
            "FROM asked CROSS JOIN ids ON ids.number = asked.number AND ids.id = asked.id"
        )
        for number, name, offset, time_ms in connection.execute(query, [value for key in some for value in key]):
            known[number, name] = KnownId(offset, time_ms)
    return known
