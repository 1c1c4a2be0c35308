"""One publication to all its local subscribers: encoded once for each codec, one append for each subscriber (DESIGN section 6)."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from causeway_common.contracts.codes import UnsubscribeCode
from causeway_common.contracts.messages import FeedMembership
from causeway_gateway.domain.delta import create
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.hub import Room
from causeway_gateway.domain.protocol import Member, Publication, Push, Raw, client_info
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.handlers import metrics

SLOW_BYTES: Final = 64 * 1024
"""A reader of whom more than this waits is slow where the namespace drops or conflates."""


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

    Args:
        channel: its name.
        delta_publish: every publication may go as a patch; otherwise only those whose publisher says so.
        conflate_tag: the tag whose value is the key of `conflate`.
    """

    __slots__ = ("_base", "_channel", "_conflate_tag", "_delta_publish", "room", "sequence")

    def __init__(self, channel: str, *, delta_publish: bool = False, conflate_tag: str = "") -> None:
        self._channel, self._delta_publish, self._conflate_tag = channel, delta_publish, conflate_tag
        self._base: bytes | None = None
        self.room: Room[Subscriber] = Room()
        self.sequence = 1

    def forget(self) -> None:
        """What comes next does not follow what came last."""
        self._base = None
        self.sequence += 1

    def deliver(self, publication: Publication) -> list[Subscriber]:
        """Hand a publication to everybody whose next one it is; returns those that have missed one before it."""
        wanted = publication.delta or self._delta_publish
        if publication.delta:
            publication = msgspec.structs.replace(publication, delta=False)
        room, offset = self.room, publication.offset
        push = Push(channel=self._channel, pub=publication)
        missed: list[Subscriber] = []
        delivered = 0
        for codec, group in room.plain.items():
            frame = codec.push(push)
            if not offset:
                for client in group:
                    client.send(frame)
                delivered += len(group)
                continue
            following = offset + 1
            for client, subscription in group.items():
                expected = subscription.next_offset
                if expected == offset:
                    subscription.next_offset = following
                    client.send(frame)
                    delivered += 1
                elif expected < offset:
                    missed.append(client)
        if room.special:
            delivered += self._deliver_special(publication, push, missed, patch=wanted)
        metrics.delivered.add(delivered)
        return missed

    def _deliver_special(self, publication: Publication, push: Push, missed: list[Subscriber], *, patch: bool) -> int:
        offset, before = publication.offset, self.sequence
        self.sequence += 1
        frames: dict[tuple[Codec, bool, bool], bytes] = {}
        delivered = 0
        for client, subscription in self.room.special.items():
            if offset:
                if subscription.next_offset != offset:
                    if subscription.next_offset < offset:
                        missed.append(client)
                    continue
                subscription.next_offset = offset + 1
            if subscription.accepts is not None and not subscription.accepts(publication.tags):
                metrics.skipped.add(1, "filtered")
                continue
            based = patch and subscription.delta and subscription.based == before and self._base is not None
            key = (client.codec, subscription.delta, based)
            frame = frames.get(key)
            if frame is None:
                frame = frames[key] = self._frame(publication, push, client.codec, delta=subscription.delta, based=based)
            if subscription.slow != "close" and client.backlog > SLOW_BYTES:
                metrics.skipped.add(1, "dropped" if subscription.slow == "drop" else "conflated")
                if subscription.slow == "conflate":
                    tag = (publication.tags or {}).get(self._conflate_tag, "")
                    client.send_latest((self._channel, tag), self._in_full(publication, push, client.codec, frames, subscription))
                continue
            subscription.based = self.sequence
            client.send(frame)
            delivered += 1
        self._base = bytes(publication.data)
        return delivered

    def _in_full(
        self,
        publication: Publication,
        push: Push,
        codec: Codec,
        frames: dict[tuple[Codec, bool, bool], bytes],
        subscription: Subscription,
    ) -> bytes:
        """What may reach a client in any order must not build on anything."""
        key = (codec, subscription.delta, False)
        if key not in frames:
            frames[key] = self._frame(publication, push, codec, delta=subscription.delta, based=False)
        return frames[key]

    def _frame(self, publication: Publication, push: Push, codec: Codec, *, delta: bool, based: bool) -> bytes:
        if not delta:
            return codec.push(push)
        changed = patched(publication, self._base if based else None, binary=codec.binary)
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
