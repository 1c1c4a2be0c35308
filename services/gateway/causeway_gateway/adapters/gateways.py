"""The other gateways over the bus, this one in process; revocations and idempotency keys in their buckets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from causeway_common.bus import Bus, Call, Deadline, Listener
from causeway_common.bus.buckets import LiveBucket
from causeway_common.bus.client import DirectSubscription
from causeway_common.bus.connection import NoRespondersError
from causeway_common.bus.jetstream import create, put, ttl_headers
from causeway_common.bus.nodes import Nodes
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs as v
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.subjects import FIGURES, KV_KEYS, KV_REVOCATIONS, REVOCATIONS_STREAM
from causeway_common.contracts.verbs import Rep, Req, Verb
from causeway_common.telemetry import get_logger
from causeway_gateway.ports import GoneError

log = get_logger("gateway.gateways")
SERVICE: Final = "gateway"
SERVED_MAX: Final = 1_024
LIFTED_SECONDS: Final = 60


class Answers(Protocol):
    """What this gateway answers to the others (`handlers.cluster.Local`)."""

    async def control(self, request: m.ControlRequest, deadline: Deadline, /) -> m.ControlReply:
        """Carry out a command."""
        ...

    async def presence(self, request: m.PresenceRequest, deadline: Deadline, /) -> m.PresenceReply:
        """Who is subscribed."""
        ...

    async def presence_stats(self, request: m.PresenceStatsRequest, deadline: Deadline, /) -> m.PresenceStatsReply:
        """How many are subscribed."""
        ...

    async def channels(self, request: m.ChannelsRequest, deadline: Deadline, /) -> m.ChannelsReply:
        """A page of the channels."""
        ...

    async def clients(self, request: m.ClientsRequest, deadline: Deadline, /) -> m.ClientsReply:
        """The connections of a user."""
        ...

    async def info(self, request: m.NodeInfoRequest, deadline: Deadline, /) -> m.NodeInfo:
        """How it is."""
        ...

    async def emulate(self, request: m.EmulateRequest, deadline: Deadline, /) -> m.EmulateReply:
        """A frame for a connection."""
        ...


class AppAnswers(Protocol):
    """What this gateway answers to apps (`handlers.appcontrol.AppControl`)."""

    async def control(self, request: m.ControlRequest, call: Call, /) -> m.ControlReply:
        """Carry out a command on all gateways."""
        ...

    async def presence(self, request: m.PresenceRequest, call: Call, /) -> m.PresenceReply:
        """Who is subscribed on all gateways."""
        ...

    async def presence_stats(self, request: m.PresenceStatsRequest, call: Call, /) -> m.PresenceCounts:
        """How many are subscribed on all gateways."""
        ...


class AppDesk:
    """Answers the apps: each question goes to one gateway of those that are open."""

    def __init__(self, bus: Bus, answers: AppAnswers) -> None:
        self._bus, self._answers = bus, answers
        self._served: list[DirectSubscription] = []

    async def start(self) -> None:
        """Answer."""
        await self._serve(v.APP_CONTROLS, self._answers.control)
        await self._serve(v.APP_PRESENCE, self._answers.presence)
        await self._serve(v.APP_PRESENCE_STATS, self._answers.presence_stats)
        await self._bus.flush()

    async def stop(self) -> None:
        """Take no more questions; those under way end with the bus."""
        await self._bus.end(self._served)

    async def _serve(self, verb: Verb[Req, Rep], own: Callable[[Req, Call], Awaitable[Rep]]) -> None:
        endpoint = self._bus.endpoint(verb, own, limit=SERVED_MAX)
        self._served.append(await endpoint.subscribe(verb.wildcard(), SERVICE))


class BusGateways:
    """`ports.Gateways` over the bus."""

    def __init__(self, bus: Bus, nodes: Nodes, node: str, own: Answers) -> None:
        self._bus, self._nodes, self._node, self._own = bus, nodes, node, own

    async def start(self) -> None:
        """Answer the other gateways."""
        await self._serve(v.CONTROL, self._own.control)
        await self._serve(v.PRESENCE, self._own.presence)
        await self._serve(v.PRESENCE_STATS, self._own.presence_stats)
        await self._serve(v.CHANNELS, self._own.channels)
        await self._serve(v.CLIENTS, self._own.clients)
        await self._serve(v.NODE_INFO, self._own.info)
        await self._serve(v.EMULATE, self._own.emulate)
        await self._bus.flush()

    async def stop(self) -> None:
        """Answer no more."""
        await self._bus.stop_serving()

    def living(self) -> list[str]:
        """Every gateway that lives, this one first."""
        return [self._node, *(node for node in self._nodes.living(SERVICE) if node != self._node)]

    def database(self) -> str:
        """As storage's processes tell it with their heartbeats."""
        return self._nodes.database

    async def control(self, node: str, request: m.ControlRequest, deadline: Deadline) -> m.ControlReply:
        """Carry out a command there."""
        return await self._ask(v.CONTROL, self._own.control, node, request, deadline)

    async def presence(self, node: str, request: m.PresenceRequest, deadline: Deadline) -> m.PresenceReply:
        """Who is subscribed there."""
        return await self._ask(v.PRESENCE, self._own.presence, node, request, deadline)

    async def presence_stats(self, node: str, request: m.PresenceStatsRequest, deadline: Deadline) -> m.PresenceStatsReply:
        """How many are subscribed there."""
        return await self._ask(v.PRESENCE_STATS, self._own.presence_stats, node, request, deadline)

    async def channels(self, node: str, request: m.ChannelsRequest, deadline: Deadline) -> m.ChannelsReply:
        """A page of the channels there."""
        return await self._ask(v.CHANNELS, self._own.channels, node, request, deadline)

    async def clients(self, node: str, request: m.ClientsRequest, deadline: Deadline) -> m.ClientsReply:
        """The connections of a user there."""
        return await self._ask(v.CLIENTS, self._own.clients, node, request, deadline)

    async def info(self, node: str, request: m.NodeInfoRequest, deadline: Deadline) -> m.NodeInfo:
        """How it is."""
        return await self._ask(v.NODE_INFO, self._own.info, node, request, deadline)

    async def emulate(self, node: str, request: m.EmulateRequest, deadline: Deadline) -> m.EmulateReply:
        """A frame for a connection there."""
        return await self._ask(v.EMULATE, self._own.emulate, node, request, deadline)

    async def _ask(
        self, verb: Verb[Req, Rep], own: Callable[[Req, Deadline], Awaitable[Rep]], node: str, request: Req, deadline: Deadline
    ) -> Rep:
        if node == self._node:
            return await own(request, deadline)
        try:
            return await self._bus.request(verb, request, deadline, node=node)
        except NoRespondersError as error:
            raise GoneError(error.name, error.message) from error

    async def _serve(self, verb: Verb[Req, Rep], own: Callable[[Req, Deadline], Awaitable[Rep]]) -> None:
        async def answer(request: Req, call: Call) -> Rep:
            return await own(request, call.deadline)

        await self._bus.serve(verb, answer, queue="", limit=SERVED_MAX, node=self._node)


