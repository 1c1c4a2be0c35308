"""The life of a record: pending, claimed for one attempt at a time, then done or dead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec
from msgspec.structs import replace as replace_fields

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import Attempt, KeptRecord, NewRecord, Record, RecordsReply, RecordsRequest, SettleRequest

State = Literal["pending", "done", "dead"]
LOG_MAX: Final = 100
"""So many attempts are kept of a record."""
ANSWERS_MAX: Final = 20
ANSWER_CUT_CHARS: Final = 100
"""Of all but the newest `ANSWERS_MAX`, so much is kept of the peer's answer: a log stays below 40 KiB."""
LOOK_AGAIN_MIN_MS: Final = 15_000
LOOK_AGAIN_MAX_MS: Final = 300_000
"""A record that waits for others of its line is woken by the end of the one before it; where that was lost, it looks again after its age, at
least and at most so long."""
CURSOR_MAX_DIGITS: Final = 32
TASK: Final = ""
"""The connector of a record that is a task of its app; no connector has this name, since it is no identifier."""
ANY_TASK: Final = "task"
"""What operators call that connector."""
QUEUED_CALL: Final = "on_queued_call"
"""The task of each app that takes clients' calls which came while no instance of it answered."""


@dataclass(frozen=True, slots=True)
class RecordLife:
    """What changes of a record. Times are times of day in ms.

    Attributes:
        state: where it stands.
        attempts: how often it was claimed.
        settled: the newest attempt whose outcome was told; below `attempts` while one runs.
        free_at_ms: from then on it may be claimed (the end of a lease, or of a retry's delay).
        next_at_ms: then it is delivered again.
        note: what the last outcome said.
        ended_ms: when it was done or dead; 0 before.
        log: the attempts that were told, packed; b"" before the first.
    """

    state: State
    attempts: int
    settled: int
    free_at_ms: int
    next_at_ms: int
    note: str = ""
    ended_ms: int = 0
    log: bytes = b""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Run it: this is its life from now on."""

    life: RecordLife


@dataclass(frozen=True, slots=True)
class Waits:
    """Others of its line come first. Nothing is to be done; this is its life from now on."""

    life: RecordLife


@dataclass(frozen=True, slots=True)
class NotClaimed:
    """There is nothing to do, for this reason."""

    outcome: Literal["done", "dead", "leased", "missing"]


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome counts: this is its life from now on; the one it had, where the outcome was told before."""

    life: RecordLife


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another attempt has the record, or it is not there: this outcome does not count."""


def new_life(next_at_ms: int) -> RecordLife:
    """A new record's: to be claimed as soon as it is delivered, which the sweep does at `next_at_ms`."""
    return RecordLife("pending", 0, 0, 0, next_at_ms)


def life_of_new(record: NewRecord, *, now_ms: int, next_at_ms: int) -> RecordLife:
    """A new record's life.

    Args:
        record: one that is due later is first delivered then.
        now_ms: the time of day.
        next_at_ms: when the sweep delivers one that is delivered at once, and was not claimed.
    """
    return new_life(record.due_ms if is_later(record, now_ms) else next_at_ms)


def is_later(record: NewRecord, now_ms: int) -> bool:
    """Whether it is not to be delivered yet."""
    return record.due_ms > now_ms


def is_queued_call(record: NewRecord) -> bool:
    """Whether it is a client's call that waits for its app, under an id of the client's command or of the gateway's own."""
    return (record.connector, record.op) == (TASK, QUEUED_CALL) and record.id.startswith(("c:", "q:"))


def scoped(record: NewRecord, app: str) -> NewRecord:
    """A record that an app asks for: under an id that no other app, and nothing that storage derives, can have; so too its line."""
    line = line_of_key(app, record.line) if record.line else ""
    return replace_fields(record, id=f"a:{app}:{record.id}", line=line, turn=0, behind="")


def line_of_key(app: str, key: str) -> str:
    """The line of what an app enqueues under a key of its own."""
    return "k:" + derived_id(app, key)


def line_of_entity(app: str, kind: str, id: str) -> str:
    """The line of what leaves with the commits of an entity."""
    return "e:" + derived_id(app, kind, id)


def refusal(app: str, connector: str, runner: str) -> CausewayError | None:
    """Why a runner may not run a record of this app and connector; None where it may.

    Args:
        app: the record's.
        connector: the record's.
        runner: an app, which runs its own tasks; "" is integrations, which run every job.
    """
    if (app if connector == TASK else "") == runner:
        return None
    ours = f"{runner} runs its own tasks alone" if runner else "integrations run jobs alone"
    return CausewayError(ErrorName.PERMISSION_DENIED, f"permission denied: {ours}")


def record_message(record: NewRecord, created_ms: int, life: RecordLife) -> Record:
    """A record as whoever runs it gets it."""
    return Record(
        id=record.id,
        app=record.app,
        connector=record.connector,
        op=record.op,
        payload=record.payload,
        state=life.state,
        attempts=life.attempts,
        created_ms=created_ms,
        traceparent=record.traceparent,
        note=life.note,
        log=unpack_log(life.log),
        line=record.line,
        turn=record.turn,
    )


