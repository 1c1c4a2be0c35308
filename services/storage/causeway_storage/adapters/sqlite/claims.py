"""Claims and ends of records, several in one transaction; and whose turn it is in a line."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from msgspec.structs import replace

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, SettleRequest
from causeway_storage.domain.packing import unpack
from causeway_storage.domain.record import (
    Claimed,
    LeaseLost,
    NotClaimed,
    RecordLife,
    Settled,
    Waits,
    look_again_ms,
    plan_claim,
    plan_settle,
    record_message,
    refusal,
)
from causeway_storage.ports import DueRecord, Ending
from causeway_storage.ports.records import CLAIMS_MAX_BYTES, WOKEN_LOOK_MS, WOKEN_MAX

_LIFE: Final = "state, attempts, settled, free_at_ms, next_at_ms, note, ended_ms, log"
_CLAIMED: Final = (
    f"SELECT app, connector, op, payload, created_ms, traceparent, line, turn, behind, {_LIFE} FROM records WHERE id = ?"  # noqa: S608 - constants
)
_SETTLED: Final = f"SELECT app, connector, line, behind, {_LIFE} FROM records WHERE id = ?"  # noqa: S608 - constants
_TAKE: Final = "UPDATE records SET attempts = ?, free_at_ms = ?, next_at_ms = ?, node = ? WHERE id = ?"
_END: Final = "UPDATE records SET state = ?, attempts = ?, settled = ?, free_at_ms = ?, next_at_ms = ?, note = ?, ended_ms = ?, log = ? WHERE id = ?"
_OWN_BEFORE: Final = (
    "SELECT 1 FROM records WHERE line = ? AND line != '' AND state = 'pending' AND (turn, id) < (?, ?) "
    "UNION ALL SELECT 1 FROM records WHERE line = ? AND line != '' AND state = 'pending' AND attempts > settled AND free_at_ms > ? AND id != ?"
    " LIMIT 1"
)
_OTHER_BEFORE: Final = "SELECT 1 FROM records WHERE line = ? AND line != '' AND state = 'pending' AND turn < ? LIMIT 1"
_DUE: Final = "id, connector, op, traceparent, app, free_at_ms"
_FIRST: Final = (
    f"SELECT {_DUE} FROM records WHERE line = ? AND line != '' AND state = 'pending' AND behind != '' ORDER BY turn, id LIMIT 1"  # noqa: S608 - constants
)
_BEHIND: Final = (
    f"SELECT {_DUE} FROM records WHERE behind = ? AND behind != '' AND state = 'pending' AND line != ? ORDER BY turn LIMIT ?"  # noqa: S608 - constants
)
_WAKE: Final = "UPDATE records SET next_at_ms = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Claims:
    """Several claims of one runner."""

    requests: Sequence[ClaimRequest]
    now_ms: int
    runner: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Several ends of attempts of one runner."""

    requests: Sequence[SettleRequest]
    now_ms: int
    runner: str


def claim_all(connection: sqlite3.Connection, asked: Sequence[Claims]) -> Sequence[list[ClaimReply | CausewayError]]:
    """All claims of a batch, in their order."""
    return [_claims(connection, each) for each in asked]


def settle_all(connection: sqlite3.Connection, asked: Sequence[Ends]) -> Sequence[list[Ending | CausewayError]]:
    """All ends of a batch, in their order."""
    return [[_settle(connection, each, one) for one in each.requests] for each in asked]


def _claims(connection: sqlite3.Connection, asked: Claims) -> list[ClaimReply | CausewayError]:
    replies: list[ClaimReply | CausewayError] = []
    size = 0
    for request in asked.requests:
        row = connection.execute(_CLAIMED, (request.id,)).fetchone()
        if size and row is not None and size + len(row[3]) > CLAIMS_MAX_BYTES:
            replies.append(ClaimReply(outcome="later"))
            continue
        replies.append(_claim(connection, asked, request, row))
        size += len(row[3]) if row is not None else 0
    return replies


def _claim(
    connection: sqlite3.Connection, asked: Claims, request: ClaimRequest, row: tuple[Any, ...] | None
) -> ClaimReply | CausewayError:
    """A refusal is told, not raised: it would have the whole batch done again, one by one."""
    if row is None:
        return ClaimReply(outcome="missing")
    app, connector, op, payload, created_ms, traceparent, line, turn, behind, *life = row
    if refused := refusal(app, connector, asked.runner):
        return refused
    found, waits_ms = RecordLife(*life), 0
    place = NewRecord(id=request.id, app=app, connector=connector, op=op, payload={}, line=line, turn=turn, behind=behind)
    if behind and found.state == "pending" and found.free_at_ms <= asked.now_ms:
        waits_ms = look_again_ms(created_ms, asked.now_ms) if _must_wait(connection, place, asked.now_ms) else 0
    match plan_claim(found, now_ms=asked.now_ms, lease_ms=request.lease_ms, waits_ms=waits_ms):
        case Claimed(its):
            connection.execute(_TAKE, (its.attempts, its.free_at_ms, its.next_at_ms, request.node, request.id))
            place = replace(place, payload=unpack(payload), traceparent=traceparent)
            return ClaimReply(outcome="run", record=record_message(place, created_ms, its))
        case Waits(its):
            connection.execute(_WAKE, (its.next_at_ms, request.id))
            return ClaimReply(outcome="leased")
        case NotClaimed(outcome):
            return ClaimReply(outcome=outcome)
        case other:
            assert_never(other)


def _must_wait(connection: sqlite3.Connection, place: NewRecord, now_ms: int) -> bool:
    own = (place.line, place.turn, place.id, place.line, now_ms, place.id)
    if connection.execute(_OWN_BEFORE, own).fetchone():
        return True
    return place.behind != place.line and connection.execute(_OTHER_BEFORE, (place.behind, place.turn)).fetchone() is not None


def _settle(connection: sqlite3.Connection, asked: Ends, request: SettleRequest) -> Ending | CausewayError:
    row = connection.execute(_SETTLED, (request.id,)).fetchone()
    if row is None:
        return Ending(settled=False)
    app, connector, line, behind, *life = row
    if refused := refusal(app, connector, asked.runner):
        return refused
    before = RecordLife(*life)
    match plan_settle(before, request, now_ms=asked.now_ms):
        case Settled(its):
            if its != before:
                values = (its.state, its.attempts, its.settled, its.free_at_ms, its.next_at_ms, its.note, its.ended_ms, its.log)
                connection.execute(_END, (*values, request.id))
            return Ending(True, _woken(connection, request.id, line, behind, asked.now_ms) if line else ())
        case LeaseLost():
            return Ending(settled=False)
        case other:
            assert_never(other)


def _woken(connection: sqlite3.Connection, id: str, line: str, behind: str, now_ms: int) -> tuple[DueRecord, ...]:
    """Whose turn it may be now that this one's attempt has ended."""
    rows = [] if not behind else connection.execute(_FIRST, (line,)).fetchall()
    rows += connection.execute(_BEHIND, (line, line, WOKEN_MAX)).fetchall()
    free = [row[:5] for row in rows if row[0] != id and row[5] <= now_ms]
    connection.executemany(_WAKE, [(now_ms + WOKEN_LOOK_MS, name) for name, *_ in free])
    return tuple(DueRecord(name, connector, op, now_ms, trace, app) for name, connector, op, trace, app in free)
