"""Logs and their feed: append, heads, history."""

from __future__ import annotations

from causeway_common.contracts.messages.base import ClientInfo, Message


class AppendItem(Message, frozen=True):
    """One publication to append; `id` carries its type in the prefix (contracts.ids).

    `delta` travels with the feed message. `version` above 0: left out where the channel has seen this version or a later one, unless
    `version_epoch` is another one than then.
    """

    id: str
    data: bytes
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False
    version: int = 0
    version_epoch: str = ""


class AppendRequest(Message, frozen=True):
    """Append to one channel's log: all items or none. `size` publications are kept, each for `ttl_ms`.

    `skip_history`: nothing is written; the items go on the channel's feed without a position, behind what was answered before.
    """

    channel: str
    size: int
    ttl_ms: int
    items: list[AppendItem]
    skip_history: bool = False


class AppendReply(Message, frozen=True):
    """Durable. `offsets[i]` belongs to `items[i]`; an id seen before gets its first offset (and `repeats[i]` is true).

    `skipped[i]`: its version was seen before, nothing was appended and its offset is the head's.
    """

    epoch: str
    offsets: list[int]
    repeats: list[bool]
    skipped: list[bool] = []


class StoredPublication(Message, frozen=True):
    """One publication of a log. `time_ms` is the storage clock at the append."""

    offset: int
    data: bytes
    time_ms: int
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None


class FeedPublication(Message, frozen=True):
    """What storage (logged: with epoch and offset) or a gateway (unlogged: without) puts on a channel's feed."""

    channel: str
    data: bytes
    epoch: str = ""
    offset: int = 0
    time_ms: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False


class FeedMembership(Message, frozen=True):
    """A client joined or left a channel. `id` is set where a dead gateway's leave is told by storage: repeats have the same one."""

    channel: str
    joined: bool
    info: ClientInfo
    id: str = ""


class Head(Message, frozen=True):
    """Where a log stands: last offset `head`, nothing at or below `floor` is served. A log never written: `-day.generation`, 0, 0 (contracts.epochs)."""

    epoch: str = ""
    head: int = 0
    floor: int = 0


class HeadsRequest(Message, frozen=True):
    """Ask for the heads of up to 512 channels."""

    channels: list[str]


class HeadsReply(Message, frozen=True):
    """`heads[i]` belongs to `channels[i]`."""

    heads: list[Head]


class HistoryRequest(Message, frozen=True):
    """A page of a log.

    Forward (`reverse` false): offsets above `since` (0 = from the floor), ascending. Reverse: offsets below `since` (0 = from the
    head), descending. `limit` 0 asks for the head alone.
    """

    channel: str
    since: int = 0
    limit: int = 0
    reverse: bool = False


class HistoryReply(Message, frozen=True):
    """One page, at most 256 KiB of data, its offsets consecutive. `more`: the same question from the last offset has more."""

    head: Head
    publications: list[StoredPublication]
    more: bool = False


class RemoveRequest(Message, frozen=True):
    """Remove what a log holds; its epoch and head stay, so that who was behind is told."""

    channel: str


class RemoveReply(Message, frozen=True):
    """Removed, durably."""

    head: Head
