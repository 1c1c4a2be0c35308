"""What the gateway needs from outside, as promises. Handlers are written against these, adapters keep them, `app.py` joins them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.messages import (
    AppendItem,
    AppendReply,
    ClientInfo,
    FeedPublication,
    Head,
    HistoryReply,
    RpcRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
)
from causeway_gateway.domain.namespaces import Rule
from causeway_gateway.domain.wheel import Entry


class Storage(Protocol):
    """The logs of the channels. Everything raises CausewayError: 100 unavailable where storage cannot answer in time."""

    async def append(self, channel: str, rule: Rule, item: AppendItem, deadline: Deadline) -> AppendReply:
        """Append; returns once it is durable. The item's id makes a repeat harmless."""
        ...

    async def history(self, channel: str, *, since: int, limit: int, reverse: bool, deadline: Deadline) -> HistoryReply:
        """A page as contracts.messages.HistoryRequest says, with the head at that moment, majority-durable."""
        ...

    async def heads(self, channels: Sequence[str], deadline: Deadline) -> list[Head]:
        """The heads of up to 512 channels, in their order."""
        ...


class Apps(Protocol):
    """The apps. Both raise CausewayError: the app's own error, or 100 unavailable at once where no instance is there."""

    async def call(self, app: str, method: str, request: RpcRequest, deadline: Deadline) -> bytes:
        """Call a method; its answer is one JSON value."""
        ...

    async def may_subscribe(self, app: str, request: SubscribeHookRequest, deadline: Deadline) -> SubscribeHookReply:
        """Ask the subscribe hook; a denial is an error."""
        ...


class Subscription(Protocol):
    """A feed that is listened to."""

    async def close(self) -> None:
        """Listen no more."""
        ...


class FeedBus(Protocol):
    """The connection that carries the feeds."""

    async def listen(self, channel: str, callback: Callable[[FeedPublication], None], *, logged: bool) -> Subscription:
        """Hear a channel's feed, from the next `flush` on; kept over reconnects, where messages may be missed."""
        ...

    async def flush(self) -> None:
        """After it the broker has every `listen` before it. Raises CausewayError: 100 unavailable."""
        ...


class Unlogged(Protocol):
    """Publishing into channels without history."""

    async def publish(self, channel: str, data: bytes, info: ClientInfo | None, tags: dict[str, str] | None) -> None:
        """At most once, to every gateway with subscribers. Raises CausewayError: 100 unavailable, 107 too large."""
        ...


class Timers(Protocol):
    """Coarse timers; the process's monotonic and wall clocks."""

    def now(self) -> int:
        """Monotonic milliseconds, those of the event loop."""
        ...

    def wall(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def at(self, when: int, callback: Callable[[], None]) -> Entry:
        """Call back at `when` (monotonic ms) or a little later."""
        ...


class Tasks(Protocol):
    """Background work that ends with the process."""

    def spawn(self, work: Awaitable[None]) -> None:
        """Run `work`; what it raises is logged."""
        ...


class Link(Protocol):
    """A client's connection as the handlers see it."""

    def send(self, frame: bytes) -> None:
        """Queue one frame of this connection's transport; never waits, nothing after `shut`."""
        ...

    def shut(self, code: CloseCode) -> None:
        """Flush (but not for SLOW) and close."""
        ...


class Peer(Protocol):
    """The gateway as a transport sees it: one per connection."""

    def received(self, frame: bytes) -> None:
        """A message of the client."""
        ...

    def gone(self) -> None:
        """The connection is over; may be called more than once."""
        ...

    def overflowed(self) -> None:
        """The client reads too slowly: its bound of queued bytes is passed."""
        ...


class Api(Protocol):
    """The server API as its transport sees it."""

    async def handle(self, method: str, body: bytes) -> bytes:
        """The JSON answer to a request, errors of the table included.

        Raises:
            LookupError: no such method.
            ValueError: the body cannot be decoded.
        """
        ...
