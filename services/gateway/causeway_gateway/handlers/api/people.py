"""What operators ask about users and do with them: their connections, disconnect, ban and lift the ban."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import replace

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import ConnectedClient, DisconnectUser, Revocation
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body, Empty
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.handlers.orders import Orders
from causeway_gateway.ports import Revoker

LISTED_MAX: Final = 1_000
User = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Reason = Annotated[str, msgspec.Meta(max_length=200)]


class OneUser(Body, frozen=True):
    """Which user."""

    user: User


class ConnectionShown(Body, frozen=True, omit_defaults=False):
    """A connection of a user: at which gateway, by which transport, from where, with which SDK, since when (ms since the epoch).

    `channels` are the first of `num_channels`.
    """

    client: str
    node: str
    transport: str
    codec: str
    name: str
    version: str
    address: str
    connected_ms: int
    channels: list[str]
    num_channels: int


class BanShown(Body, frozen=True, omit_defaults=False):
    """Who may not come in: since when, until when (0: until it is lifted), by whom, for what."""

    user: str
    at_ms: int
    expire_at_ms: int
    by: str
    reason: str


class UserShown(Body, frozen=True, omit_defaults=False):
    """The connections of a user, `total` of them, and the ban, where there is one."""

    clients: list[ConnectionShown]
    total: int
    ban: BanShown | None


class DisconnectOne(OneUser, frozen=True, kw_only=True):
    """Close a user's connections, or one of them. `code` 0 is 3503: the client does not come back by itself."""

    client: str = ""
    code: Annotated[int, msgspec.Meta(ge=0, le=4999)] = 0
    reason: Reason = ""


class Disconnected(Body, frozen=True, omit_defaults=False):
    """How many connections that were."""

    clients: int


class BanUser(OneUser, frozen=True, kw_only=True):
    """Close a user's connections and let the user in by no way, until then (0: until it is lifted)."""

    expire_at_ms: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 0
    reason: Reason = ""


class ListBans(Body, frozen=True):
    """The bans that hold, by user from behind `after` on."""

    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LISTED_MAX)] = 100


class BanList(Body, frozen=True, omit_defaults=False):
    """A page; `more`: there are others behind it."""

    bans: list[BanShown]
    more: bool


class PeopleOperations:
    """Answers operators.

    Args:
        cluster: all gateways.
        orders: carries orders out.
        revoker: keeps bans.
        bans: those that hold, as this gateway knows them, by user.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        orders: Orders,
        revoker: Revoker,
        bans: Callable[[], Sequence[Revocation]],
        wall: Callable[[], int],
    ) -> None:
        self._cluster, self._orders, self._revoker, self._bans, self._wall = cluster, orders, revoker, bans, wall

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "users.show": (OneUser, UserShown, self.show),
            "users.disconnect": (DisconnectOne, Disconnected, self.disconnect),
            "users.ban": (BanUser, Empty, self.ban),
            "users.unban": (OneUser, Empty, self.unban),
            "users.bans": (ListBans, BanList, self.bans),
        }

    async def show(self, request: OneUser, caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 100, a living gateway does not answer."""
        found, total = await self._cluster.clients(request.user, LISTED_MAX, deadline)
        ban = next((each for each in self._bans() if each.user == request.user), None)
        return UserShown(
            clients=[_connection(node, each, caller) for node, each in found], total=total, ban=None if ban is None else _shown(ban)
        )

    async def disconnect(self, request: DisconnectOne, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 100, a living gateway does not answer."""
        command = DisconnectUser(user=request.user, client=request.client)
        if request.code:
            command = replace(command, code=request.code, reason=request.reason)
        return Disconnected(clients=await self._orders.carry_out(command, deadline))

    async def ban(self, request: BanUser, caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, it would be over already; 100. Durable, and told to every gateway, when it is answered."""
        now = self._wall()
        if 0 < request.expire_at_ms <= now:
            raise bad_request("expire_at_ms has passed")
        ban = Revocation(
            user=request.user, expire_at_ms=request.expire_at_ms, ban=True, by=caller.name, at_ms=now, reason=request.reason
        )
        await self._revoker.revoke(ban, deadline)
        await self._orders.carry_out(DisconnectUser(user=request.user), deadline)  # also of who came in while the word went round
        return Empty()

    async def unban(self, request: OneUser, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 104, the user is not banned; 100."""
        ban = next((each for each in self._bans() if each.user == request.user), None)
        if ban is None:
            raise CausewayError(ErrorName.METHOD_NOT_FOUND, "this user is not banned")
        await self._revoker.lift(ban, deadline)
        return Empty()

    async def bans(self, request: ListBans, _caller: ApiCaller, _deadline: Deadline) -> Body:
        """As this gateway knows them; a change reaches every gateway within moments."""
        found = self._bans()
        start = bisect_right(found, request.after, key=lambda each: each.user or "") if request.after else 0
        page = found[start : start + request.limit]
        return BanList(bans=[_shown(each) for each in page], more=start + len(page) < len(found))


def _connection(node: str, each: ConnectedClient, caller: ApiCaller) -> ConnectionShown:
    fields: dict[str, Any] = {name: getattr(each, name) for name in each.__struct_fields__}
    return ConnectionShown(node=node, **{**fields, "channels": list(filter(caller.may_use, each.channels))})


def _shown(ban: Revocation) -> BanShown:
    return BanShown(user=ban.user or "", at_ms=ban.at_ms, expire_at_ms=ban.expire_at_ms, by=ban.by, reason=ban.reason)
