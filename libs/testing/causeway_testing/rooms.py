"""Channels as the test's gateway follows them: the real feed of a gateway over the storage in this process, and who watches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, assert_never

from pydantic_core import from_json

from causeway_common.contracts.epochs import continues
from causeway_common.contracts.messages import ClientInfo, FeedPublication, Head, HistoryRequest, NamespaceSpec, StoredPublication
from causeway_gateway.domain.feed import Deliver, Feed, Hold, Insufficient, Output, Read
from causeway_gateway.domain.protocol import Publication, publication_of
from causeway_storage.ports import Appended, Logs
from causeway_testing.loop import VirtualLoop
from causeway_testing.steps import Steps

PAGE: Final = 512


@dataclass(frozen=True, slots=True)
class Received:
    """One publication as a client got it. `offset` is 0 where the channel has no history; `user` published it, "" for the app."""

    data: Any
    offset: int = 0
    tags: dict[str, str] | None = None
    user: str = ""

    @classmethod
    def of(cls, publication: Publication) -> Received:
        """What the client sees of it."""
        user = "" if publication.info is None else publication.info.user
        return cls(from_json(bytes(publication.data)), publication.offset, publication.tags, user)


class Watcher(Protocol):
    """A subscription."""

    @property
    def info(self) -> ClientInfo:
        """Who watches."""
        ...

    @property
    def present(self) -> bool:
        """Whether it counts in the channel's presence."""
        ...

    def received(self, publication: Publication) -> None:
        """The next publication."""
        ...

    def told(self, info: ClientInfo, *, joined: bool) -> None:
        """Somebody has come or gone."""
        ...

    def insufficient(self) -> None:
        """The log is another one or has holes."""
        ...


class Room:
    """One channel."""

    def __init__(self, name: str, feed: Feed | None) -> None:
        self.name, self.feed = name, feed
        self.watchers: list[Watcher] = []


@dataclass(frozen=True, slots=True)
class Missed:
    """What came after a position. `whole`: nothing is missing between it and the head."""

    head: Head
    publications: tuple[Publication, ...]
    whole: bool


class Rooms:
    """All channels that are watched."""

    def __init__(self, loop: VirtualLoop, steps: Steps, logs: Logs) -> None:
        self._loop, self._steps, self._logs = loop, steps, logs
        self._rooms: dict[str, Room] = {}

    async def enter(self, channel: str, spec: NamespaceSpec) -> Room:
        """The room of a channel, its feed begun."""
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = Room(channel, Feed() if spec.has_history else None)
        if room.feed is not None and not room.feed.started:
            (head,) = await self._logs.heads([channel])
            self._run(room, room.feed.start(head))
        return room

    def leave(self, channel: str, watcher: Watcher) -> None:
        """Somebody watches no more."""
        room = self._rooms[channel]
        room.watchers.remove(watcher)
        if not room.watchers:
            del self._rooms[channel]

    def present(self, channel: str) -> list[ClientInfo]:
        """Who watches."""
        room = self._rooms.get(channel)
        return [] if room is None else [each.info for each in room.watchers if each.present]

    def tell(self, channel: str, info: ClientInfo, *, joined: bool) -> None:
        """Somebody has come or gone: those who watch are told, that one too."""
        room = self._rooms.get(channel)
        for watcher in [] if room is None else list(room.watchers):
            watcher.told(info, joined=joined)

    async def missed(self, channel: str, epoch: str, offset: int) -> Missed:
        """What came after a position, read from the log."""
        found: list[Publication] = []
        while True:
            page = await self._logs.history(HistoryRequest(channel=channel, since=offset + len(found), limit=PAGE))
            found += _following(page.publications, offset + len(found))
            if not page.more or not page.publications:
                whole = continues(epoch, page.head.epoch) and offset + len(found) == page.head.head
                return Missed(page.head, tuple(found) if whole else (), whole)

    def appended(self, appended: Appended) -> None:
        """Storage has written these: they go to the feed, each by its own fate."""
        room = self._rooms.get(appended.channel)
        if room is None:
            return
        for each in appended.publications:
            arrive = partial(self._arrived, room, appended.epoch, publication_of(each))
            chance = self._steps.chance
            fate = "arrives" if chance is None else chance.fate()
            if chance is not None and fate == "late":
                self._loop.call_later(chance.delay(), arrive)
            elif fate not in ("lost", "answer lost"):
                arrive()
                if fate == "twice":
                    arrive()
            if fate != "arrives":
                self._steps.tell(f"  feed of {room.name}, offset {each.offset}: {fate}")

    def passing(self, message: FeedPublication) -> None:
        """A publication without a position: at most once."""
        room = self._rooms.get(message.channel)
        chance = self._steps.chance
        if room is None or (chance is not None and chance.fate() in ("lost", "answer lost")):
            return
        publication = publication_of(message)
        if room.feed is None:
            self._deliver(room, [publication])
        else:
            self._run(room, room.feed.passing(publication))

    async def compare(self) -> None:
        """Compare all heads, as a gateway does now and then: a lost last message arrives."""
        for room in list(self._rooms.values()):
            if room.feed is not None:
                (head,) = await self._logs.heads([room.name])
                self._run(room, room.feed.compare(head))

    def _arrived(self, room: Room, epoch: str, publication: Publication) -> None:
        if room.feed is not None:
            self._run(room, room.feed.publication(epoch, publication))

    def _run(self, room: Room, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Deliver(publications):
                    self._deliver(room, publications)
                case Hold(milliseconds):
                    self._loop.call_later(milliseconds / 1000, self._held, room)
                case Read(since):
                    self._loop.spawn(self._read(room, since))
                case Insufficient():
                    for watcher in list(room.watchers):
                        watcher.insufficient()
                case _:
                    assert_never(output)

    def _held(self, room: Room) -> None:
        if room.feed is not None:
            self._run(room, room.feed.timer())

    async def _read(self, room: Room, since: int) -> None:
        page = await self._logs.history(HistoryRequest(channel=room.name, since=since, limit=PAGE))
        if room.feed is not None:
            self._run(room, room.feed.page(page.head, map(publication_of, page.publications)))

    def _deliver(self, room: Room, publications: Iterable[Publication]) -> None:
        for publication in publications:
            for watcher in list(room.watchers):
                watcher.received(publication)


def _following(publications: list[StoredPublication], last: int) -> list[Publication]:
    found: list[Publication] = []
    for each in publications:
        if each.offset == last + len(found) + 1:
            found.append(publication_of(each))
    return found
