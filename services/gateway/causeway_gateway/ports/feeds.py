"""Channel feeds, and who is told of what in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import AttendReply, AttendRequest, ClientInfo, FeedMembership, FeedPublication


class Subscription(Protocol):
    """A feed that is listened to."""

    async def close(self) -> None:
        """Listen no more."""
        ...


class FeedBus(Protocol):
    """The connection that carries the feeds."""

    async def listen(
        self, channel: str, callback: Callable[[FeedPublication], None], *, logged: bool, app: str = ""
    ) -> Subscription:
        """Hear a channel's feed, from the next `flush` on; kept over reconnects, where messages may be missed.

        Without history it is the feed of the `app` that owns the channel's namespace ("": none does).
        """
        ...

    async def listen_members(self, channel: str, callback: Callable[[FeedMembership], None]) -> Subscription:
        """Hear a channel's joins and leaves, as `listen`."""
        ...

    async def flush(self) -> None:
        """After it the broker has every `listen` before it. Raises CausewayError: 100 unavailable."""
        ...


class Unlogged(Protocol):
    """Publishing into channels without history."""

    async def publish(
        self,
        channel: str,
        data: bytes,
        info: ClientInfo | None,
        tags: dict[str, str] | None,
        *,
        delta: bool = False,
        app: str = "",
    ) -> None:
        """At most once, to every gateway with subscribers; `app` owns the channel's namespace ("": none does).

        Raises CausewayError: 100 unavailable, 107 too large.
        """
        ...


class Members(Protocol):
    """Joins and leaves."""

    def tell(self, membership: FeedMembership) -> None:
        """At most once, to every gateway with watchers, in order. Raises CausewayError: 100 unavailable."""
        ...


class Attendances(Protocol):
    """What this gateway holds, as storage knows it."""

    async def attend(self, request: AttendRequest, deadline: Deadline) -> AttendReply:
        """Tell it, durably; a repeat is harmless. Raises CausewayError: 100 unavailable, 107 for what it never takes."""
        ...
