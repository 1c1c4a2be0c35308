"""Who is connected to this gateway: by user, by session, all of them. And what the server API does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.messages import ClientInfo, ConnectedClient, Control, DisconnectUser, Revocation
from causeway_gateway.domain.revocations import concerns
from causeway_gateway.handlers.feeds import Feeds
from causeway_gateway.ports import Timers

if TYPE_CHECKING:
    from causeway_gateway.handlers.clients import Client


CLOSED_AT_ONCE: Final = 128


class Registry:
    """All connections of this gateway (`ports.Registry`).

    Args:
        feeds: the channels.
        timers: spread a drain.
        user_limit: connections of one user on this gateway, beyond: close 3504; 0 is no limit.
    """

    def __init__(self, feeds: Feeds, timers: Timers, *, user_limit: int = 0) -> None:
        self._feeds, self._timers, self._user_limit = feeds, timers, user_limit
        self._all: dict[Client, None] = {}
        self._users: dict[str, dict[Client, None]] = {}
        self._sessions: dict[str, Client] = {}
        self._draining = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._all)

    # --- coming and going

    def arrived(self, client: Client) -> None:
        """A connection was opened."""
        self._all[client] = None
        if session := client.session.kind.session:
            self._sessions[session] = client
        if self._draining:
            client.drain()

    def opened(self, client: Client, user: str) -> bool:
        """A connection stands, as this user's; False where the user has as many as are allowed."""
        mine = self._users.get(user, {})
        if user and 0 < self._user_limit <= len(mine):
            return False
        self._users.setdefault(user, {})[client] = None
        return True

    def closed(self, client: Client, user: str) -> bool:
        """A connection is over. Returns whether it stood."""
        self._all.pop(client, None)
        self._sessions.pop(client.session.kind.session, None)
        mine = self._users.get(user)
        stood = mine is not None and mine.pop(client, False) is None
        if mine is not None and not mine:
            del self._users[user]
        if self._draining and not self._all:
            self._empty.set()
        return stood

    def drain(self, spread_ms: int) -> None:
        """Ask every client to leave (3001), evenly over `spread_ms`; each once its commands under way are answered."""
        self._draining = True
        now = self._timers.now()
        for index, client in enumerate(list(self._all)):
            self._timers.at(now + index * spread_ms // len(self._all), client.drain)

    async def all_gone(self) -> None:
        """Wait until the last client has left; after `drain`."""
        if self._all:
            await self._empty.wait()

    def close_all(self, code: CloseCode) -> None:
        """Close whoever is still there."""
        for client in list(self._all):
            client.close(code)

    async def reconnect_all(self) -> None:
        """Close whoever is there right now, for reconnection; others are served in between."""
        for index, client in enumerate(list(self._all), 1):
            client.close(CloseCode.FORCE_RECONNECT)
            if index % CLOSED_AT_ONCE == 0:
                await asyncio.sleep(0)

    # --- the control plane

    async def obey(self, command: Control, deadline: Deadline) -> int:  # noqa: ARG002 - the port's, for those that wait
        """Carry out a command of the server API; returns how many connections it met.

        Raises:
            CausewayError: 102 or 107, the channel is none.
        """
        met = list(self._targets(command))
        for client in met:
            client.obey(command)
        return len(met)

    def revoked(self, revocation: Revocation) -> None:
        """Close the connections that came with what is good no more."""
        mine = self._users.get(revocation.user, {}) if revocation.user is not None else self._all
        for client in list(mine):
            grant, who = client.session.grant, client.session.who
            if grant is not None and concerns(revocation, who.user, who.client, grant.jti, grant.issued_at):
                client.close(CloseCode.PERMISSION_DENIED if revocation.ban else CloseCode.INVALID_TOKEN)

    def clients(self, user: str) -> list[ConnectedClient]:
        """The connections of a user that stand."""
        return [client.shown() for client in self._users.get(user, {})]

    def emulated(self, session: str, data: bytes) -> bool:
        """A frame of an emulated connection; whether it is here."""
        client = self._sessions.get(session)
        if client is None or not client.codec.emulated:
            return False
        client.received(data)
        return True

    def presence(self, channel: str, *, everyone: bool = False) -> Iterable[ClientInfo]:
        """The subscribers of a channel that count in its presence, or every one."""
        return self._feeds.present(channel, everyone=everyone)

    def channels(self) -> Mapping[str, int]:
        """Each channel with subscribers, and how many."""
        return self._feeds.occupancy()

    @property
    def num_clients(self) -> int:
        """Connections that stand."""
        return sum(map(len, self._users.values()))

    @property
    def num_users(self) -> int:
        """Different users."""
        return len(self._users)

    @property
    def num_subs(self) -> int:
        """Subscriptions."""
        return self._feeds.subscriptions

    @property
    def num_channels(self) -> int:
        """Channels with subscribers."""
        return len(self._feeds.occupancy())

    def _targets(self, command: Control) -> Iterator[Client]:
        for client in self._users.get(command.user, {}):
            session = client.session
            if command.client and session.who.client != command.client:
                continue
            if command.session and session.kind.session != command.session:
                continue
            if isinstance(command, DisconnectUser) and session.who.client in command.whitelist:
                continue
            yield client
