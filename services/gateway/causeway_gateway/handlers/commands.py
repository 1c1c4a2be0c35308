"""What a client's question does: subscribe (with recovery), publish, history, rpc."""

from __future__ import annotations

from typing import Final, assert_never

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import CausewayError, ErrorName, unavailable
from causeway_common.contracts.ids import command_id
from causeway_common.contracts.messages import RpcRequest, SubscribeHookReply, SubscribeHookRequest
from causeway_gateway.domain.asks import (
    Ask,
    Called,
    HistoryAsk,
    HistoryRead,
    Outcome,
    PublishAsk,
    Published,
    RpcAsk,
    SubscribeAsk,
    Subscribed,
)
from causeway_gateway.domain.feed import Feed
from causeway_gateway.domain.protocol import FLAG_REJECT_UNRECOVERED, Publication, SubscribeResult, bus_info, payload, payload_bytes
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.feeds import Channel, Feeds
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.ports import Apps

RECOVERY_ROUNDS: Final = 3


class Commands:
    """Answers the questions of sessions."""

    def __init__(self, feeds: Feeds, reader: Reader, publisher: Publisher, apps: Apps) -> None:
        self._feeds, self._reader, self._publisher, self._apps = feeds, reader, publisher, apps

    async def perform(self, ask: Ask, deadline: Deadline) -> Outcome:
        """The end of a question.

        Between the return of a `Subscribed` and its `Session.complete` there must be no await: its next offset is that of this moment.

        Raises:
            CausewayError: what the client is answered.
        """
        match ask:
            case SubscribeAsk():
                return await self._subscribe(ask, deadline)
            case PublishAsk(pending, who, channel, rule, data, info):
                message_id = command_id(who.client, pending.number)
                await self._publisher.publish(channel, rule, data, message_id=message_id, deadline=deadline, info=bus_info(info))
                return Published()
            case HistoryAsk(_, _, request, _):
                return HistoryRead(await self._reader.history(request.channel, request, deadline))
            case RpcAsk(_, who, app, method, data):
                call = RpcRequest(user=who.user, client=who.client, data=json_value(data), info=who.info)
                return Called(json_value(await self._apps.call(app, method, call, deadline), "the app's answer"))
            case _:
                assert_never(ask)

    async def _subscribe(self, ask: SubscribeAsk, deadline: Deadline) -> Subscribed:
        allowed = await self._ask_app(ask, deadline) if ask.hook else SubscribeHookReply()
        channel = await self._feeds.enter(ask.request.channel, deadline, logged=ask.rule.spec.has_history)
        try:
            result, next_offset = await self._positioned(ask, channel, allowed.data, deadline)
        finally:
            self._feeds.release(channel)
        return Subscribed(channel.name, result, next_offset, allowed.info)

    async def _ask_app(self, ask: SubscribeAsk, deadline: Deadline) -> SubscribeHookReply:
        request = SubscribeHookRequest(
            user=ask.who.user,
            client=ask.who.client,
            channel=ask.request.channel,
            data=payload_bytes(ask.request.data),
            info=ask.who.info,
        )
        reply = await self._apps.may_subscribe(ask.rule.app, request, deadline)
        for what, value in (("the hook's data", reply.data), ("the hook's info", reply.info)):
            if value is not None:
                json_value(value, what)
        return reply

    async def _positioned(
        self, ask: SubscribeAsk, channel: Channel, data: bytes | None, deadline: Deadline
    ) -> tuple[SubscribeResult, int]:
        feed, request = channel.feed, ask.request
        if feed is None or not ask.positioned:
            return SubscribeResult(data=payload(data)), feed.position + 1 if feed else 0
        missed: list[Publication] | None = None
        recovering = request.recover and ask.recoverable
        if recovering:
            missed = await self._recover(ask, channel, feed, deadline)
            metrics.recoveries.add(1, "recovered" if missed is not None else "not_recovered")
            if missed is None and request.flag & FLAG_REJECT_UNRECOVERED:
                raise CausewayError(ErrorName.UNRECOVERABLE_POSITION)
        # From here to the session there is no await: what the feed delivers next is next for this subscriber too.
        reached = max(feed.position, missed[-1].offset if missed else 0, request.offset if missed is not None else 0)
        result = SubscribeResult(
            recoverable=ask.recoverable,
            positioned=True,
            epoch=feed.epoch,
            offset=feed.position if missed is None else request.offset,
            publications=missed or [],
            recovered=missed is not None,
            was_recovering=recovering,
            data=payload(data),
        )
        return result, reached + 1

    async def _recover(self, ask: SubscribeAsk, channel: Channel, feed: Feed, deadline: Deadline) -> list[Publication] | None:
        """Everything after the client's position, or None where anything could be missing. Returns without waiting after its check."""
        since, epoch = ask.request.offset, ask.request.epoch
        missed: list[Publication] = []
        for _ in range(RECOVERY_ROUNDS):
            last = since + len(missed)
            if epoch in ("", feed.epoch) and last <= feed.position and (rest := feed.since(last)) is not None:
                missed += rest
                return missed if self._reader.within(missed) else None
            # Behind the ring, ahead of this gateway, or of another epoch: storage knows.
            tail = await self._reader.tail(channel.name, last, epoch, deadline)
            self._feeds.compare(channel, tail.head)
            if tail.head.epoch != feed.epoch:
                raise unavailable("the channel's log is just being replaced")
            if epoch not in ("", feed.epoch) or not tail.whole:
                return None
            missed += tail.publications
            if since + len(missed) >= feed.position:
                return missed if self._reader.within(missed) else None
        return None
