"""Beginning subscriptions: who decides, where they start, what they missed. Several of one connection begin at one moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from msgspec.structs import replace as replace_fields

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.epochs import continues
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.messages import ClientInfo, Override, SubRefreshHookRequest, SubscribeHookRequest
from causeway_gateway.domain import tokens as t
from causeway_gateway.domain.asks import (
    Ends,
    Failed,
    Lapsed,
    Outcome,
    Standing,
    SubRefreshAsk,
    SubRefreshed,
    SubscribeAsk,
    Subscribed,
    Who,
    Wish,
)
from causeway_gateway.domain.attendance import held_by
from causeway_gateway.domain.feed import Feed
from causeway_gateway.domain.filters import compile as compile_filter
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import FLAG_REJECT_UNRECOVERED, Publication, SubscribeResult, payload, payload_bytes
from causeway_gateway.domain.subscription import NEVER, Subscription
from causeway_gateway.domain.terms import Terms, overridden, terms
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.channel import Channel
from causeway_gateway.handlers.fanout import chained
from causeway_gateway.handlers.feeds import Feeds
from causeway_gateway.handlers.hooks import Hooks
from causeway_gateway.handlers.identity import Identity
from causeway_gateway.handlers.reading import Reader, size_of
from causeway_gateway.ports import Timers

RECOVERY_ROUNDS: Final = 4


class _EndsError(Exception):
    """The wish closes the connection."""

    def __init__(self, code: CloseCode) -> None:
        self.code = code
        super().__init__(code)


class Seat:
    """One subscription about to begin: its terms, its channel, and what a recovering client has missed so far."""

    __slots__ = ("channel", "lost", "missed", "read", "subscription", "terms", "wish")

    def __init__(self, wish: Wish, terms: Terms, channel: Channel, subscription: Subscription) -> None:
        self.wish, self.terms, self.channel, self.subscription = wish, terms, channel, subscription
        self.missed: list[Publication] = []
        self.lost = not self.recovering
        self.read = False

    @property
    def recovering(self) -> bool:
        """Whether the client asks for what it missed, and may."""
        return self.wish.request.recover and self.terms.recoverable and self.channel.feed is not None

    @property
    def reached(self) -> int:
        """Up to here the client has everything."""
        return self.missed[-1].offset if self.missed else self.wish.request.offset


class Subscribing:
    """Begins and renews subscriptions.

    Args:
        feeds: the channels.
        reader: reads what was missed.
        hooks: of the apps.
        identity: verifies subscription tokens.
        catalogue: the namespaces.
        timers: the clocks.
    """

    def __init__(
        self, *, feeds: Feeds, reader: Reader, hooks: Hooks, identity: Identity, catalogue: Catalogue, timers: Timers
    ) -> None:
        self._feeds, self._reader, self._hooks, self._identity = feeds, reader, hooks, identity
        self._catalogue, self._timers = catalogue, timers

    def begin_now(self, ask: SubscribeAsk) -> Subscribed | Ends | None:
        """As `begin` where nothing needs to be waited for: one wish, given, in a channel that is followed already; None otherwise.

        Raises:
            CausewayError: what the client is answered.
        """
        if len(ask.wishes) != 1:
            return None
        wish = ask.wishes[0]
        try:
            if wish.access == "token":
                verdict = self._identity.subscription_now(wish.request.token, ask.who.client)
                if verdict is None:
                    return None
                wish = _by_token(wish, ask.who, verdict)
            if wish.access == "hook":
                return None
            spec = overridden(wish.rule.spec, wish.override)
            agreed = self._agree(wish, ask)
        except _EndsError as error:
            return Ends(error.code)
        channel = self._feeds.enter_now(wish.request.channel, spec)
        if channel is None:
            return None
        try:
            seat = Seat(wish, agreed, channel, self._subscription(wish, ask.who, agreed))
            return Subscribed((self._standing(seat, ask),)) if seat.lost or self._catch_up(seat) else None
        finally:
            self._feeds.release(channel)

    async def begin(self, ask: SubscribeAsk, deadline: Deadline) -> Subscribed | Ends:
        """All the wishes, at one moment.

        Between its return and `Session.complete` there must be no await: what a feed delivers next is next for these subscribers too.

        Raises:
            CausewayError: what the client is answered.
        """
        seats: list[Seat] = []
        try:
            for each in ask.wishes:
                wish = await self._decided(each, ask.who, deadline)
                agreed = self._agree(wish, ask)
                channel = await self._feeds.enter(wish.request.channel, overridden(wish.rule.spec, wish.override), deadline)
                seats.append(Seat(wish, agreed, channel, self._subscription(wish, ask.who, agreed)))
            await self._recover(seats, deadline)
            return Subscribed(tuple(self._standing(seat, ask) for seat in seats))
        except _EndsError as error:
            return Ends(error.code)
        finally:
            for seat in seats:
                self._feeds.release(seat.channel)

    async def renew(self, ask: SubRefreshAsk, deadline: Deadline) -> Outcome:
        """The end of a sub_refresh (reference/centrifuge-protocol.md, section 5).

        Raises:
            CausewayError: what the client is answered; the hook's refusal.
        """
        who = ask.who
        if not ask.token:
            rule = self._catalogue.rule(ask.channel)
            request = SubRefreshHookRequest(user=who.user, client=who.client, channel=ask.channel, meta=who.meta)
            reply = await self._hooks.sub_refresh(rule.app, rule.spec, request, deadline)
            return Lapsed(ask.channel) if reply.expired else SubRefreshed(ask.channel, reply.expire_at_ms or None)
        verdict = await self._identity.subscription(ask.token, who.client, deadline)
        if isinstance(verdict, t.Expired):
            return Ends(CloseCode.SUBSCRIPTION_EXPIRED)
        if isinstance(verdict, t.Invalid):
            return Ends(CloseCode.INVALID_TOKEN)
        if not _fits(verdict, who, ask.channel or verdict.channel):
            return Ends(CloseCode.INVALID_TOKEN)
        if verdict.expire_at is not None and verdict.expire_at <= self._timers.wall():
            return Ends(CloseCode.SUBSCRIPTION_EXPIRED)
        return SubRefreshed(verdict.channel, verdict.expire_at)

    # --- who decides

    async def _decided(self, wish: Wish, who: Who, deadline: Deadline) -> Wish:
        if wish.access == "token":
            return _by_token(wish, who, await self._identity.subscription(wish.request.token, who.client, deadline))
        if wish.access == "hook":
            return await self._by_hook(wish, who, deadline)
        return wish

    async def _by_hook(self, wish: Wish, who: Who, deadline: Deadline) -> Wish:
        data = payload_bytes(wish.request.data)
        request = SubscribeHookRequest(
            user=who.user,
            client=who.client,
            channel=wish.request.channel,
            data=None if data is None else json_value(data),
            info=who.info,
        )
        reply = await self._hooks.subscribe(wish.rule.app, wish.rule.spec, request, deadline)
        for what, value in (("the hook's data", reply.data), ("the hook's info", reply.info)):
            if value is not None:
                json_value(value, what)
        return replace(
            wish,
            access="given",
            info=reply.info,
            data=reply.data,
            override=reply.override,
            expire_at=reply.expire_at_ms,
            refresher="hook" if wish.rule.spec.sub_refresh_hook else "",
        )

    def _agree(self, wish: Wish, ask: SubscribeAsk) -> Terms:
        spec = overridden(wish.rule.spec, wish.override)
        if spec.binary and not ask.binary:
            raise _EndsError(CloseCode.INAPPROPRIATE_PROTOCOL)
        if 0 < wish.expire_at <= self._timers.wall():
            raise CausewayError(ErrorName.EXPIRED)
        return terms(spec, wish.request, ask.who.user, insecure=wish.insecure)

    def _subscription(self, wish: Wish, who: Who, agreed: Terms) -> Subscription:
        return Subscription(
            ClientInfo(user=who.user, client=who.client, conn_info=who.info, chan_info=wish.info),
            server_side=wish.server_side,
            presence=agreed.presence,
            emits=agreed.emits,
            watches=agreed.watches,
            delta=agreed.delta,
            accepts=compile_filter(wish.request.tf) if wish.request.tf is not None and wish.rule.spec.allow_tags_filter else None,
            refresher=wish.refresher,
            slow="close" if agreed.whole else wish.rule.spec.slow_reader,
            expire_at=wish.expire_at or NEVER,
            holds=held_by(overridden(wish.rule.spec, wish.override)),
        )

    # --- what was missed

    async def _recover(self, seats: list[Seat], deadline: Deadline) -> None:
        """Let every recovering seat catch up with its feed, all of them at the end of one stretch without waiting."""
        for _ in range(RECOVERY_ROUNDS):
            behind = [seat for seat in seats if not seat.lost and not self._catch_up(seat)]
            if not behind:
                return
            for seat in behind:
                await self._read(seat, deadline)
        for seat in seats:
            if not seat.lost and not self._catch_up(seat):
                seat.lost = True

    def _catch_up(self, seat: Seat) -> bool:
        """Without waiting: whether it now has everything up to its feed's position, or has lost for good."""
        feed = seat.channel.feed
        if feed is None or seat.lost:
            return True
        if seat.terms.cache:
            return self._newest(seat, feed)
        if not continues(seat.wish.request.epoch, feed.epoch):
            return False
        rest = feed.since(seat.reached) if seat.reached <= feed.position else None
        if rest is None:
            return seat.read and seat.reached >= feed.position  # storage has shown all there is, the feed will come to it
        seat.missed += rest
        seat.lost = not self._reader.within(seat.missed)
        return True

    def _newest(self, seat: Seat, feed: Feed) -> bool:
        request = seat.wish.request
        if continues(request.epoch, feed.epoch) and request.offset == feed.position and not seat.missed:
            return True
        if seat.missed and seat.reached >= feed.position:
            return True
        if feed.position == 0:
            seat.lost = True
            return True
        newest = feed.since(feed.position - 1)
        if newest is None:
            return False
        seat.missed = newest
        return True

    async def _read(self, seat: Seat, deadline: Deadline) -> None:
        """Behind the ring, ahead of this gateway, or of another epoch: storage knows."""
        feed, request = seat.channel.feed, seat.wish.request
        if feed is None:
            return
        since = max(feed.position - 1, 0) if seat.terms.cache else seat.reached
        tail = await self._reader.tail(seat.channel.name, since, request.epoch, deadline)
        self._feeds.compare(seat.channel, tail.head)
        if tail.head.epoch != feed.epoch:
            raise unavailable("the channel's log is just being replaced")
        seat.read = True
        if not tail.whole or (not continues(request.epoch, feed.epoch) and not seat.terms.cache):
            seat.lost = True
        elif seat.terms.cache:
            seat.missed = list(tail.publications[-1:])
            seat.lost = not seat.missed
        else:
            seat.missed += tail.publications
            feed.fill(tail.publications)

    def _standing(self, seat: Seat, ask: SubscribeAsk) -> Standing:
        """The reply. From here to the session there is no await."""
        wish, agreed, feed, subscription = seat.wish, seat.terms, seat.channel.feed, seat.subscription
        request = wish.request
        ttl = max(-(-(wish.expire_at - self._timers.wall()) // 1000), 1) if wish.expire_at and wish.refresher == "client" else 0
        if feed is None or not agreed.positioned:
            subscription.next_offset = feed.position + 1 if feed else 0
            result = SubscribeResult(expires=ttl > 0, ttl=ttl, data=payload(wish.data), delta=agreed.delta)
            return Standing(request.channel, result, subscription)
        recovered = seat.recovering and not seat.lost
        if seat.recovering:
            metrics.recoveries.add(1, "recovered" if recovered else "not_recovered")
            if not recovered and request.flag & FLAG_REJECT_UNRECOVERED:
                raise CausewayError(ErrorName.UNRECOVERABLE_POSITION)
        missed = seat.missed if recovered else []
        subscription.next_offset = max(feed.position, seat.reached if recovered else 0) + 1
        if missed and missed[-1].offset == feed.position:
            subscription.based = seat.channel.fanout.sequence
        accepts = subscription.accepts
        shown = [plain(each) for each in missed if accepts is None or accepts(each.tags)]
        return Standing(
            request.channel,
            SubscribeResult(
                expires=ttl > 0,
                ttl=ttl,
                recoverable=agreed.recoverable,
                positioned=True,
                epoch=feed.epoch,
                offset=(request.offset if shown else seat.reached) if recovered and not agreed.cache else feed.position,
                publications=chained(shown, binary=ask.binary) if agreed.delta else shown,
                recovered=recovered,
                was_recovering=seat.recovering,
                data=payload(wish.data),
                delta=agreed.delta,
            ),
            subscription,
        )


def fitting(ask: SubscribeAsk, outcome: Subscribed, room: int) -> Outcome:
    """What is recovered as far as there is room for it, at the moment of the reply: of what does not fit the client is told.

    A bound for each channel is none for a client that returns to many: closed as too slow (3008) it would return to the same.
    """
    standings = list(outcome.standings)
    for index, standing in enumerate(standings):
        result = standing.result
        size = sum(map(size_of, result.publications))
        if size <= room:
            room -= size
            continue
        if ask.wishes[index].request.flag & FLAG_REJECT_UNRECOVERED:
            return Failed(CausewayError(ErrorName.UNRECOVERABLE_POSITION))
        metrics.recoveries.add(1, "no_room")
        standing.subscription.based = 0
        told = replace_fields(result, publications=[], recovered=False, offset=standing.subscription.next_offset - 1)
        standings[index] = replace(standing, result=told)
    return Subscribed(tuple(standings))


def plain(publication: Publication) -> Publication:
    """Without its publisher's wish for patches, which is not for clients."""
    if not publication.delta:
        return publication
    return Publication(data=publication.data, info=publication.info, offset=publication.offset, tags=publication.tags)


def _fits(granted: t.GrantedSubscription, who: Who, channel: str) -> bool:
    return granted.user == who.user and granted.channel == channel and granted.client in ("", who.client)


def _by_token(wish: Wish, who: Who, verdict: t.GrantedSubscription | t.Expired | t.Invalid) -> Wish:
    if isinstance(verdict, t.Expired):
        raise CausewayError(ErrorName.TOKEN_EXPIRED)
    if isinstance(verdict, t.Invalid):
        raise CausewayError(ErrorName.PERMISSION_DENIED, "permission denied: the subscription token is not valid")
    if not _fits(verdict, who, wish.request.channel):
        raise _EndsError(CloseCode.INVALID_TOKEN)
    override = Override(**{name: getattr(verdict.override, name) for name in Override.__struct_fields__})
    return replace(wish, access="given", info=verdict.info, data=verdict.data, override=override, expire_at=verdict.expire_at or 0)
