"""All gateways as one: presence, control and the rest are asked of every living gateway under its own subject.

No responder means that this gateway and its clients are gone; one that does not answer in time is an error, never a shorter answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from heapq import nlargest
from typing import Final, TypeVar

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.ids import user_digest
from causeway_gateway.ports import Gateways, GoneError, Registry, Timers

T = TypeVar("T")
PRESENCE_KEPT_MS: Final = 1_000
DIGESTS_MAX: Final = 20_000
PAGE_CHANNELS: Final = 2_000


class Local:
    """This gateway's own answers to what gateways ask each other.

    Args:
        registry: its clients.
        info: how it is; the counts are filled in.
    """

    def __init__(self, registry: Registry, info: Callable[[], m.NodeInfo]) -> None:
        self._registry, self._info = registry, info

    async def control(self, request: m.ControlRequest, deadline: Deadline) -> m.ControlReply:
        """Carry out a command."""
        return m.ControlReply(clients=await self._registry.obey(request.command, deadline))

    async def presence(self, request: m.PresenceRequest, _deadline: Deadline) -> m.PresenceReply:
        """Who is subscribed here."""
        found = list(self._registry.presence(request.channel, everyone=request.everyone))
        return m.PresenceReply(clients=found[: request.limit], total=len(found))

    async def presence_stats(self, request: m.PresenceStatsRequest, _deadline: Deadline) -> m.PresenceStatsReply:
        """How many are subscribed here; of more than `DIGESTS_MAX` users the rest is not told apart from others' users."""
        found = list(self._registry.presence(request.channel, everyone=request.everyone))
        users = sorted({user_digest(info.user) for info in found})
        return m.PresenceStatsReply(clients=len(found), users=users[:DIGESTS_MAX])

    async def channels(self, request: m.ChannelsRequest, _deadline: Deadline) -> m.ChannelsReply:
        """A page of the channels here."""
        matching = (
            name
            for name in self._registry.channels()
            if name > request.after and (not request.pattern or fnmatchcase(name, request.pattern))
        )
        counts = self._registry.channels()
        if request.top:
            largest = nlargest(min(request.top, PAGE_CHANNELS) + 1, matching, key=counts.__getitem__)
            return m.ChannelsReply(
                channels={name: counts[name] for name in largest[: request.top]}, more=len(largest) > request.top
            )
        names = sorted(matching)
        return m.ChannelsReply(channels={name: counts[name] for name in names[:PAGE_CHANNELS]}, more=len(names) > PAGE_CHANNELS)

    async def clients(self, request: m.ClientsRequest, _deadline: Deadline) -> m.ClientsReply:
        """A user's connections here."""
        found = self._registry.clients(request.user)
        return m.ClientsReply(clients=list(found[: request.limit]), total=len(found))

    async def info(self, _request: m.NodeInfoRequest, _deadline: Deadline) -> m.NodeInfo:
        """How this gateway is."""
        return self._info()

    async def emulate(self, request: m.EmulateRequest, _deadline: Deadline) -> m.EmulateReply:
        """A frame for a connection here."""
        return m.EmulateReply(found=self._registry.emulated(request.session, request.data))


