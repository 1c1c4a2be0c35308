"""One channel that this gateway's clients watch, and what is listened to for it."""

from __future__ import annotations

import asyncio

from causeway_common.contracts.messages import NamespaceSpec
from causeway_gateway.domain.feed import Feed
from causeway_gateway.domain.wheel import Entry
from causeway_gateway.handlers.fanout import Fanout
from causeway_gateway.ports import Subscription as Listener


class Channel:
    """One channel on this gateway. `feed` is None where the channel has no history."""

    __slots__ = ("app", "closed", "comparison", "fanout", "feed", "holds", "listener", "members", "name", "ready", "tells")

    def __init__(self, name: str, spec: NamespaceSpec) -> None:
        self.name = name
        self.app = ""  # that owns its namespace, as far as it is listened to
        self.fanout = Fanout(name, delta_publish=spec.delta_publish, conflate_tag=spec.conflate_tag)
        self.feed = Feed() if spec.has_history else None
        self.listener: Listener | None = None
        self.members: Listener | None = None
        self.ready: asyncio.Future[None] | None = None
        self.comparison: Entry | None = None
        self.holds = 0
        self.tells = False  # somebody wants to hear joins and leaves
        self.closed = False

    @property
    def idle(self) -> bool:
        """Whether nobody watches or is about to."""
        return not self.holds and self.fanout.room.empty

    def usable(self, spec: NamespaceSpec) -> bool:
        """Whether a subscriber may join right now."""
        ready = self.ready
        if ready is None or not ready.done() or ready.exception() is not None:
            return False
        return self.members is not None or not spec.join_leave
