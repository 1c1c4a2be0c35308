"""The channels' logs. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.contracts.messages import (
    AppendRequest,
    Head,
    HistoryReply,
    HistoryRequest,
    StoredPublication,
)


@dataclass(frozen=True, slots=True)
class Appended:
    """A durable append: `offsets`, `repeats` and `skipped` per item as in AppendReply, `publications` the new ones, ascending.

    `deltas` are the offsets of those that may go as patches.
    """

    channel: str
    epoch: str
    offsets: tuple[int, ...]
    repeats: tuple[bool, ...]
    publications: tuple[StoredPublication, ...]
    skipped: tuple[bool, ...] = ()
    deltas: frozenset[int] = frozenset()


class Logs(Protocol):
    """The channels' logs.

    For each append that wrote something the adapter calls `on_appended` once, on the event loop, after it is durable and before
    `append` returns, in offset order per channel, also when nobody waits for the answer any more.
    """

    async def append(self, request: AppendRequest, now_ms: int) -> Appended:
        """All items or none, at the end of the log. An id seen before gets its first offset, also after its publication went."""
        ...

    async def heads(self, channels: Sequence[str]) -> list[Head]:
        """In the order asked; a channel never written has an epoch without letters."""
        ...

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """A page of consecutive offsets and the head, both of one moment. Nothing at or below the floor."""
        ...

    async def remove(self, channel: str) -> Head:
        """Remove every publication of a log; the head stays, the floor is at it. A channel never written has an epoch without letters."""
        ...

    async def remove_expired(self, now_ms: int, limit: int) -> int:
        """Remove what is older than its channel's ttl, in up to `limit` channels; how many were looked at. Epoch and head stay.

        Now and then emptied logs go that nobody has appended to for `QUIET_DAYS` and whose ids were forgotten: the next append begins a
        new epoch.
        """
        ...

    async def forget_ids(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` ids seen before `before_ms`; how many."""
        ...
