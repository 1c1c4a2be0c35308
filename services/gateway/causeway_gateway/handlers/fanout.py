"""One publication to all its local subscribers: encoded once for each codec, one append for each subscriber (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Protocol

import msgspec

from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.messages import FeedMembership
from causeway_gateway.domain.delta import create
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.hub import Group, Room
from causeway_gateway.domain.protocol import Member, Publication, Push, Raw, client_info
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers import metrics

SLOW_BYTES: Final = 64 * 1024
"""A reader of whom more than this waits is slow where the namespace drops or conflates."""

SLICE: Final = 4096
"""Subscribers that are handed a publication in one turn of the loop, about 2 ms (`make bench`: 0.4 µs each, the write not counted)."""
WAITING_MAX: Final = 64
"""Publications of one channel that may wait for the fan-out of the one before."""


class Subscriber(Protocol):
    """A client in a room."""

    @property
    def codec(self) -> Codec:
        """How it is spoken to."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes that wait for it."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue one frame."""
        ...

    def send_latest(self, key: tuple[str, str], frame: bytes) -> None:
        """Queue one frame for when it reads again, in the place of an older one of this key."""
        ...

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        """The server ended this subscription."""
        ...


def as_text(data: bytes) -> Raw:
    """Text as a JSON string: how a JSON client with delta gets every publication (section 7)."""
    return Raw(msgspec.json.encode(data.decode()))


def patched(publication: Publication, base: bytes | None, *, binary: bool) -> Publication:
    """A publication for a subscriber with delta: a patch of `base` where there is one and it is shorter, else in full."""
    data = bytes(publication.data)
    patch = create(base, data) if base is not None else None
    if patch is not None and not binary:
        try:
            return msgspec.structs.replace(publication, data=as_text(patch), delta=True)
        except UnicodeDecodeError:
            patch = None  # the patch cuts a character in two, a JSON client could not read it
    if patch is not None:
        return msgspec.structs.replace(publication, data=Raw(patch), delta=True)
    return msgspec.structs.replace(publication, data=publication.data if binary else as_text(data), delta=False)


def chained(publications: list[Publication], *, binary: bool) -> list[Publication]:
    """Recovered publications for a subscriber with delta: the first in full, each other a patch of the one before."""
    base: bytes | None = None
    found = []
    for publication in publications:
        found.append(patched(publication, base, binary=binary))
        base = bytes(publication.data)
    return found


class Fanout:
    """The fan-out of one channel: its room, and what the patches build on.

    A fan-out to more than `SLICE` subscribers stops after so many (DESIGN section 6: 2 ms of loop time): whoever calls goes on with it
    in a later turn of the loop, and what is published meanwhile into this channel waits.

    Args:
        channel: its name.
        delta_publish: every publication may go as a patch; otherwise only those whose publisher says so.
        conflate_tag: the tag whose value is the key of `conflate`.
    """

    __slots__ = ("_base", "_channel", "_conflate_tag", "_delta_publish", "_missed", "_rest", "_waiting", "room", "sequence")

    def __init__(self, channel: str, *, delta_publish: bool = False, conflate_tag: str = "") -> None:
        self._channel, self._delta_publish, self._conflate_tag = channel, delta_publish, conflate_tag
        self._base: bytes | None = None
        self._waiting: list[Publication] = []  # a deque would be 0.6 KB of each channel
        self._rest: Iterator[None] | None = None
        self._missed: list[Subscriber] = []
        self.room: Room[Subscriber] = Room()
        self.sequence = 1

    def forget(self) -> None:
        """What comes next does not follow what came last."""
        self._base = None
        self.sequence += 1

    @property
    def unfinished(self) -> bool:
        """Whether somebody has still to get what was delivered: `go_on` until it is not."""
        return self._rest is not None or bool(self._waiting)

    def deliver(self, publication: Publication) -> list[Subscriber]:
        """Hand a publication to everybody whose next one it is; returns those that have missed one before it.

        Where it leaves the fan-out `unfinished`, the rest of both comes by `go_on`.
        """
        wait = self.unfinished
        self._waiting.append(publication)
        if not wait:
            return self.go_on()
        missed: list[Subscriber] = []
        while len(self._waiting) > WAITING_MAX:  # faster than they can be handed out: now the loop, and so NATS, must wait
            missed += self.go_on()
        return missed

    def go_on(self) -> list[Subscriber]:
        """Hand out as much as one turn of the loop may take; returns those that have missed one before it."""
        if self._rest is None:
            if not self._waiting:
                return []
            self._rest = self._hand_out(self._waiting.pop(0))
        if next(self._rest, self) is self:
            self._rest = None
        missed, self._missed = self._missed, []
        return missed

    def _hand_out(self, publication: Publication) -> Iterator[None]:
        """Stops after each slice."""
        wanted = publication.delta or self._delta_publish
        if publication.delta:
            publication = msgspec.structs.replace(publication, delta=False)
        room, offset = self.room, publication.offset
        push = Push(channel=self._channel, pub=publication)
        for codec, group in list(room.plain.items()):
            frame = codec.push(push)
            if not offset or group.next_offset == offset or not group.even:
                group.next_offset = offset + 1 if offset else group.next_offset
                for clients, last in _slices(group.even):
                    # make bench: comparing and setting an offset for each of them was 0.27 of 5.4 µs a delivery
                    for client in clients:
                        client.send(frame)
                    metrics.delivered.add(len(clients))
                    if not last:
                        yield
            elif group.next_offset < offset:
                self._missed += group.even
            if group.others:
                yield from self._hand_to_others(group, frame, offset)
        if room.special:
            yield from self._hand_to_special(publication, push, patch=wanted)

    def _hand_to_others(self, group: Group[Subscriber], frame: bytes, offset: int) -> Iterator[None]:
        for clients, last in _slices(group.others):
            for client in clients:
                if self._expects(client, group.others[client], offset):
                    client.send(frame)
                    metrics.delivered.add()
            if not last:
                yield
        group.level()

    def _expects(self, client: Subscriber, subscription: Subscription, offset: int) -> bool:
        """Whether it gets this one: its next, or one without a position; who has missed one before is noted."""
        if not offset:
            return True
        expected = subscription.next_offset
        if expected < offset:
            self._missed.append(client)
        if expected != offset:
            return False
        subscription.next_offset = offset + 1
        return True

    def _hand_to_special(self, publication: Publication, push: Push, *, patch: bool) -> Iterator[None]:
        base, before = self._base, self.sequence
        number = self.sequence = before + 1
        frames: dict[tuple[Codec, bool, bool], bytes] = {}
        for clients, last in _slices(self.room.special):
            for client in clients:
                subscription = self.room.special[client]
                if not self._expects(client, subscription, publication.offset):
                    continue
                if subscription.accepts is not None and not subscription.accepts(publication.tags):
                    metrics.skipped.add(1, "filtered")
                    continue
                based = patch and subscription.delta and subscription.based == before and base is not None
                key = (client.codec, subscription.delta, based)
                if key not in frames:
                    frames[key] = self._frame(
                        publication, push, client.codec, delta=subscription.delta, base=base if based else None
                    )
                if subscription.slow != "close" and client.backlog > SLOW_BYTES:
                    self._hand_to_slow(publication, push, client, subscription, frames)
                    continue
                subscription.based = number
                client.send(frames[key])
                metrics.delivered.add()
            if not last:
                yield
        if self.sequence == number:
            self._base = bytes(publication.data)

    def _hand_to_slow(
        self,
        publication: Publication,
        push: Push,
        client: Subscriber,
        subscription: Subscription,
        frames: dict[tuple[Codec, bool, bool], bytes],
    ) -> None:
        metrics.skipped.add(1, "dropped" if subscription.slow == "drop" else "conflated")
        if subscription.slow == "conflate":
            # What may reach a client in any order must not build on anything.
            key = (client.codec, subscription.delta, False)
            if key not in frames:
                frames[key] = self._frame(publication, push, client.codec, delta=subscription.delta, base=None)
            tag = (publication.tags or {}).get(self._conflate_tag, "")
            client.send_latest((self._channel, tag), frames[key])

    def _frame(self, publication: Publication, push: Push, codec: Codec, *, delta: bool, base: bytes | None) -> bytes:
        if not delta:
            return codec.push(push)
        changed = patched(publication, base, binary=codec.binary)
        return codec.push(Push(channel=self._channel, pub=changed))

    def tell(self, membership: FeedMembership) -> None:
        """Tell a join or leave to those that want to know."""
        if not self.room.watchers:
            return
        member = Member(info=client_info(membership.info))
        push = Push(channel=self._channel, join=member if membership.joined else None, leave=None if membership.joined else member)
        frames: dict[Codec, bytes] = {}
        for client in self.room.watchers:
            frame = frames.get(client.codec)
            if frame is None:
                frame = frames[client.codec] = client.codec.push(push)
            client.send(frame)


def _slices(members: dict[Subscriber, Subscription]) -> Iterator[tuple[Collection[Subscriber], bool]]:
    """The members as they are now, in slices, and whether it is the last one.

    Who has left by the time of its slice, or come back anew, is none of them any more.
    """
    if len(members) <= SLICE:
        yield members.keys(), True
        return
    everybody = list(members.items())
    for start in range(0, len(everybody), SLICE):
        part = everybody[start : start + SLICE]
        here = [client for client, subscription in part if members.get(client) is subscription]
        yield here, start + SLICE >= len(everybody)
