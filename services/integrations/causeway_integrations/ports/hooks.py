"""What the listener of inbound webhooks hands them to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class TakenPort(Protocol):
    """What the sender is answered."""

    @property
    def status(self) -> int:
        """HTTP's."""
        ...

    @property
    def text(self) -> str:
        """One line."""
        ...


class HooksPort(Protocol):
    """Takes webhooks."""

    def knows(self, source: str) -> bool:
        """Whether there is such a source."""
        ...

    async def take(self, name: str, headers: Mapping[str, str], body: bytes) -> TakenPort:
        """What to answer: 2xx only once the event is durable. Headers by lower-case name."""
        ...
