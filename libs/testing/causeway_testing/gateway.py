"""The gateway of a test: the real one's tables of who may do what, its feeds, and the app's hooks, for users that are objects."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic_core import from_json

from causeway_common.contracts import verbs
from causeway_common.contracts.codec import decode, json_value
from causeway_common.contracts.epochs import continues
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded
from causeway_common.contracts.ids import command_id
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    ClientInfo,
    ConnectHookReply,
    ConnectHookRequest,
    FeedPublication,
    HistoryRequest,
    Manifest,
    Message,
    Override,
    PublishHookRequest,
    SubscribeHookReply,
    SubscribeHookRequest,
)
from causeway_common.contracts.names import CHANNEL_MAX_BYTES
from causeway_gateway.domain import access
from causeway_gateway.domain.namespaces import Catalogue, Rule
from causeway_gateway.domain.protocol import SubscribeRequest, publication_of
from causeway_gateway.domain.terms import overridden, terms
from causeway_testing.asking import Asking
from causeway_testing.bus import LocalBus
from causeway_testing.clock import Clock, Ids
from causeway_testing.expiry import Expiry
from causeway_testing.hooks import Hooks
from causeway_testing.lifecycle import Lifecycle
from causeway_testing.loop import VirtualLoop
from causeway_testing.rooms import Received, Rooms
from causeway_testing.users import Answered, Subscription, User

if TYPE_CHECKING:
    from causeway_testing.calling import Calling

T = TypeVar("T")
Rep = TypeVar("Rep", bound=Message)
CALLER: Final = "gateway"


class LocalGateway:
    """All connections of the test.

    Args:
        manifest: of the app.
        loop: where everything runs.
        clock: the time of day.
        ids: of clients.
        bus: leads to storage.
        rooms: the channels.
        asking: asks the app.
        lifecycle: tells who comes and goes.
        hooks: asks the app's hooks.

    Attributes:
        catalogue: the app's namespaces and methods.
        users: those who are connected.
        answered: the calls that have ended.
        calling: carries their calls out; set by whoever wires this.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        loop: VirtualLoop,
        clock: Clock,
        ids: Ids,
        bus: LocalBus,
        rooms: Rooms,
        asking: Asking,
        lifecycle: Lifecycle,
        hooks: Hooks,
    ) -> None:
        self.loop, self._clock, self._ids = loop, clock, ids
        self._bus, self._rooms, self._asking, self._lifecycle = bus, rooms, asking, lifecycle
        self._hooks, self._expiry = hooks, Expiry(loop, clock, hooks, self.closed, self.leave)
        self._manifest, self._app = manifest, manifest.app
        self.catalogue = Catalogue([], CHANNEL_MAX_BYTES)
        namespaces = {each.name: (manifest.app, each) for each in manifest.namespaces}
        self.catalogue.update({manifest.app: manifest}, namespaces, lambda _name, _app: None)
        self._commands = 0
        self.users: list[User] = []
        self.answered: list[Answered] = []
        self.calling: Calling

    async def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this where the app runs, whoever asks."""
        return await (work if asyncio.get_running_loop() is self.loop else self.loop.ask(work))

    def user(self, name: str, info: Any) -> User:
        """A new connection, let in by a token."""
        user = User(self, name, self._ids.new_id(), info)
        self._stands(user)
        return user

    async def connect(self, data: bytes | None, headers: dict[str, str]) -> User:
        """A new connection, let in by the connect hook. Raises CausewayError: its refusal, or 101 where it abstains."""
        user = User(self, "", self._ids.new_id(), None)
        if not self._manifest.connect_hook:
            raise CausewayError(ErrorName.NOT_AVAILABLE, f"not available: {self._app} has no connect hook, use tester.user(name)")
        request = ConnectHookRequest(client=user.client, transport="tester", data=data, headers=headers)
        reply = await self._hooks.connect(request)
        if reply.abstained:  # the gateway closes such a client's connection, as any other one's without a token
            raise CausewayError(ErrorName.UNAUTHORIZED)
        return await self._admitted(user, reply)

    async def subscribe(self, user: User, subscription: Subscription, data: bytes | None, *, recover: bool = False) -> None:
        """Begin a subscription, or with `recover` go on with it. Raises CausewayError: what the client is answered."""
        user.must_be_connected()
        channel = subscription.channel
        rule = self.catalogue.rule(channel)
        if channel in user.subscriptions:
            raise CausewayError(ErrorName.ALREADY_SUBSCRIBED)
        decision = access.may_subscribe(rule.spec, channel, user.name, insecure=False)
        if decision is access.Decision.DENY:
            raise CausewayError(ErrorName.PERMISSION_DENIED)
        reply = SubscribeHookReply()
        if decision is access.Decision.ASK:
            request = SubscribeHookRequest(user=user.name, client=user.client, channel=channel, data=data, info=user.info_json)
            reply = await self._hooks.subscribe(rule.spec, request)
            if 0 < reply.expire_at_ms <= self._clock.now_ms():
                raise CausewayError(ErrorName.EXPIRED)
        await self.join(user, subscription, rule, reply, recover=recover)

    async def join(
        self, user: User, subscription: Subscription, rule: Rule, reply: SubscribeHookReply, *, recover: bool = False
    ) -> None:
        """Watch from now on; `reply` let it in."""
        spec = overridden(rule.spec, reply.override)
        wanted = SubscribeRequest(channel=subscription.channel, recover=recover, recoverable=True, positioned=True, join_leave=True)
        subscription.terms = agreed = terms(spec, wanted, user.name, insecure=False)
        subscription.info = ClientInfo(user=user.name, client=user.client, conn_info=user.info_json, chan_info=reply.info)
        subscription.data = None if reply.data is None else from_json(reply.data)
        room = subscription.room = await self._rooms.enter(subscription.channel, spec)
        if room.feed is not None:
            if recover and agreed.recoverable:
                await self._recovered(subscription, cache=agreed.cache)
            else:
                subscription.recovered = False if recover else None
                (head,) = (await self._ask(verbs.HEADS, verbs.HEADS.request(channels=[subscription.channel]))).heads
                subscription.epoch, subscription.offset = head.epoch, head.head
        user.subscriptions[subscription.channel] = subscription
        subscription.active = True
        room.watchers.append(subscription)
        if agreed.emits:
            self._rooms.tell(subscription.channel, subscription.info, joined=True)
        self._lifecycle.joined(subscription, spec)
        self._expiry.subscription(user, subscription, spec, reply.expire_at_ms)

    async def recover(self, user: User, subscription: Subscription) -> None:
        """The user is there again, and this subscription goes on where it stood."""
        if not user.connected:
            self._stands(user)
        if subscription.active:
            self.leave(user, subscription)
        await self.subscribe(user, subscription, None, recover=True)

    def leave(self, user: User, subscription: Subscription) -> None:
        """Watch no more."""
        if subscription.active:
            subscription.active = False
            del user.subscriptions[subscription.channel]
            self._rooms.leave(subscription.channel, subscription)
            if subscription.terms is not None and subscription.terms.emits:
                self._rooms.tell(subscription.channel, subscription.info, joined=False)
            self._lifecycle.left(subscription)

    def closed(self, user: User, why: tuple[int, str] | None = None) -> None:
        """The connection is over."""
        for subscription in list(user.subscriptions.values()):
            self.leave(user, subscription)
        user.connected, user.closed = False, why
        if user in self.users:
            self.users.remove(user)
            self._lifecycle.disconnected(user)

    async def publish(self, user: User, channel: str, data: bytes) -> None:
        """Publish as a client. Raises CausewayError: what the client is answered."""
        user.must_be_connected()
        rule = self._permitted(user, channel, access.may_publish)
        limit = rule.spec.publish_rate_limit
        if limit and not user.budget.spend(rule.spec.name, limit, self._clock.now_ms()):
            raise overloaded(f"this connection may publish {limit} times a second here")
        value = data if rule.spec.binary else json_value(data)
        if rule.spec.publish_hook:
            request = PublishHookRequest(user=user.name, client=user.client, channel=channel, data=value, info=user.info_json)
            reply = await self._hooks.publish(rule.spec, request)
            value = value if reply.data is None else reply.data
        watched = user.subscriptions.get(channel)
        info = ClientInfo(
            user=user.name, client=user.client, conn_info=user.info_json, chan_info=watched.info.chan_info if watched else None
        )
        if not rule.spec.has_history:
            self._rooms.passing(FeedPublication(channel=channel, data=value, info=info))
            return
        self._commands += 1
        item = AppendItem(id=command_id(user.client, self._commands), data=value, info=info)
        size, ttl_ms = rule.spec.history_size, rule.spec.history_ttl_ms
        await self._ask(verbs.APPEND, AppendRequest(channel=channel, size=size, ttl_ms=ttl_ms, items=[item]))

    async def history(self, user: User, channel: str, *, limit: int, since: int, reverse: bool) -> list[Received]:
        """A page of a log. Raises CausewayError: what the client is answered."""
        if not self.catalogue.rule(channel).spec.has_history:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        self._permitted(user, channel, access.may_read_history)
        page = await self._ask(verbs.HISTORY, HistoryRequest(channel=channel, since=since, limit=limit, reverse=reverse))
        return [Received.of(publication_of(each)) for each in page.publications]

    def presence(self, user: User, channel: str) -> dict[str, ClientInfo]:
        """Who watches. Raises CausewayError: what the client is answered."""
        if not self.catalogue.rule(channel).spec.presence:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        self._permitted(user, channel, access.may_read_presence)
        return {each.client: each for each in self._rooms.present(channel)}

    def sent(self, _subject: str, body: bytes) -> None:
        """The app publishes without history."""
        self._rooms.passing(decode(body, FeedPublication))

    # ---

    async def _recovered(self, subscription: Subscription, *, cache: bool) -> None:
        """What was missed, as far as the log reaches back; for the mode `cache` the newest alone."""
        missed = await self._rooms.missed(subscription.channel, subscription.epoch, subscription.offset)
        head = missed.head
        if cache:
            newest = await self._rooms.missed(subscription.channel, head.epoch, max(head.head - 1, 0))
            same = continues(subscription.epoch, head.epoch) and subscription.offset == head.head
            subscription.recovered, found = same or bool(newest.publications), () if same else newest.publications
            subscription.offset = head.head - len(found)
        else:
            subscription.recovered, found = missed.whole, missed.publications
            if not missed.whole:
                subscription.offset = head.head
        subscription.epoch = head.epoch
        for publication in found:
            subscription.received(publication)

    async def _admitted(self, user: User, reply: ConnectHookReply) -> User:
        user.name, user.info_json, user.meta = reply.user, reply.info, reply.meta
        user.info = None if reply.info is None else from_json(reply.info)
        user.data = None if reply.data is None else from_json(reply.data)
        for channel, given in reply.subs.items():
            allowed = SubscribeHookReply(data=given.data, info=given.info, override=given.override or Override())
            await self.join(user, Subscription(user, channel), self.catalogue.rule(channel), allowed)
        self._stands(user)
        self._expiry.connection(user, reply.expire_at_ms, renewed=self._manifest.refresh_hook)
        return user

    def _stands(self, user: User) -> None:
        user.connected, user.closed = True, None
        self.users.append(user)
        self._lifecycle.connected(user)

    def _permitted(self, user: User, channel: str, may: access.Check) -> Rule:
        rule = self.catalogue.rule(channel)
        if not may(rule.spec, user.name, subscribed=channel in user.subscriptions, insecure=False):
            raise CausewayError(ErrorName.PERMISSION_DENIED)
        return rule

    async def _ask(self, verb: verbs.Verb[Any, Rep], request: Any) -> Rep:
        answer: Rep = await self._bus.request(verb, request, self._asking.call().deadline, caller=CALLER)
        return answer
