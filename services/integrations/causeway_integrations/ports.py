"""What the handlers need from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from causeway_common.contracts.messages import ClaimReply, NewRecord, Record, SettleRequest
from causeway_integrations.domain.document import Document
from causeway_integrations.domain.outcome import Outcome
from causeway_integrations.domain.webhook import AddressRefused, Answer, NotReached

Operation = Callable[[Record], Awaitable[Outcome]]
"""One operation of a connector. At least once: it must give the peer the same idempotency key at every try of a record."""


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


class Poster(Protocol):
    """Sends one HTTP request to a public or allowed address."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST without following redirects; every failure is an answer, nothing is raised."""
        ...
