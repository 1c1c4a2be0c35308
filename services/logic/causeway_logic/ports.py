"""What the SDK needs from outside. Nothing here reads a clock or makes an id: both are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import (
    AppendReply,
    AppendRequest,
    CallRequest,
    ClaimReply,
    CommitReply,
    CommitRequest,
    Control,
    Document,
    FeedPublication,
    HistoryReply,
    HistoryRequest,
    JsonMap,
    NewRecord,
    PresenceCounts,
    PresenceReply,
    QueryReply,
    QueryRequest,
    SettleRequest,
    SnapshotReply,
    SnapshotRequest,
)


class Storage(Protocol):
    """The app's own entities and logs.

    Every call raises CausewayError: `unavailable` where the outcome is unknown at the deadline, else storage's own refusal.
    """

    async def get(self, kind: str, id: str, deadline: Deadline) -> Document:
        """The entity as last committed; version 0 where there is none."""
        ...

    async def commit(self, request: CommitRequest, deadline: Deadline) -> CommitReply:
        """Commit, once per commit id: while no answer comes the same bytes are sent again, and a repeat is answered as the first."""
        ...

    async def query(self, request: QueryRequest, deadline: Deadline) -> QueryReply:
        """A page of the entities of one kind, over declared indexes."""
        ...

    async def snapshot(self, request: SnapshotRequest, deadline: Deadline) -> SnapshotReply:
        """An entity, and the position of a channel of the app's own that goes with the version."""
        ...

    async def history(self, request: HistoryRequest, deadline: Deadline) -> HistoryReply:
        """A page of a log of the app's own namespaces."""
        ...

    async def append(self, request: AppendRequest, deadline: Deadline) -> AppendReply:
        """Append to a log of the app's own namespaces, once per item's id; a repeat is answered as the first."""
        ...

    async def enqueue(self, records: list[NewRecord], deadline: Deadline) -> None:
        """Create records of the app, all or none, once per id; durable when this returns."""
        ...


class Gateways(Protocol):
    """Channels without history, and who is connected; any gateway answers for all.

    Every call raises CausewayError: `unavailable` where a gateway did not answer in time, 103 for another app's channel.
    """

    async def publish(self, message: FeedPublication) -> None:
        """Publish into a channel of the app's own without history: at most once."""
        ...

    async def presence(self, channel: str, limit: int, deadline: Deadline) -> PresenceReply:
        """Who is subscribed; at most `limit` are listed."""
        ...

    async def presence_stats(self, channel: str, deadline: Deadline) -> PresenceCounts:
        """How many are subscribed."""
        ...

    async def control(self, command: Control, deadline: Deadline) -> int:
        """Do this with connections of a user. How many it met."""
        ...


class Connectors(Protocol):
    """Operations of connectors that answer at once."""

    async def call(self, connector: str, op: str, request: CallRequest, deadline: Deadline) -> JsonMap:
        """The operation's answer.

        Raises:
            CausewayError: what the connector says, 103 where the app may not use it, `unavailable` where the outcome is unknown.
        """
        ...


class Records(Protocol):
    """The app's own tasks, as they are run. While storage is away each call is tried again for a while, then raises CausewayError 100."""

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """Take a record for one try; it is nobody else's for `lease_ms`."""
        ...

    async def settle(self, request: SettleRequest) -> bool:
        """End a try, durably; False: another one has the record, and its outcome counts."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that a call reaches beyond its arguments.

    Attributes:
        storage: the app's entities and logs.
        gateways: who is connected, and channels without history.
        connectors: operations that answer at once.
        now_ms: the time of day, milliseconds since the Unix epoch.
        new_id: a fresh id, for a call whose caller gave none.
        jitter: a number in [0, 1), new at each call.
        pause: waits so many seconds.
    """

    storage: Storage
    gateways: Gateways
    connectors: Connectors
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    pause: Callable[[float], Awaitable[None]]
