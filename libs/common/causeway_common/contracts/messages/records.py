"""Records: durable calls, their deliveries, claims and ends."""

from __future__ import annotations

from typing import Literal

from causeway_common.contracts.messages.base import JsonMap, Message


class NewRecord(Message, frozen=True):
    """A record to create; an id that exists already is left as it is. One with the `connector` "" is a task of its app, named `op`.

    `due_ms`: delivered at that time of day; 0: at once.
    """

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    traceparent: str = ""
    due_ms: int = 0


class EnqueueRequest(Message, frozen=True):
    """Create records, all or none, and have them delivered."""

    records: list[NewRecord]


class EnqueueReply(Message, frozen=True):
    """Durable. How many were new."""

    created: int


class Record(Message, frozen=True):
    """One durable call and all that became of it. `attempts` counts the claims, this one included. A task's `connector` is ""."""

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


class JobDelivery(Message, frozen=True):
    """What the work queue carries: the id alone; the record is the truth."""

    id: str


class ClaimRequest(Message, frozen=True):
    """Take a record for one attempt; for `lease_ms` nobody else gets it, then it is delivered again."""

    id: str
    node: str
    lease_ms: int


class ClaimReply(Message, frozen=True):
    """`run`: go ahead with `record`. Anything else: there is nothing to do, acknowledge the delivery."""

    outcome: Literal["run", "done", "dead", "leased", "missing"]
    record: Record | None = None


class SettleRequest(Message, frozen=True):
    """End one attempt: `done`, `dead` (given up), or `retry` after `delay_ms`. `attempt` is the claim's; an older one is refused."""

    id: str
    attempt: int
    outcome: Literal["done", "retry", "dead"]
    delay_ms: int = 0
    note: str = ""


class SettleReply(Message, frozen=True):
    """`settled` false: the lease was lost to another attempt, whose outcome counts."""

    settled: bool
