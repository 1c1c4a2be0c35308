"""One subscription of one connection, as session, fan-out and presence share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from causeway_common.contracts.messages import ClientInfo

NEVER: Final = 2**62
Filter = Callable[[Mapping[str, str] | None], bool]


class Subscription:
    """What is known of a subscription; which of these are on was negotiated when it began.

    Attributes:
        info: who is subscribed, with its `chan_info`.
        server_side: the server began it, and closes the connection where a client-side one would be told to subscribe again.
        presence: it counts in presence.
        emits: its join and leave are told.
        watches: it is told joins and leaves of the channel.
        delta: publications come as patches where that is shorter.
        accepts: the filter of its publications, None takes all.
        refresher: who renews it.
        slow: what happens while its client does not read: "close", "drop" or "conflate".
        expire_at: monotonic ms, grace included; NEVER. As its giver said it (wall-clock ms) until it begins.
        next_offset: the publication that comes next for it, as long as no group of a room knows it for all; 0 without history.
        begun: its join was told.
        holds: what it holds at storage while it lasts (`domain.attendance`).
        based: the running number on this gateway of the last publication it got: what comes next may be a patch of that one.
    """

    __slots__ = (
        "accepts",
        "based",
        "begun",
        "delta",
        "emits",
        "expire_at",
        "holds",
        "info",
        "next_offset",
        "presence",
        "refresher",
        "server_side",
        "slow",
        "watches",
    )

    def __init__(
        self,
        info: ClientInfo,
        *,
        server_side: bool = False,
        presence: bool = False,
        emits: bool = False,
        watches: bool = False,
        delta: bool = False,
        accepts: Filter | None = None,
        refresher: str = "",
        slow: str = "close",
        expire_at: int = NEVER,
        holds: int = 0,
    ) -> None:
        self.info, self.server_side, self.presence, self.emits, self.watches = info, server_side, presence, emits, watches
        self.delta, self.accepts, self.refresher, self.slow, self.expire_at = delta, accepts, refresher, slow, expire_at
        self.next_offset = self.based = 0
        self.begun = False
        self.holds = holds

    @property
    def plain(self) -> bool:
        """Whether it gets every publication as it is, like all others of its codec."""
        return not self.delta and self.accepts is None and self.slow == "close"
