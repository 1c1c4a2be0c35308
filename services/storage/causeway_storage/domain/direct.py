"""What may leave in the same act as its commit, where the store can do both: publications that nothing stands before.

The order of one channel is that of the versions, so what waits in the outbox for it goes first; and what an item of a kind that is unknown
here does to a channel is not known, so that where one waits nothing passes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from causeway_common.contracts.codec import ITEM_KINDS
from causeway_common.contracts.messages import AppendItem, AppendRequest, JsonMap, PublishItem
from causeway_storage.domain.entity import OUTBOX, Commit
from causeway_storage.domain.relay import PUBLISH


@dataclass(frozen=True, slots=True)
class Leaving:
    """One append for each channel, and the places of the items that they carry."""

    appends: tuple[AppendRequest, ...] = ()
    places: frozenset[int] = frozenset()


NOTHING: Final = Leaving()


def leaving(document: JsonMap | None, commit: Commit) -> Leaving:
    """What of a commit may leave with it.

    Without ids: only with the commit could it come again, and that has one.

    Args:
        document: as it is before the commit; None where there is none.
        commit: a checked one.
    """
    if not commit.publications:
        return NOTHING
    waiting = _waiting((document or {}).get(OUTBOX, ()))
    if waiting is None:
        return NOTHING
    channels: dict[str, tuple[list[PublishItem], list[AppendItem]]] = {}
    places: list[int] = []
    for place, item in commit.publications:
        if item.channel not in waiting:
            items, appends = channels.setdefault(item.channel, ([], []))
            items.append(item)
            appends.append(AppendItem(id="", data=item.data, tags=item.tags))
            places.append(place)
    return Leaving(
        tuple(
            AppendRequest(channel=channel, size=items[-1].size, ttl_ms=items[-1].ttl_ms, items=appends)
            for channel, (items, appends) in channels.items()
        ),
        frozenset(places),
    )


def _waiting(outbox: Sequence[JsonMap]) -> frozenset[str] | None:
    """The channels that something waits for; None where an item waits whose kind is unknown here."""
    channels: set[str] = set()
    for element in outbox:
        for item in element["items"]:
            if item.get("kind") not in ITEM_KINDS:
                return None
            if item["kind"] == PUBLISH:
                channels.add(str(item.get("channel", "")))
    return frozenset(channels)
