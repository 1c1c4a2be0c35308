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


class Room(Generic[C]):
    """The local subscribers of one channel.

    Attributes:
        plain: those that get every publication as it is, by codec: one frame serves a whole group.
        special: the others (patches, filters, a policy for slow readers).
        watchers: those that are told joins and leaves.
    """

    __slots__ = ("plain", "special", "watchers")

    def __init__(self) -> None:
        self.plain: dict[Codec, dict[C, Subscription]] = {}
        self.special: dict[C, Subscription] = {}
        self.watchers: dict[C, None] = {}

    def __len__(self) -> int:
        """How many subscribers there are."""
        return sum(map(len, self.plain.values())) + len(self.special)

    def __iter__(self) -> Iterator[tuple[C, Subscription]]:
        """Every subscriber with its subscription."""
        for group in self.plain.values():
            yield from group.items()
        yield from self.special.items()

    @property
    def empty(self) -> bool:
        """Whether nobody is there."""
        return not self.plain and not self.special

    def add(self, client: C, subscription: Subscription) -> None:
        """Add a subscriber."""
        if subscription.plain:
            self.plain.setdefault(client.codec, {})[client] = subscription
        else:
            self.special[client] = subscription
        if subscription.watches:
            self.watchers[client] = None

    def remove(self, client: C) -> bool:
        """Remove a subscriber, if it is there. Returns whether it was the last."""
        self.watchers.pop(client, None)
        if self.special.pop(client, None) is None:
            group = self.plain.get(client.codec)
            if group is None or group.pop(client, None) is None:
                return False
            if not group:
                del self.plain[client.codec]
        return self.empty
