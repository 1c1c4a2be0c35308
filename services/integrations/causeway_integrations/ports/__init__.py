"""What the handlers need from outside, and what a connector is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from causeway_common.contracts.messages import BreakerState, ClaimReply, NewRecord, SettleRequest
from causeway_integrations.domain.document import Document
from causeway_integrations.domain.outcome import Outcome
from causeway_integrations.domain.outside import AddressRefused, Answer, NotReached, Outgoing
from causeway_integrations.domain.work import Work

Operation = Callable[[Work], Awaitable[Outcome]]
"""One operation of a connector. At least once: it must give the peer `Work.key` at every try. What it raises is a failed try."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector.

    Attributes:
        name: an identifier.
        operations: by name.
        schedule: of its jobs.
        attempt_ms: no attempt lasts longer; `limits_ms` has other bounds of single operations.
        destination: whose slots an attempt takes; must be quick and not raise.
        schedules: of single operations, in place of `schedule`.
    """

    name: str
    operations: Mapping[str, Operation]
    schedule: Schedule
    attempt_ms: int
    destination: Callable[[Work], str]
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    limits_ms: Mapping[str, int] = field(default_factory=dict)

    def schedule_of(self, op: str) -> Schedule:
        """The schedule of an operation's jobs."""
        return self.schedules.get(op, self.schedule)

    def limit_ms(self, op: str) -> int:
        """No attempt of this operation lasts longer."""
        return self.limits_ms.get(op, self.attempt_ms)


class Records(Protocol):
    """Storage's records. Every call is tried again for a while when storage is away, then raises CausewayError `unavailable`."""

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """Take a record for one attempt; nobody else gets it for `lease_ms`."""
        ...

    async def settle(self, request: SettleRequest) -> bool:
        """End an attempt; False where its lease was lost to another one."""
        ...

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        """Create records, all or none; an id that exists is left as it is. How many were new."""
        ...


class Schedule(Protocol):
    """When to try again, as data: nothing here waits."""

    def delay_ms(self, attempt: int) -> int | None:
        """Milliseconds until the try after this one failed (the first is 1); None: there is none."""
        ...


class Getter(Protocol):
    """Fetches a document from a public or allowed address."""

    async def get(self, url: str, max_bytes: int) -> Document | NotReached | AddressRefused:
        """GET without following redirects, one byte more than `max_bytes` at most; every failure is an answer."""
        ...


class Outside(Protocol):
    """Sends one HTTP request to a public or allowed address."""

    async def send(self, request: Outgoing) -> Answer:
        """Without following redirects; every failure is an answer, nothing is raised."""
        ...


class Breakers(Protocol):
    """Where the states of the breakers are shared."""

    def share(self, connector: str, destination: str, state: BreakerState) -> None:
        """Tell the other processes, soon; must not raise."""
        ...


class AppsOfEvents(Protocol):
    """Which apps handle which events from outside."""

    def handling(self, source: str, type: str) -> Mapping[str, str] | None:
        """By name, with the path in the event's data by which each wants it in order; None while the manifests are not known yet."""
        ...