class Cluster:
    """Asks all gateways.

    Args:
        gateways: asks one of them, and knows which live.
        presence_max: clients that one presence lists, beyond: error 106.
        timers: the clock.
    """

    def __init__(self, gateways: Gateways, timers: Timers, *, presence_max: int) -> None:
        self._gateways, self._timers, self._presence_max = gateways, timers, presence_max
        self._asked: dict[tuple[str, str], tuple[int, asyncio.Task[object]]] = {}

    async def presence(self, channel: str, deadline: Deadline) -> Mapping[str, m.ClientInfo]:
        """Client id to client; asked once at a time and kept for a second.

        Raises:
            CausewayError: 100, a living gateway does not answer; 106, there are more than may be listed.
        """
        return await self._shared(("presence", channel), lambda: self._presence(channel, deadline), deadline)

    async def presence_stats(self, channel: str, deadline: Deadline) -> tuple[int, int]:
        """Clients, different users.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        return await self._shared(("stats", channel), lambda: self._stats(channel, deadline), deadline)

    async def everyone(self, channel: str, deadline: Deadline) -> Mapping[str, m.ClientInfo]:
        """As `presence`, with those too who do not count in it; asked anew each time.

        Raises:
            CausewayError: 100; 106, there are more than may be listed.
        """
        return await self._presence(channel, deadline, everyone=True)

    async def everyone_counted(self, channel: str, deadline: Deadline) -> tuple[int, int]:
        """As `presence_stats`, likewise. Raises CausewayError: 100."""
        return await self._stats(channel, deadline, everyone=True)

    def changed(self, channel: str) -> None:
        """A subscription here began or ended: whoever asks after it sees it. Those elsewhere are seen within a second."""
        for kind in ("presence", "stats"):
            self._asked.pop((kind, channel), None)

    async def control(self, command: m.Control, deadline: Deadline) -> int:
        """Have every gateway carry out a command; returns how many connections it met. Done when every living one has answered.

        Raises:
            CausewayError: 102 or 107, the channel is none; 100, a living gateway does not answer.
        """
        request = m.ControlRequest(command=command)
        replies = await self._all(lambda node: self._gateways.control(node, request, deadline))
        return sum(reply.clients for reply in replies)

    async def channels(self, pattern: str, deadline: Deadline) -> dict[str, int]:
        """Channels with subscribers that match a glob ("" is all), and how many.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        totals: dict[str, int] = {}
        for found in await self._all(lambda node: self._channels(node, pattern, deadline)):
            for name, count in found.items():
                totals[name] = totals.get(name, 0) + count
        return dict(sorted(totals.items()))

    async def page_of_channels(self, pattern: str, after: str, limit: int, deadline: Deadline) -> tuple[dict[str, int], bool]:
        """Up to `limit` of them by name, from behind `after` on, and whether there are more.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        request = m.ChannelsRequest(pattern=pattern, after=after)
        pages = await self._all(lambda node: self._gateways.channels(node, request, deadline))
        totals = _sums(pages)
        ends = [max(page.channels) for page in pages if page.more and page.channels]
        known = sorted(name for name in totals if not ends or name <= min(ends))  # behind that a gateway may have others
        return {name: totals[name] for name in known[:limit]}, bool(ends) or len(known) > limit

    async def largest_channels(self, pattern: str, limit: int, deadline: Deadline) -> tuple[dict[str, int], bool]:
        """Those with the most clients, the largest first; exact where no gateway has more than `PAGE_CHANNELS` that match.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        request = m.ChannelsRequest(pattern=pattern, top=PAGE_CHANNELS)
        pages = await self._all(lambda node: self._gateways.channels(node, request, deadline))
        totals = _sums(pages)
        largest = sorted(totals, key=lambda name: (-totals[name], name))
        return {name: totals[name] for name in largest[:limit]}, len(largest) > limit or any(page.more for page in pages)

    async def clients(self, user: str, limit: int, deadline: Deadline) -> tuple[list[tuple[str, m.ConnectedClient]], int]:
        """A user's connections with the gateways that they are at, and how many there are.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        request = m.ClientsRequest(user=user, limit=limit)

        async def ask(node: str) -> tuple[str, m.ClientsReply]:
            return node, await self._gateways.clients(node, request, deadline)

        replies = await self._all(ask)
        found = [(node, client) for node, reply in replies for client in reply.clients]
        return found[:limit], sum(reply.total for _, reply in replies)

    async def info(self, deadline: Deadline) -> list[m.NodeInfo]:
        """How every gateway is.

        Raises:
            CausewayError: 100, a living gateway does not answer.
        """
        return await self._all(lambda node: self._gateways.info(node, m.NodeInfoRequest(), deadline))

    @property
    def database(self) -> str:
        """What storage keeps its data in; "" while that is not known."""
        return self._gateways.database()

    async def emulate(self, node: str, session: str, data: bytes, deadline: Deadline) -> None:
        """A frame for the connection with this session on a gateway; one whose session is gone is told by its own time-outs.

        Raises:
            LookupError: no such gateway.
            CausewayError: 100 unavailable.
        """
        if node not in self._gateways.living():
            raise LookupError(node)
        await self._gateways.emulate(node, m.EmulateRequest(session=session, data=data), deadline)

    async def _presence(self, channel: str, deadline: Deadline, *, everyone: bool = False) -> dict[str, m.ClientInfo]:
        request = m.PresenceRequest(channel=channel, limit=self._presence_max, everyone=everyone)
        replies = await self._all(lambda node: self._gateways.presence(node, request, deadline))
        if sum(reply.total for reply in replies) > self._presence_max:
            raise CausewayError(
                ErrorName.LIMIT_EXCEEDED,
                f"limit exceeded: more than {self._presence_max} clients, ask for presence_stats (client.presence_max_clients)",
            )
        return {info.client: info for reply in replies for info in reply.clients}

    async def _stats(self, channel: str, deadline: Deadline, *, everyone: bool = False) -> tuple[int, int]:
        request = m.PresenceStatsRequest(channel=channel, everyone=everyone)
        replies = await self._all(lambda node: self._gateways.presence_stats(node, request, deadline))
        return sum(reply.clients for reply in replies), len({user for reply in replies for user in reply.users})

    async def _channels(self, node: str, pattern: str, deadline: Deadline) -> dict[str, int]:
        found: dict[str, int] = {}
        after, more = "", True
        while more:
            page = await self._gateways.channels(node, m.ChannelsRequest(pattern=pattern, after=after), deadline)
            found |= page.channels
            after, more = max(page.channels, default=""), page.more
        return found

    async def _all(self, ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """The answers of all living gateways; those that are gone by now are left out."""
        answers = await asyncio.gather(*(ask(node) for node in self._gateways.living()), return_exceptions=True)
        found: list[T] = []
        for answer in answers:
            if isinstance(answer, GoneError):
                continue
            if isinstance(answer, BaseException):
                raise answer
            found.append(answer)
        return found

    async def _shared(self, key: tuple[str, str], ask: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        now = self._timers.now()
        kept = self._asked.get(key)
        task: asyncio.Task[T]
        if kept is not None and (not kept[1].done() or now < kept[0]):
            task = kept[1]  # type: ignore[assignment]  # one key, one type of answer
        else:
            task = asyncio.ensure_future(ask())
            self._asked[key] = (now + PRESENCE_KEPT_MS, task)
            self._timers.at(now + PRESENCE_KEPT_MS, lambda: self._forget(key, task))
            task.add_done_callback(_seen)
        done, _ = await asyncio.wait({task}, timeout=max(deadline.remaining(), 0))
        if not done:
            raise unavailable("not every gateway has answered in time")
        return task.result()

    def _forget(self, key: tuple[str, str], task: asyncio.Task[T]) -> None:
        kept = self._asked.get(key)
        if kept is not None and kept[1] is task and task.done():
            del self._asked[key]
        elif kept is not None and kept[1] is task:
            self._timers.at(self._timers.now() + PRESENCE_KEPT_MS, lambda: self._forget(key, task))


def _sums(pages: Iterable[m.ChannelsReply]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for page in pages:
        for name, count in page.channels.items():
            totals[name] = totals.get(name, 0) + count
    return totals


def _seen(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits gets it from the task; nobody may be waiting any more
