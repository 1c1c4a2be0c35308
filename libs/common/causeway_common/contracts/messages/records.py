"""Records: durable calls, their deliveries, claims and ends."""

from __future__ import annotations

from typing import Literal

from causeway_common.contracts.messages.base import JsonMap, Message


class NewRecord(Message, frozen=True):
    """A record to create; an id that exists already is left as it is. One with the `connector` "" is a task of its app, named `op`.

    Attributes:
        due_ms: delivered at that time of day; 0: at once.
        line: in which line it stands; "" in none. From an app it is the app's own name of it.
        turn: its place there, lower ones come first; 0: behind all that is there.
        behind: it waits until those before it in `line`, and those of an earlier turn in this other line (which may be the same one), are
            done or dead; "": it only has a place, and waits for nobody.
    """

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    traceparent: str = ""
    due_ms: int = 0
    line: str = ""
    turn: int = 0
    behind: str = ""


class EnqueueRequest(Message, frozen=True):
    """Create records, all or none, and have them delivered."""

    records: list[NewRecord]


class EnqueueReply(Message, frozen=True):
    """Durable. How many were new."""

    created: int


class Attempt(Message, frozen=True):
    """One entry of a record's log: a try, or a claim that was given back without one (`postponed`).

    Attributes:
        number: of the try, from 1; of `postponed`, how many tries there were.
        claim: the claim that it belongs to (`Record.attempts`). A claim without an entry ended without an outcome.
        at_ms: when it began.
        duration_ms: how long it took.
        outcome: what became of it.
        status: the peer's own code (HTTP, SMTP); 0 where it gave none.
        answer: the begin of what the peer said, or why there was no answer.
        trace_id: of its span; "" where the trace is not sampled.
    """

    number: int
    claim: int
    at_ms: int
    duration_ms: int
    outcome: Literal["done", "retry", "dead", "postponed"]
    status: int = 0
    answer: str = ""
    trace_id: str = ""


class Record(Message, frozen=True):
    """One durable call and all that became of it. `attempts` counts the claims, this one included. A task's `connector` is "".

    `log`: the newest attempts that were told, oldest first. `line` and `turn`: its place, as `NewRecord` has it.
    """

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    state: Literal["pending", "done", "dead"]
    attempts: int
    created_ms: int
    traceparent: str = ""
    note: str = ""
    log: list[Attempt] = []
    line: str = ""
    turn: int = 0


class JobDelivery(Message, frozen=True):
    """What the work queue carries: the id alone; the record is the truth."""

    id: str


class ClaimRequest(Message, frozen=True):
    """Take a record for one attempt; for `lease_ms` nobody else gets it, then it is delivered again."""

    id: str
    node: str
    lease_ms: int


class ClaimReply(Message, frozen=True):
    """`run`: go ahead with `record`. Anything else: there is nothing to do, acknowledge the delivery.

    `leased`: somebody has it, or others of its line come first. `later`: as `ClaimsReply` says, and nowhere else.
    """

    outcome: Literal["run", "done", "dead", "leased", "missing", "later"]
    record: Record | None = None


class ClaimsRequest(Message, frozen=True):
    """Take several records at once, each for an attempt of its own."""

    claims: list[ClaimRequest]


class ClaimsReply(Message, frozen=True):
    """The answers, in the order asked. `later`: together they would have been too large for one message, ask for this one again."""

    replies: list[ClaimReply]


class SettleRequest(Message, frozen=True):
    """End one attempt: `done`, `dead` (given up), or `retry` after `delay_ms`. `attempt` is the claim's; an older one is refused.

    `attempt_log` is added to the record's log; over a `postponed` last entry it is written in its place.
    """

    id: str
    attempt: int
    outcome: Literal["done", "retry", "dead"]
    delay_ms: int = 0
    note: str = ""
    attempt_log: Attempt | None = None


class SettleReply(Message, frozen=True):
    """`settled` false: the lease was lost to another attempt, whose outcome counts."""

    settled: bool


class SettlesRequest(Message, frozen=True):
    """End several attempts at once."""

    settles: list[SettleRequest]


class SettlesReply(Message, frozen=True):
    """For each, in the order asked, as `SettleReply.settled`."""

    settled: list[bool]


class KeptRecord(Message, frozen=True):
    """A record as operators see it.

    Attributes:
        record: the record.
        next_at_ms: when it is delivered next; 0: no more.
        ended_ms: when it was done or dead; 0: not yet.
        tries: how often it was tried, an attempt under way left out.
        told: an attempt has ended, or was given back.
    """

    record: Record
    next_at_ms: int = 0
    ended_ms: int = 0
    tries: int = 0
    told: bool = False


class RecordsRequest(Message, frozen=True):
    """Records in one state, or in any (""), by id from behind `after` on. `pending` was not tried yet, `retrying` waits for another try.

    Attributes:
        app: of this app alone; "": of any.
        connector: of this one alone, "task" for tasks; "": of any.
        operation: of this one alone, such as `webhook.event` or `task.close`; "": of any.
        since_ms: made then or later.
        until_ms: made then or earlier; 0: whenever.
        by_time: in the order in which they were made, from behind the reply's `cursor` (in `after`) on; `app` and `operation` are needed then.
    """

    state: Literal["", "pending", "retrying", "done", "dead"]
    after: str = ""
    limit: int = 50
    app: str = ""
    connector: str = ""
    operation: str = ""
    since_ms: int = 0
    until_ms: int = 0
    by_time: bool = False


class RecordsReply(Message, frozen=True):
    """A page, without payloads and logs; `more`: there are others behind it, from `cursor` on."""

    records: list[KeptRecord]
    more: bool = False
    cursor: str = ""


class RecordRequest(Message, frozen=True):
    """One record, with all that is kept of it."""

    id: str


class RecordReply(Message, frozen=True):
    """None: it is not there."""

    record: KeptRecord | None = None


class RedriveRequest(Message, frozen=True):
    """Have these dead records delivered again, with a fresh schedule."""

    ids: list[str]


class RedriveReply(Message, frozen=True):
    """Those that were dead; the others are as they were."""

    redriven: list[str]
