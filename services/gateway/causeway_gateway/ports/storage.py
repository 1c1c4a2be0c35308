"""What the gateway asks of storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import (
    AppendItem,
    AppendReply,
    AuditRecord,
    Head,
    HistoryReply,
    InspectReply,
    InspectRequest,
    KeptRecord,
    NewRecord,
    RecordsReply,
    RecordsRequest,
    TimersReply,
    TimersRequest,
)
from causeway_gateway.domain.namespaces import Rule


class Storage(Protocol):
    """The logs of the channels. Everything raises CausewayError: 100 unavailable where storage cannot answer in time."""

    async def append(
        self, channel: str, rule: Rule, item: AppendItem, deadline: Deadline, *, skip_history: bool = False
    ) -> AppendReply:
        """Append; returns once it is durable. The item's id makes a repeat harmless.

        With `skip_history` it is only fed, at most once and without a position, behind what was answered before.
        """
        ...

    async def history(self, channel: str, *, since: int, limit: int, reverse: bool, deadline: Deadline) -> HistoryReply:
        """A page as contracts.messages.HistoryRequest says, with the head at that moment, majority-durable."""
        ...

    async def remove(self, channel: str, deadline: Deadline) -> None:
        """Remove what a channel's log holds; its position stays. Gateways forget it when they compare heads, within a second."""
        ...

    async def heads(self, channels: Sequence[str], deadline: Deadline) -> list[Head]:
        """The heads of up to 512 channels, in their order."""
        ...


class AuditTrail(Protocol):
    """Where audit records of operations go."""

    async def audit(self, record: AuditRecord, deadline: Deadline) -> None:
        """Returns once it is durable. Raises CausewayError: 100 unavailable where storage cannot answer in time."""
        ...


class AuditLog(Protocol):
    """The audit records of operations."""

    async def audit_page(self, before: str, limit: int, deadline: Deadline) -> Sequence[AuditRecord]:
        """The newest first, from below the id `before` on ("": from the newest). Raises CausewayError: 107, 100 unavailable."""
        ...


class TimersDesk(Protocol):
    """The timers of entities that wait."""

    async def timers(self, request: TimersRequest, deadline: Deadline) -> TimersReply:
        """A page of them. Raises CausewayError: 107, 100 unavailable."""
        ...


class KeptEvent(Protocol):
    """A message of the stream of events."""

    @property
    def sequence(self) -> int:
        """Its place there."""
        ...

    @property
    def body(self) -> bytes:
        """A `LifecycleEvent`."""
        ...


class EventStream(Protocol):
    """The stream of events, which are kept for days."""

    async def end(self) -> int:
        """The place behind the newest. Raises CausewayError: 100 unavailable."""
        ...

    def messages(self, since: int | datetime) -> AsyncIterator[KeptEvent]:
        """From a place or a time on, without end; while the bus is away it waits."""
        ...


class Records(Protocol):
    """Where calls are kept that nobody answers now."""

    async def enqueue(self, record: NewRecord, deadline: Deadline) -> None:
        """Keep it, durably; one whose id is there already changes nothing. Raises CausewayError: 100 unavailable, 107 too large."""
        ...


class EntityInspection(Protocol):
    """Looks into entities, for operators."""

    async def inspect(self, request: InspectRequest, deadline: Deadline) -> InspectReply:
        """One entity of any app. Raises CausewayError: 107, 100 unavailable."""
        ...


class RecordsDesk(Protocol):
    """Jobs, tasks and inbound events, for operators. Raises CausewayError: 107, 100 unavailable."""

    async def records(self, request: RecordsRequest, deadline: Deadline) -> RecordsReply:
        """A page of those in one state."""
        ...

    async def record(self, id: str, deadline: Deadline) -> KeptRecord | None:
        """One; None where it is not there."""
        ...

    async def redrive(self, ids: list[str], deadline: Deadline) -> list[str]:
        """Have those of these that are dead delivered again; which were."""
        ...
