"""One HTTP request to the outside, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from causeway_integrations.domain.outcome import RETRY_AFTER_MAX_MS


def _none() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. Headers may hold secrets, so they are in no repr."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=_none, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_s: float | None = None
    max_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Answered:
    """The peer answered.

    Attributes:
        status: of the answer.
        body: its begin, at most the request's `max_bytes` and one.
        headers: by lower-case name.
        cut: the body has more than `max_bytes`, or broke off.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=_none)
    cut: bool = False

    @property
    def text(self) -> str:
        """The body's begin."""
        return self.body[:1024].decode("utf-8", "replace")

    @property
    def note(self) -> str:
        """As a record keeps it."""
        return f"{self.status}: {self.text}" if self.body else str(self.status)

    def retry_after_ms(self, now_ms: int) -> int:
        """The pause that the peer asks for (RFC 9110, section 10.2.3), within bounds; 0: none."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 12:
            return min(int(text) * 1000, RETRY_AFTER_MAX_MS)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return 0
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = (at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
        return int(min(max(seconds * 1000, 0), RETRY_AFTER_MAX_MS))


@dataclass(frozen=True, slots=True)
class NotReached:
    """No answer: the name does not resolve, no connection, no TLS, no answer in time."""

    why: str


@dataclass(frozen=True, slots=True)
class AddressRefused:
    """The address is none that requests may go to."""

    why: str


Answer = Answered | NotReached | AddressRefused
