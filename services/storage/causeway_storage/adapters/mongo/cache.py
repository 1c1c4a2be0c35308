"""What a process remembers of channels: their head documents and the ids they have seen. Never the truth: the fence decides."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from causeway_storage.adapters.mongo.database import Collection as MongoCollection
from causeway_storage.adapters.mongo.database import Fields, MongoDatabase
from causeway_storage.adapters.mongo.heads import HeadDocument, read_head
from causeway_storage.adapters.mongo.segments import Segments, log_key
from causeway_storage.domain.log import KnownId, LogHead

HEADS: Final = "heads"
IDS_MAX: Final = 200_000
"""Ids in memory, about 50 MB; beyond it the channels used longest ago are forgotten here."""
IDS_PER_CHANNEL_MAX: Final = 20_000
CHANNELS_MAX: Final = 100_000


@dataclass(slots=True)
class Entry:
    """A channel as remembered.

    Attributes:
        document: its head document; None: there was none.
        known: ids and their offsets: all those above `known_above`.
        known_above: below it an id must be looked up.
        moved: up to here its publications are in segments for sure.
        fresh: read in this round, and not only remembered.
    """

    document: HeadDocument | None
    known: dict[str, KnownId]
    known_above: int = 0
    moved: int = 0
    fresh: bool = True

    def remember(self, document: HeadDocument, new: Iterable[tuple[str, KnownId]]) -> None:
        """It was appended to: this is the document now, and these ids are new."""
        self.document = document
        self.known.update(new)
        if len(self.known) > IDS_PER_CHANNEL_MAX:
            kept = list(self.known.items())[len(self.known) // 2 :]
            self.known, self.known_above = dict(kept), max(self.known_above, kept[0][1].offset - 1)

    def forget_ids(self, before_ms: int) -> None:
        """Ids older than this were forgotten."""
        self.known = {name: seen for name, seen in self.known.items() if seen.time_ms >= before_ms}
        if self.document:
            kept = tuple(each if each.time_ms >= before_ms else replace(each, id="") for each in self.document.kept)
            self.document = replace(self.document, kept=kept)


class Heads:
    """The cache."""

    def __init__(self, database: MongoDatabase, segments: Segments) -> None:
        self._database, self._segments = database, segments
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._stale: set[str] = set()
        self._ids = 0

    def __getitem__(self, channel: str) -> Entry:
        """A channel that was loaded."""
        return self._entries[channel]

    def __len__(self) -> int:
        """How many channels are remembered."""
        return len(self._entries)

    def forget(self, channels: Collection[str]) -> None:
        """Read these again before they are used."""
        for channel in channels:
            if entry := self._entries.pop(channel, None):
                self._ids -= len(entry.known)

    async def load(self, channels: Sequence[str]) -> None:
        """Have these here.

        Raises:
            CausewayError: 100, the database does not answer.
        """
        self.forget(self._stale)
        self._stale.clear()
        for channel in channels:
            if channel in self._entries:
                self._entries.move_to_end(channel)
                self._entries[channel].fresh = False
        missing = [channel for channel in channels if channel not in self._entries]
        if not missing:
            return
        found = await self.read(missing)
        for channel, entry in zip(
            missing, await asyncio.gather(*(self._entry(each, found.get(each)) for each in missing)), strict=True
        ):
            self._entries[channel] = entry
            self._ids += len(entry.known)

    async def read(self, channels: Sequence[str], fields: Fields | None = None) -> dict[str, Fields]:
        """These channels' head documents as a majority has them, where there are any."""

        async def work(collection: MongoCollection) -> dict[str, Fields]:
            wanted = {"_id": {"$in": list(channels)}}
            return {each["_id"]: each async for each in collection.find(wanted, fields)}

        return await self._database.read(HEADS, "find", work)

    def stale(self, channel: str) -> None:
        """Read this again before the next batch; the one that is under way may still use it."""
        self._stale.add(channel)

    def raise_floor(self, channel: str, head: LogHead) -> None:
        """The floor was raised, by retention."""
        entry = self._entries.get(channel)
        if entry and entry.document and entry.document.log.letters == head.letters:
            log = replace(entry.document.log, floor=max(entry.document.log.floor, head.floor))
            entry.document = replace(entry.document, log=log)

    def forget_ids(self, channel: str, before_ms: int) -> None:
        """Ids older than this were forgotten."""
        if entry := self._entries.get(channel):
            before = len(entry.known)
            entry.forget_ids(before_ms)
            self._ids += len(entry.known) - before

    def remember(self, channel: str, document: HeadDocument, new: Iterable[tuple[str, KnownId]]) -> None:
        """It was appended to: this is the document now, and these ids are new."""
        entry = self._entries[channel]
        self._ids -= len(entry.known)
        entry.remember(document, new)
        self._ids += len(entry.known)

    def shrink(self) -> None:
        """Forget channels used longest ago, down to the bounds. Not while a batch is being made."""
        while self._entries and (self._ids > IDS_MAX or len(self._entries) > CHANNELS_MAX):
            self.forget([next(iter(self._entries))])

    async def _entry(self, channel: str, fields: Fields | None) -> Entry:
        if fields is None:
            return Entry(None, {})
        document = read_head(fields)
        known: dict[str, KnownId] = {}
        above = 0
        if fields["base"]:
            known, above = await self._segments.newest_ids(log_key(document.log.letters, channel))
        return Entry(document, known | document.known(), above, fields["base"])


def ids_to_look_up(entry: Entry, names: Collection[str]) -> list[str]:
    """Those of these ids that memory does not decide."""
    return [name for name in names if name not in entry.known] if entry.known_above else []