class BusRevocations:
    """`ports.Revoker` over the bucket `cw_revocations`, and its live copy.

    Args:
        bus: the connection.
        heard: called with each revocation, again and again with those that were there before; must be quick and not raise.
        wall: milliseconds since the Unix epoch.
        lifted: called with each ban that was lifted; likewise.
    """

    def __init__(
        self, bus: Bus, heard: Callable[[m.Revocation], None], wall: Callable[[], int], lifted: Callable[[m.Revocation], None]
    ) -> None:
        self._bus, self._heard, self._wall, self._lifted = bus, heard, wall, lifted
        self._bans: dict[str, m.Revocation] = {}
        self._bucket = LiveBucket(bus, REVOCATIONS_STREAM, KV_REVOCATIONS, self._changed)

    async def start(self) -> None:
        """Follow the bucket; returns once it was read: nobody comes in with a revoked token before."""
        await self._bucket.start()
        await self._bucket.loaded()

    async def stop(self) -> None:
        """Follow no more."""
        await self._bucket.stop()

    async def revoke(self, revocation: m.Revocation, deadline: Deadline) -> None:
        """Keep it, durably and no longer than it holds."""
        seconds = max(-(-(revocation.expire_at_ms - self._wall()) // 1000), 1) if revocation.expire_at_ms else 0
        await put(self._bus, _place(revocation), encode(revocation), deadline, ttl_headers(seconds))

    async def lift(self, ban: m.Revocation, deadline: Deadline) -> None:
        """Keep it no more; what says so goes too, after a while."""
        await put(self._bus, _place(ban), b"", deadline, ttl_headers(LIFTED_SECONDS))

    def _changed(self, subject: str, body: bytes) -> None:
        if not body:
            if (ban := self._bans.pop(subject, None)) is not None:
                self._lifted(ban)
            return
        try:
            revocation = decode(body, m.Revocation)
        except CausewayError as error:
            log.error("a revocation cannot be read and is not applied", subject=subject, reason=error.message)  # noqa: TRY400 - one line
            return
        if revocation.ban:
            self._bans[subject] = revocation
        self._heard(revocation)


def _place(revocation: m.Revocation) -> str:
    kind = "ban" if revocation.ban else "user" if revocation.user is not None else "client" if revocation.client else "jti"
    return KV_REVOCATIONS.at(kind=kind, id=derived_id(revocation.user or revocation.client or revocation.jti))


class BusFigures:
    """The figures that every process tells, believed as far as the subject goes: service and node.

    Args:
        bus: the connection.
        heard: called with each; must be quick and not raise.
    """

    def __init__(self, bus: Bus, heard: Callable[[str, str, m.Figures], None]) -> None:
        self._bus, self._heard = bus, heard
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listen."""
        self._listener = await self._bus.listen(FIGURES.wildcard(), self._told)

    async def stop(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            await self._listener.close()

    def _told(self, subject: str, body: bytes) -> None:
        fields = FIGURES.fields(subject)
        try:
            self._heard(fields["service"], fields["node"], decode(body, m.Figures))
        except CausewayError as error:
            log.debug("figures cannot be read and are dropped", subject=subject, reason=error.message)


class BusKeys:
    """`ports.Keys` over the bucket `cw_keys`, whose entries live for five minutes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def claim(self, channel: str, key: str, deadline: Deadline) -> bool:
        """Whether the key is new; JetStream decides."""
        return await create(self._bus, KV_KEYS.at(channel=derived_id(channel), key=derived_id(key)), b"1", deadline)
