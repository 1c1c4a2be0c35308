"""The part of a handler's context that is about channels, who is there, and users' connections."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from causeway_common.contracts.codes import CLOSE_REASONS, CloseCode
from causeway_common.contracts.ids import key_id
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    DisconnectUser,
    FeedPublication,
    HistoryRequest,
    Override,
    SubscribeUser,
    UnsubscribeUser,
)
from causeway_logic.domain.publishing import outgoing
from causeway_logic.domain.values import (
    Channel,
    Presence,
    PresenceStats,
    PublicationPage,
    Published,
    milliseconds,
    optional_bytes,
)
from causeway_logic.handlers.asked import ContextBase

PRESENCE_LISTED: Final = 1000


class Messaging(ContextBase):
    """Channels of the app's own namespaces, and connections of any user."""

    __slots__ = ()

    async def publish(
        self,
        channel: str | Channel,
        data: Any,
        *,
        tags: dict[str, str] | None = None,
        idempotency_key: str = "",
        delta: bool = False,
    ) -> Published:
        """Publish now. What announces a change of an entity belongs into the change (`draft.publish`), so that both happen or none.

        In a namespace with history it is durable before this returns, and once: a rerun of the same request publishes the same again
        to no effect. In one without it is on its way to those who are there, at most once.

        Args:
            channel: of the app's own namespaces: its full name, or one that a pattern made.
            data: anything pydantic can serialize; where the channel's family has a type of message, one of these.
            tags: for the publication.
            idempotency_key: another call with the same one within five minutes publishes nothing; the request's own when left out.
            delta: subscribers may get it as a patch of the one before.

        Raises:
            ValueError: the channel is not the app's, of none of its namespace's families, or longer than 255 bytes.
            TypeError: the data cannot be JSON, or are not of the family's type.
            CausewayError: unavailable; in a namespace with history the outcome is then unknown.
        """
        name, namespace, body = outgoing(self._scope.app.namespaces, channel, data)
        history = namespace.history
        if history is None:
            await self._scope.outside.gateways.publish(FeedPublication(channel=name, data=body, tags=tags, delta=delta))
            return Published()
        once = key_id(self._scope.identity.once("publish", idempotency_key, name))
        item = AppendItem(id=once, data=body, tags=tags, delta=delta)
        request = AppendRequest(channel=name, size=history.size, ttl_ms=history.ttl_ms, items=[item])
        reply = await self._scope.outside.storage.append(request, self.deadline)
        return Published(reply.offsets[0], reply.epoch, reply.repeats[0])

    async def history(self, channel: str | Channel, *, limit: int = 100, since: int = 0, reverse: bool = False) -> PublicationPage:
        """A page of the log of one of the app's own channels.

        Args:
            channel: its full name, or one that a pattern made.
            limit: at most so many publications; a page may hold fewer (256 KiB) and then says `more`.
            since: forward, offsets above it (0: from the oldest); reverse, offsets below it (0: from the newest).
            reverse: newest first.

        Raises:
            CausewayError: unavailable, or the channel is not the app's.
        """
        request = HistoryRequest(channel=str(channel), since=since, limit=limit, reverse=reverse)
        return PublicationPage.of(await self._scope.outside.storage.history(request, self.deadline))

    async def presence(self, channel: str | Channel, *, limit: int = PRESENCE_LISTED) -> Presence:
        """Who is subscribed to one of the app's own channels, on all gateways; at most `limit` are listed.

        Raises:
            CausewayError: 103, the channel is not the app's; 108, its namespace has no presence; unavailable.
        """
        return Presence.of(await self._scope.outside.gateways.presence(str(channel), limit, self.deadline))

    async def presence_stats(self, channel: str | Channel) -> PresenceStats:
        """How many are subscribed to one of the app's own channels.

        Raises:
            CausewayError: as `presence`.
        """
        counts = await self._scope.outside.gateways.presence_stats(str(channel), self.deadline)
        return PresenceStats(counts.clients, counts.users)

    async def subscribe(
        self,
        user: str,
        channel: str | Channel,
        *,
        client: str = "",
        info: Any = None,
        data: Any = None,
        expire_at: datetime | None = None,
        override: Override | None = None,
    ) -> int:
        """Subscribe the connections that a user has now to one of the app's own channels, from the server's side.

        Args:
            user: whose.
            channel: which.
            client: this connection of them alone.
            info: what others see beside the user in this channel.
            data: for the client, with the news of its subscription.
            expire_at: then the subscription ends; None: never.
            override: options of the namespace that this subscription has otherwise.

        Returns:
            How many connections it met.

        Raises:
            TypeError: `info` or `data` cannot be JSON, or the time has no zone.
            CausewayError: 103, the channel is not the app's; unavailable.
        """
        command = SubscribeUser(
            user=user,
            channel=str(channel),
            client=client,
            info=optional_bytes(info, "info"),
            data=optional_bytes(data, "data"),
            expire_at_ms=0 if expire_at is None else milliseconds(expire_at),
            override=override,
        )
        return await self._scope.outside.gateways.control(command, self.deadline)

    async def unsubscribe(self, user: str, channel: str | Channel, *, client: str = "") -> int:
        """End the subscriptions of a user (or of this `client` of theirs alone) to one of the app's own channels, at once.

        Returns:
            How many connections it met.

        Raises:
            CausewayError: 103, the channel is not the app's; unavailable.
        """
        command = UnsubscribeUser(user=user, channel=str(channel), client=client)
        return await self._scope.outside.gateways.control(command, self.deadline)

    async def disconnect(
        self,
        user: str,
        *,
        code: int = CloseCode.FORCE_DISCONNECT,
        reason: str = "",
        client: str = "",
        whitelist: Collection[str] = (),
    ) -> int:
        """Close the connections of a user (or this `client` of theirs alone), at once.

        Args:
            user: whose.
            code: 3000 to 4999; up to 3499 and from 4000 to 4499 the client comes back, otherwise it stays away.
            reason: for the client.
            client: this connection alone.
            whitelist: but not these connections.

        Returns:
            How many connections it met.

        Raises:
            CausewayError: 107, a code outside that range; unavailable.
        """
        known = CLOSE_REASONS.get(CloseCode(code), "") if code in list(CloseCode) else ""
        command = DisconnectUser(user=user, client=client, whitelist=list(whitelist), code=code, reason=reason or known)
        return await self._scope.outside.gateways.control(command, self.deadline)
