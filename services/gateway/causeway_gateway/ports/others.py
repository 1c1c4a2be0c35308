"""The other gateways, and what all of them share: revocations, keys, emulation, presence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ChannelsReply,
    ChannelsRequest,
    ClientInfo,
    ClientsReply,
    ClientsRequest,
    ControlReply,
    ControlRequest,
    EmulateReply,
    EmulateRequest,
    JwksReply,
    NodeInfo,
    NodeInfoRequest,
    PresenceReply,
    PresenceRequest,
    PresenceStatsReply,
    PresenceStatsRequest,
    Revocation,
)


class GoneError(CausewayError):
    """100 unavailable: no responder, this gateway and its clients are gone."""


class Gateways(Protocol):
    """One gateway at a time, by its node id. All raise GoneError, or CausewayError: 100, no answer in time."""

    def living(self) -> Sequence[str]:
        """The node ids of the gateways that live, this one included."""
        ...

    def database(self) -> str:
        """What storage keeps its data in, `sqlite` or `mongodb`; "" while no storage process was heard of."""
        ...

    async def control(self, node: str, request: ControlRequest, deadline: Deadline) -> ControlReply:
        """Carry out a command there."""
        ...

    async def presence(self, node: str, request: PresenceRequest, deadline: Deadline) -> PresenceReply:
        """Who is subscribed there."""
        ...

    async def presence_stats(self, node: str, request: PresenceStatsRequest, deadline: Deadline) -> PresenceStatsReply:
        """How many are subscribed there."""
        ...

    async def channels(self, node: str, request: ChannelsRequest, deadline: Deadline) -> ChannelsReply:
        """A page of the channels there."""
        ...

    async def clients(self, node: str, request: ClientsRequest, deadline: Deadline) -> ClientsReply:
        """The connections of a user there."""
        ...

    async def info(self, node: str, request: NodeInfoRequest, deadline: Deadline) -> NodeInfo:
        """How it is."""
        ...

    async def emulate(self, node: str, request: EmulateRequest, deadline: Deadline) -> EmulateReply:
        """A frame for a connection there."""
        ...


class Revoker(Protocol):
    """Where revocations are kept."""

    async def revoke(self, revocation: Revocation, deadline: Deadline) -> None:
        """Keep it, durably; every gateway hears of it. Raises CausewayError: 100 unavailable."""
        ...

    async def lift(self, ban: Revocation, deadline: Deadline) -> None:
        """Keep this ban no more; every gateway hears of it. Raises CausewayError: 100 unavailable."""
        ...


class Keys(Protocol):
    """Idempotency keys of publications into channels without history, over all gateways."""

    async def claim(self, channel: str, key: str, deadline: Deadline) -> bool:
        """Whether this key was not there in the last five minutes; now it is. Raises CausewayError: 100 unavailable."""
        ...


class KeySource(Protocol):
    """Key sets of whoever signs tokens."""

    async def fetch(self, url: str, deadline: Deadline) -> JwksReply:
        """The document. Raises CausewayError: 100 unavailable, 103, 107."""
        ...


class Emulation(Protocol):
    """Carries frames of emulated clients between gateways."""

    async def emulate(self, node: str, session: str, data: bytes, deadline: Deadline) -> None:
        """Hand it over. Raises LookupError: no such gateway; CausewayError: 100 unavailable."""
        ...


class Presence(Protocol):
    """Presence over all gateways. Both raise CausewayError: 100 where a living gateway does not answer."""

    async def presence(self, channel: str, deadline: Deadline) -> Mapping[str, ClientInfo]:
        """Client id to client."""
        ...

    async def presence_stats(self, channel: str, deadline: Deadline) -> tuple[int, int]:
        """Clients, different users."""
        ...
