"""The gateway's own connections: one of them, all of them, and the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.messages import ClientInfo, ConnectedClient, Control, Revocation
from causeway_gateway.domain.frames.codecs import Codec


class Link(Protocol):
    """A client's connection as the handlers see it."""

    def send(self, frame: bytes) -> None:
        """Queue one frame of this connection's transport; never waits, nothing after `shut`."""
        ...

    def shut(self, code: int, reason: str) -> None:
        """Flush (but not for SLOW) and close. A stream just ends: its client was told by a push."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes that wait to be read by the client, here and in the socket's buffer."""
        ...

    def call_drained(self) -> None:
        """Have the peer told `drained` once, as soon as what is queued now was written and little of it waits in the socket's buffer."""
        ...


class Peer(Protocol):
    """The gateway as a transport sees it: one per connection."""

    @property
    def busy(self) -> bool:
        """Whether it still has to do with a message: the next one may wait, so that the others have their turn."""
        ...

    def received(self, frame: bytes) -> None:
        """A message of the client."""
        ...

    def gone(self) -> None:
        """The connection is over; may be called more than once."""
        ...

    def overflowed(self) -> None:
        """The client reads too slowly: its bound of queued bytes is passed."""
        ...

    def drained(self) -> None:
        """What waited above the transport's high-water mark has been written."""
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """What a transport knows of who comes: the transport's name, the address, the native WebSocket pings it asked for."""

    transport: str
    address: str = ""
    native_pings: bool = False


class Gate(Protocol):
    """Where transports bring their clients."""

    def open(self, link: Link, codec: Codec, visit: Visit) -> Peer:
        """A new connection."""
        ...

    async def emulate(self, node: str, session: str, data: bytes) -> None:
        """A frame for the connection with this session, on whichever gateway it is.

        Raises:
            LookupError: no such gateway.
            CausewayError: 100 unavailable.
        """
        ...


class Registry(Protocol):
    """This gateway's own clients, as the control plane sees them."""

    async def obey(self, command: Control, deadline: Deadline) -> int:
        """Carry out a command; returns how many connections it met."""
        ...

    def revoked(self, revocation: Revocation) -> None:
        """Close the connections that came with what is good no more."""
        ...

    def clients(self, user: str) -> Sequence[ConnectedClient]:
        """The connections of a user."""
        ...

    def presence(self, channel: str, *, everyone: bool = False) -> Iterable[ClientInfo]:
        """The subscribers of a channel that count in its presence, or every one."""
        ...

    def channels(self) -> Mapping[str, int]:
        """Each channel with subscribers, and how many."""
        ...

    def emulated(self, session: str, data: bytes) -> bool:
        """A frame of an emulated connection; whether it is here."""
        ...

    @property
    def num_clients(self) -> int:
        """Connections."""
        ...

    @property
    def num_users(self) -> int:
        """Different users."""
        ...

    @property
    def num_subs(self) -> int:
        """Subscriptions."""
        ...

    @property
    def num_channels(self) -> int:
        """Channels with subscribers."""
        ...
