"""What a session asks of the services behind it, and how each question ends."""

from __future__ import annotations

from dataclasses import dataclass

from causeway_common.contracts.errors import CausewayError
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.namespaces import Rule


@dataclass(frozen=True, slots=True)
class Who:
    """A connection's identity: user ("" is anonymous), client id, and the JSON value of its token."""

    user: str
    client: str
    info: bytes | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A command under way: its lane ("" is none), its number on this connection (1, 2, 3…), when it came (monotonic ms)."""

    command: p.Command
    lane: str
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class SubscribeAsk:
    """May the client watch this channel (`hook`: ask its app), and from where?"""

    pending: Pending
    who: Who
    request: p.SubscribeRequest
    rule: Rule
    hook: bool
    positioned: bool
    recoverable: bool


@dataclass(frozen=True, slots=True)
class PublishAsk:
    """Publish; answered after it is durable where the channel has history."""

    pending: Pending
    who: Who
    channel: str
    rule: Rule
    data: bytes
    info: p.ClientInfo


@dataclass(frozen=True, slots=True)
class HistoryAsk:
    """Read a page of the log."""

    pending: Pending
    who: Who
    request: p.HistoryRequest
    rule: Rule


@dataclass(frozen=True, slots=True)
class RpcAsk:
    """Call an app's method."""

    pending: Pending
    who: Who
    app: str
    method: str
    data: bytes


Ask = SubscribeAsk | PublishAsk | HistoryAsk | RpcAsk


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The reply, the offset that comes next for this subscriber, and its `chan_info`."""

    channel: str
    result: p.SubscribeResult
    next_offset: int
    info: bytes | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """Done."""


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """The page."""

    result: p.HistoryResult


@dataclass(frozen=True, slots=True)
class Called:
    """The app's answer, one JSON value."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work out."""

    error: CausewayError


Outcome = Subscribed | Published | HistoryRead | Called | Failed
