"""Users of a test, each a connection of its own: what a client may do, and what it gets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClientInfo
from causeway_gateway.domain.budget import Budget
from causeway_gateway.domain.protocol import Publication
from causeway_gateway.domain.terms import Terms
from causeway_testing.errors import CallError, HarnessError, NothingCameError
from causeway_testing.rooms import Received, Room

if TYPE_CHECKING:
    from causeway_testing.gateway import LocalGateway


@dataclass(frozen=True, slots=True)
class Answered:
    """A call of a user and its end: the answer, or the error. A temporary error leaves open whether it had an effect."""

    user: str
    method: str
    data: Any
    value: Any = None
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A client came into a channel (`joined`), or left it."""

    user: str
    client: str
    joined: bool


class Subscription:
    """One subscription of one user.

    Attributes:
        channel: its name.
        data: what the subscribe hook gave along, decoded.
        publications: all that came, in order.
        messages: their data.
        memberships: who came and went meanwhile, where the namespace tells it.
        offset: of the last one, or where the subscription began.
        epoch: of the log.
        recovered: whether the last `recover` gave back all that was missed; None before the first.
        active: whether it stands.
        holds: what lifecycle events it makes, as the gateway counts it.
    """

    def __init__(self, user: User, channel: str) -> None:
        self._user = user
        self.channel = channel
        self.info = ClientInfo(user=user.name, client=user.client)
        self.terms: Terms | None = None
        self.room: Room | None = None
        self.data: Any = None
        self.publications: list[Received] = []
        self.messages: list[Any] = []
        self.offset, self.epoch = 0, ""
        self.memberships: list[Membership] = []
        self.recovered: bool | None = None
        self.active = False
        self.holds = 0
        self._unread = 0
        self._waiting: list[asyncio.Future[Any]] = []

    async def next(self) -> Any:
        """The data of the next message that was not asked for yet; waits for it as long as the app still has something to do.

        Raises:
            NothingCameError: the app is at rest, and no time moves for this: `advance` moves it.
        """
        while self._unread >= len(self.messages):
            answer = self._user.gateway.loop.until_rest(self._nothing)
            self._waiting.append(answer)
            await answer
        self._unread += 1
        return self.messages[self._unread - 1]

    async def recover(self) -> bool:
        """Come back from where it stood, as a client does after its connection was lost: the user is connected again if need be.

        Returns:
            Whether what was missed is there now. False: the log does not reach back so far, reload the state.

        Raises:
            CallError: the app or the rules do not let the user in any more.
        """
        gateway = self._user.gateway
        try:
            await gateway.on_loop(gateway.recover(self._user, self))
        except CausewayError as error:
            raise CallError.of(error) from error
        return bool(self.recovered)

    async def unsubscribe(self) -> None:
        """Watch no more."""
        self._user.gateway.leave(self._user, self)

    @property
    def present(self) -> bool:
        """Whether it counts in the channel's presence."""
        return self.terms is not None and self.terms.presence

    # --- what the gateway says

    def told(self, info: ClientInfo, *, joined: bool) -> None:
        """Somebody has come or gone."""
        if self.terms is not None and self.terms.watches:
            self.memberships.append(Membership(info.user, info.client, joined))

    def received(self, publication: Publication) -> None:
        """The next publication."""
        if publication.offset and publication.offset <= self.offset:
            return
        self.offset = publication.offset or self.offset
        received = Received.of(publication)
        self.publications.append(received)
        self.messages.append(received.data)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def insufficient(self) -> None:
        """The log is another one or has holes: a client would subscribe again and be told so."""
        self._user.gateway.leave(self._user, self)
        self.recovered = False

    def _nothing(self) -> Exception:
        return NothingCameError(
            f"{self._user.name or 'an anonymous user'} has {len(self.messages)} messages of {self.channel} and no further one comes: "
            "the app is at rest (does it wait for time? `await tester.advance(...)`)"
        )


class User:
    """One connection. A second one of the same user is another `tester.user(name)`.

    Attributes:
        name: the user; "" is an anonymous one.
        client: the connection's id.
        info: what its token or the connect hook says beside the user.
        data: what the connect hook gave along.
        connected: whether it is.
        closed: code and reason, where the app closed it.
        subscriptions: those that stand, by channel.
    """

    def __init__(self, gateway: LocalGateway, name: str, client: str, info: Any) -> None:
        self.gateway, self.name, self.client, self.info = gateway, name, client, info
        self.info_json: bytes | None = None if info is None else to_json(info)
        self.meta: bytes | None = None
        self.data: Any = None
        self.connected = False
        self.closed: tuple[int, str] | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.budget = Budget()
        self.busy = False
        self.queue: deque[asyncio.Future[None]] = deque()

    async def call(self, method: str, data: Any = None) -> Any:
        """Call a method of the app.

        Args:
            method: `bid`, or `auctions.bid`.
            data: its input: JSON, or a model.

        Returns:
            The answer, decoded.

        Raises:
            CallError: what the client is answered; a failure of the handler itself is its cause.
        """
        answered = self.gateway.answered
        try:
            reply = await self.gateway.calling.call(self, method, b"null" if data is None else to_json(data))
        except CausewayError as error:
            told = CallError.of(error)
            answered.append(Answered(self.name, method, data, error=told))
            raise told from error
        value = from_json(reply)
        answered.append(Answered(self.name, method, data, value))
        return value

    async def attempt(self, method: str, data: Any = None) -> Any:
        """As `call`, but a CallError is returned: for calls that may fail, and for those beside others."""
        try:
            return await self.call(method, data)
        except CallError as error:
            return error

    async def subscribe(self, channel: str, data: Any = None) -> Subscription:
        """Watch a channel from now on.

        Raises:
            CallError: the app's refusal, or the rules': 102 no such namespace, 103, 105 already subscribed, 107.
        """
        subscription = Subscription(self, str(channel))
        gateway = self.gateway
        try:
            await gateway.on_loop(gateway.subscribe(self, subscription, None if data is None else to_json(data)))
        except CausewayError as error:
            raise CallError.of(error) from error
        return subscription

    async def publish(self, channel: str, data: Any) -> None:
        """Publish as a client; `bytes` go as they are.

        Raises:
            CallError: 103, 107, 111 too often in a second; the publish hook's refusal.
        """
        gateway = self.gateway
        try:
            await gateway.on_loop(gateway.publish(self, str(channel), data if isinstance(data, bytes) else to_json(data)))
        except CausewayError as error:
            raise CallError.of(error) from error

    async def history(self, channel: str, *, limit: int = 100, since: int = 0, reverse: bool = False) -> list[Received]:
        """A page of a channel's log.

        Raises:
            CallError: 103, or 108 for a channel without history.
        """
        gateway = self.gateway
        try:
            return await gateway.on_loop(gateway.history(self, str(channel), limit=limit, since=since, reverse=reverse))
        except CausewayError as error:
            raise CallError.of(error) from error

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Who watches a channel: client id to client.

        Raises:
            CallError: 103, or 108 for a channel without presence.
        """
        try:
            return self.gateway.presence(self, str(channel))
        except CausewayError as error:
            raise CallError.of(error) from error

    def disconnect(self) -> None:
        """The connection is lost; `recover` of a subscription brings it back."""
        if self.connected:
            self.gateway.closed(self)

    def must_be_connected(self) -> None:
        """Raises HarnessError: it is not."""
        if not self.connected:
            raise HarnessError(f"{self.name or 'the anonymous user'} is disconnected")