def look_again_ms(created_ms: int, now_ms: int) -> int:
    """How long a record that waits for others sleeps where nothing wakes it."""
    return min(max(now_ms - created_ms, LOOK_AGAIN_MIN_MS), LOOK_AGAIN_MAX_MS)


def plan_claim(life: RecordLife | None, *, now_ms: int, lease_ms: int, waits_ms: int = 0) -> Claimed | Waits | NotClaimed:
    """Decide a claim.

    Args:
        life: None is a record that is not there.
        now_ms: the time of day.
        lease_ms: of the claim.
        waits_ms: others of its line come first, and it looks again after so long; 0: none do.
    """
    if life is None:
        return NotClaimed("missing")
    if life.state != "pending":
        return NotClaimed(life.state)
    if life.free_at_ms > now_ms:
        return NotClaimed("leased")
    if waits_ms:
        return Waits(replace(life, next_at_ms=now_ms + waits_ms))
    end = now_ms + lease_ms
    return Claimed(replace(life, attempts=life.attempts + 1, free_at_ms=end, next_at_ms=end))


def plan_settle(life: RecordLife | None, request: SettleRequest, *, now_ms: int) -> Settled | LeaseLost:
    """Decide the end of an attempt: only the newest one's outcome counts, and only its first."""
    if life is None or request.attempt != life.attempts:
        return LeaseLost()
    outcome: State = "pending" if request.outcome == "retry" else request.outcome
    if life.settled == life.attempts:
        return Settled(life) if life.state == outcome else LeaseLost()
    told = replace(life, settled=request.attempt, note=request.note, log=_longer(life.log, request.attempt_log))
    if outcome == "pending":
        at = now_ms + request.delay_ms
        return Settled(replace(told, free_at_ms=at, next_at_ms=at))
    return Settled(replace(told, state=outcome, ended_ms=now_ms))


def plan_redrive(life: RecordLife, now_ms: int) -> RecordLife | None:
    """A dead record's life from now on, its tries counted anew; None for one that is not dead."""
    if life.state != "dead":
        return None
    again = Attempt(number=0, claim=life.attempts, at_ms=now_ms, duration_ms=0, outcome="postponed", answer="re-driven")
    log = _longer(life.log, again)
    return replace(life, state="pending", settled=life.attempts, free_at_ms=now_ms, next_at_ms=now_ms, ended_ms=0, log=log)


def kept_record(record: NewRecord, created_ms: int, life: RecordLife, *, brief: bool) -> KeptRecord:
    """A record as operators see it; `brief`: without payload and log."""
    log = unpack_log(life.log)
    tries = log[-1].number if log else life.settled
    if brief:
        record, life = replace_fields(record, payload={}), replace(life, log=b"")
    next_at_ms = life.next_at_ms if life.state == "pending" else 0
    return KeptRecord(
        record=record_message(record, created_ms, life),
        next_at_ms=next_at_ms,
        ended_ms=life.ended_ms,
        tries=tries,
        told=life.settled > 0,
    )


def connector_of(shown: str) -> str:
    """A connector as records name it, of what operators call it."""
    return TASK if shown == ANY_TASK else shown


def operation_of(operation: str) -> tuple[str, str]:
    """Connector and op of an operation as operators name it; a task's is `task.NAME`."""
    connector, _, op = operation.partition(".")
    return connector_of(connector), op


def after_of(request: RecordsRequest) -> tuple[str | int, ...]:
    """Where a page begins: behind this id, or where it goes by time behind this time, turn and id. Raises CausewayError 107."""
    if not request.by_time:
        return (request.after,)
    if not request.after:
        return (request.since_ms - 1, 0, "")
    at, turn, name = (*request.after.split(":", 2), "", "")[:3]
    if not (at.isdigit() and turn.isdigit() and len(at) + len(turn) < CURSOR_MAX_DIGITS):
        raise bad_request("after is no cursor of a page by time")
    return (int(at), int(turn), name)


def page_of(found: list[KeptRecord], *, more: bool, by_time: bool) -> RecordsReply:
    """A page of records as it is answered."""
    last = found[-1].record if found else None
    cursor = "" if last is None else f"{last.created_ms}:{last.turn}:{last.id}" if by_time else last.id
    return RecordsReply(records=found, more=more, cursor=cursor)


def unpack_log(packed: bytes) -> list[Attempt]:
    """The attempts of a record, oldest first."""
    return _log.decode(packed) if packed else []


def _longer(packed: bytes, entry: Attempt | None) -> bytes:
    """The log with one more entry, which takes the place of a last one that was no try; the oldest go, and of older ones the answer."""
    if entry is None:
        return packed
    known = unpack_log(packed)
    if known and known[-1].outcome == "postponed":
        known.pop()
    kept = [*known, entry][-LOG_MAX:]
    cut = max(len(kept) - ANSWERS_MAX, 0)
    short = [replace_fields(each, answer=each.answer[:ANSWER_CUT_CHARS]) for each in kept[:cut]]
    return msgspec.msgpack.encode([*short, *kept[cut:]])


_log: Final = msgspec.msgpack.Decoder(list[Attempt])
