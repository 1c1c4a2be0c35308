"""What the handlers of webhooks need of storage, and of the network, for the endpoints that operators add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from causeway_common.contracts.messages import KeptRecord, LifecycleEvent, NewRecord, RecordsReply
from causeway_integrations.domain.endpoints import ConfiguredState, Health, KeptEndpoint, Seen
from causeway_integrations.domain.rate import Lease


class EndpointBook(Protocol):
    """The endpoints. What is read is what storage has at that moment, never a copy: no process misses a change.

    Every call is tried again for a while when storage is away, then raises CausewayError `unavailable`.
    """

    async def find(self, id: str) -> KeptEndpoint | None:
        """One; None where it is not there."""
        ...

    async def hearing(self, app: str, event: str) -> list[KeptEndpoint]:
        """Those of an app and a type of event, disabled ones too."""
        ...

    async def all(self) -> list[KeptEndpoint]:
        """By id."""
        ...

    async def add(self, endpoint: KeptEndpoint) -> bool:
        """Keep a new one; False where its id is there."""
        ...

    async def change(
        self, id: str, change: Callable[[KeptEndpoint], KeptEndpoint], leaves: NewRecord | None = None
    ) -> KeptEndpoint | None:
        """Change one, and have a job leave with it; as it is then, None where it is not there. A change that changes nothing writes nothing."""
        ...

    async def disabled(self, id: str) -> ConfiguredState:
        """Whether one of the configuration is disabled."""
        ...

    async def disable(self, id: str, state: ConfiguredState, leaves: NewRecord | None = None) -> bool:
        """Disable one of the configuration, or enable it; with it leaves a job, in one commit. False where it is so already."""
        ...

    async def remove(self, id: str) -> bool:
        """Keep it no more; False where it was not there."""
        ...

    async def health(self, id: str) -> Health:
        """How it fares."""
        ...

    async def saw(self, id: str, seen: Seen) -> Health:
        """Add what was seen; how it fares then."""
        ...


class Rates(Protocol):
    """The rates of endpoints, shared by all processes. Raises CausewayError `unavailable`."""

    async def take(self, endpoint: str, rate: float, now_ms: int) -> Lease:
        """Some tokens for a while, or when to ask again."""
        ...


class Sealer(Protocol):
    """Encrypts what is written down. Raises CausewayError `unavailable`: the key cannot be read."""

    @property
    def seals(self) -> bool:
        """Whether there is a key."""
        ...

    def seal(self, secret: str) -> str:
        """The secret as it may be written down."""
        ...

    def is_current(self, text: str) -> bool:
        """Whether it is sealed as it would be now."""
        ...

    def reveal(self, text: str) -> str:
        """The secret in clear."""
        ...


class EventLog(Protocol):
    """The records of storage, to be replayed. Raises CausewayError `unavailable`."""

    async def page(self, app: str, operation: str, since_ms: int, until_ms: int, after: str) -> RecordsReply:
        """Records of an app's operation that were made in that time, in the order of their making, behind that cursor; without payloads."""
        ...

    async def record(self, id: str) -> KeptRecord | None:
        """One in full."""
        ...


class Announcer(Protocol):
    """Tells the stream of events."""

    async def tell(self, event: LifecycleEvent) -> None:
        """Durable when it returns. Raises CausewayError `unavailable`."""
        ...


class Destinations(Protocol):
    """Which URLs requests may go to."""

    async def refusal(self, url: str) -> str:
        """Why none may go there; "" where it may, or where the name does not resolve right now."""
        ...
