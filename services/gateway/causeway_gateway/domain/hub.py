"""Who watches which channel on this gateway, grouped so that what is the same for many is made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.subscription import Subscription


class Member(Protocol):
    """A client in a room."""

    @property
    def codec(self) -> Codec:
        """How it is spoken to."""
        ...


C = TypeVar("C", bound=Member)


class Group(Generic[C]):
    """The subscribers of one codec that get every publication as it is.

    Attributes:
        even: those that all wait for the same publication, the normal case: nothing is compared or kept for each of them.
        next_offset: which one that is; 0 in channels without history. It stands for the `next_offset` of their subscriptions.
        others: those that are behind or ahead, each with a `next_offset` of its own.
    """

    __slots__ = ("even", "next_offset", "others")

    def __init__(self) -> None:
        self.next_offset = 0
        self.even: dict[C, Subscription] = {}
        self.others: dict[C, Subscription] = {}

    def __len__(self) -> int:
        """How many they are."""
        return len(self.even) + len(self.others)

    def add(self, client: C, subscription: Subscription) -> None:
        """Add a subscriber."""
        if not self.even:
            self.next_offset = subscription.next_offset
        (self.even if subscription.next_offset == self.next_offset else self.others)[client] = subscription

    def remove(self, client: C) -> bool:
        """Remove a subscriber; whether it was there."""
        return self.even.pop(client, None) is not None or self.others.pop(client, None) is not None

    def level(self) -> None:
        """Who has come up to the others is one of them."""
        for client in [client for client, each in self.others.items() if each.next_offset == self.next_offset]:
            self.even[client] = self.others.pop(client)


class Room(Generic[C]):
    """The local subscribers of one channel.

    Attributes:
        plain: those that get every publication as it is, by codec: one frame serves a whole group.
        special: the others (patches, filters, a policy for slow readers).
        watchers: those that are told joins and leaves.
    """

    __slots__ = ("plain", "special", "watchers")

    def __init__(self) -> None:
        self.plain: dict[Codec, Group[C]] = {}
        self.special: dict[C, Subscription] = {}
        self.watchers: dict[C, None] = {}

    def __len__(self) -> int:
        """How many subscribers there are."""
        return sum(map(len, self.plain.values())) + len(self.special)

    def __iter__(self) -> Iterator[tuple[C, Subscription]]:
        """Every subscriber with its subscription."""
        for group in self.plain.values():
            yield from group.even.items()
            yield from group.others.items()
        yield from self.special.items()

    @property
    def empty(self) -> bool:
        """Whether nobody is there."""
        return not self.plain and not self.special

    def add(self, client: C, subscription: Subscription) -> None:
        """Add a subscriber; the `next_offset` of its subscription is set."""
        if not subscription.plain:
            self.special[client] = subscription
        else:
            group = self.plain.get(client.codec)
            if group is None:
                group = self.plain[client.codec] = Group()
            group.add(client, subscription)
        if subscription.watches:
            self.watchers[client] = None

    def remove(self, client: C) -> bool:
        """Remove a subscriber, if it is there. Returns whether it was the last."""
        self.watchers.pop(client, None)
        if self.special.pop(client, None) is None:
            group = self.plain.get(client.codec)
            if group is None or not group.remove(client):
                return False
            if not len(group):
                del self.plain[client.codec]
        return self.empty
