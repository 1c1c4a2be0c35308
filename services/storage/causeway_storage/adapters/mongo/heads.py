"""The head document of a channel: its form in the database, and the one conditional update that an append is.

_id        the channel
letters    of its epoch
head       its last offset: with `letters` the fence of every append
floor      nothing at or below it is served; it only rises ($max)
base       the newest publications begin behind it; what is at or below it is in segments
pubs       encoded publications base+1 … head, empty where the floor had passed them
ids        their ids, "" where forgotten
times      when they were appended
ids_ms     the oldest time of an id that is not forgotten; absent where all are
seen       the version seen last, and the epoch of versions: [version, epoch]
ttl        of the publications
expires    when to look for what is too old; absent where nothing is left
trim       when to look at the segments below the floor; absent where there are none
at         when it was last appended to
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.binary import Binary

from causeway_common.contracts.codec import encode
from causeway_storage.domain.log import NEVER_SEEN, AppendPlan, KnownId, LogHead, SeenVersion

NEWEST_MAX: Final = 32
NEWEST_MAX_BYTES: Final = 32 * 1024
MOVE_FROM: Final = 24
"""From so many publications on (or so many KiB) those that are durable are put into a segment, beside the next append."""
TRIM_DELAY_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One publication as the head document and the segments keep it. `body` is empty where the floor had passed it."""

    offset: int
    id: str
    time_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class HeadDocument:
    """A head document as read, or as it will be."""

    log: LogHead
    kept: tuple[Kept, ...]
    seen: SeenVersion = NEVER_SEEN
    ttl_ms: int = 0

    @property
    def size(self) -> int:
        """Bytes of the newest publications."""
        return sum(len(each.body) for each in self.kept)

    @property
    def full(self) -> bool:
        """Whether its publications should be put into a segment."""
        return len(self.kept) >= MOVE_FROM or self.size >= MOVE_FROM * 1024

    def has_room(self, count: int, size: int) -> bool:
        """Whether it may take so many more."""
        return len(self.kept) + count <= NEWEST_MAX and self.size + size <= NEWEST_MAX_BYTES

    def without(self, moved: int) -> HeadDocument:
        """It without what is in segments."""
        kept = tuple(each for each in self.kept if each.offset > moved)
        return HeadDocument(self.log, kept, self.seen, self.ttl_ms)

    def known(self) -> dict[str, KnownId]:
        """The ids in it."""
        return {each.id: KnownId(each.offset, each.time_ms) for each in self.kept if each.id}


def read_head(document: Mapping[str, Any]) -> HeadDocument:
    """From the database's form."""
    log = LogHead(document["letters"], document["head"], document["floor"])
    seen = SeenVersion(*document["seen"]) if document.get("seen") else NEVER_SEEN
    return HeadDocument(log, read_kept(document["base"] + 1, document), seen, document["ttl"])


def read_kept(first: int, document: Mapping[str, Any]) -> tuple[Kept, ...]:
    """The publications of a head document or a segment, whose first has this offset."""
    rows = zip(document["ids"], document["times"], document["pubs"], strict=True)
    return tuple(Kept(first + index, *row) for index, row in enumerate(rows))


def write_kept(kept: Sequence[Kept], floor: int) -> dict[str, Any]:
    """The fields that `read_kept` reads; what the floor has passed is left out."""
    return {
        "pubs": [Binary(each.body if each.offset > floor else b"") for each in kept],
        "ids": [each.id for each in kept],
        "times": [each.time_ms for each in kept],
    }


def oldest_id_ms(kept: Sequence[Kept]) -> int | None:
    """The oldest time of an id that is not forgotten."""
    return min((each.time_ms for each in kept if each.id), default=None)


def appended(before: HeadDocument | None, plan: AppendPlan, ttl_ms: int, now_ms: int) -> HeadDocument:
    """What the document is after an append."""
    names = {offset: name for name, offset in plan.new_ids.items()}
    new = tuple(Kept(each.offset, names.get(each.offset, ""), now_ms, encode(each)) for each in plan.publications)
    kept = before.kept if before else ()
    return HeadDocument(plan.head, (*kept, *new), plan.seen, ttl_ms)


def insertion(channel: str, after: HeadDocument, now_ms: int) -> dict[str, Any]:
    """The document of a channel that is new."""
    return {
        "_id": channel,
        "letters": after.log.letters,
        "floor": after.log.floor,
        "expires": now_ms + after.ttl_ms,
        **_fields(after, now_ms),
    }


def update(
    channel: str, before: HeadDocument, after: HeadDocument, *, moved: bool, now_ms: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filter and the update of an append: it counts only where nobody else has appended since `before`.

    Args:
        channel: whose.
        before: the document as it is thought to be.
        after: as it will be.
        moved: whether publications leave it for segments.
        now_ms: the time of day.
    """
    # Worked out with the old ttl where that was another: then look at once. What is there and earlier stays.
    earliest = {"expires": 0 if before.ttl_ms != after.ttl_ms else now_ms + after.ttl_ms}
    if moved:
        earliest["trim"] = now_ms + TRIM_DELAY_MS
    fence = {"_id": channel, "letters": before.log.letters, "head": before.log.head}
    return fence, {"$set": _fields(after, now_ms), "$max": {"floor": after.log.floor}, "$min": earliest}


def _fields(after: HeadDocument, now_ms: int) -> dict[str, Any]:
    fields = {
        "head": after.log.head,
        "base": after.log.head - len(after.kept),
        **write_kept(after.kept, after.log.floor),
        "ids_ms": oldest_id_ms(after.kept),
        "ttl": after.ttl_ms,
        "at": now_ms,
    }
    if after.seen != NEVER_SEEN:
        fields["seen"] = [after.seen.version, after.seen.epoch]
    return fields
