"""What the SDK needs from outside. Nothing here reads a clock or makes an id: both are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import CommitReply, CommitRequest, Document, HistoryReply, HistoryRequest


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

    async def history(self, request: HistoryRequest, deadline: Deadline) -> HistoryReply:
        """A page of a log of the app's own namespaces."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that a call reaches beyond its arguments.

    Attributes:
        storage: the app's entities and logs.
        now_ms: the time of day, milliseconds since the Unix epoch.
        new_id: a fresh id, for a call whose caller gave none.
        jitter: a number in [0, 1), new at each call.
        pause: waits so many seconds.
    """

    storage: Storage
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    pause: Callable[[float], Awaitable[None]]
