"""What a client's question does: connect, refresh, subscribe, publish, history, presence, rpc."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.ids import command_id
from causeway_common.contracts.messages import ConnectHookRequest, PublishHookRequest, RefreshHookRequest, RpcReply, RpcRequest
from causeway_common.telemetry import OpenSpan
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions, admit, admit_by_hook, admit_without_token, renew
from causeway_gateway.domain.asks import (
    Answered,
    Ask,
    ConnectAsk,
    Ends,
    Failed,
    Grant,
    HistoryAsk,
    Outcome,
    PresenceAsk,
    PublishAsk,
    RefreshAsk,
    RpcAsk,
    Stays,
    SubRefreshAsk,
    SubscribeAsk,
    WaitingAsk,
)
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.calling import Calling
from causeway_gateway.handlers.hooks import Hooks
from causeway_gateway.handlers.identity import Identity
from causeway_gateway.handlers.publishing import Publisher
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.handlers.subscribing import Subscribing
from causeway_gateway.ports import Presence, Timers


class Call:
    """One RPC under way: it hands its end to `done`, once."""

    __slots__ = ("_ask", "_done", "trace")

    def __init__(self, ask: RpcAsk, trace: OpenSpan, done: Callable[[RpcAsk, Outcome], None]) -> None:
        self._ask, self.trace, self._done = ask, trace, done

    def answered(self, reply: RpcReply | CausewayError) -> None:
        """The app's answer, or the error that took its place."""
        if isinstance(reply, CausewayError):
            self.failed(reply)
            return
        try:
            data = json_value(reply.data, "the app's answer")
        except CausewayError as error:
            self.failed(error)
            return
        self.trace.finish()
        self._done(self._ask, Answered(p.Reply(id=self._ask.pending.command.id, rpc=p.RpcResult(data=p.Raw(data)))))

    def failed(self, error: CausewayError) -> None:
        """It did not work out."""
        self.trace.finish(error)
        self._done(self._ask, Failed(error))


class Commands:
    """Answers the questions of sessions.

    Args:
        options: the configuration of connections.
        catalogue: which apps have which hooks.
        identity: verifies tokens.
        subscribing: begins and renews subscriptions.
        reader: reads logs.
        publisher: publishes.
        hooks: of the apps.
        calling: calls their methods.
        presence: who is subscribed, on all gateways.
        timers: the clocks.
    """

    def __init__(
        self,
        *,
        options: SessionOptions,
        catalogue: Catalogue,
        identity: Identity,
        subscribing: Subscribing,
        reader: Reader,
        publisher: Publisher,
        hooks: Hooks,
        calling: Calling,
        presence: Presence,
        timers: Timers,
    ) -> None:
        self._options, self._catalogue, self._identity, self._subscribing = options, catalogue, identity, subscribing
        self._reader, self._publisher, self._hooks, self._calling = reader, publisher, hooks, calling
        self._presence, self._timers = presence, timers

    def perform_now(self, ask: Ask) -> Outcome | None:
        """The end of a question that can be answered without waiting; None for the others.

        Raises:
            CausewayError: what the client is answered.
        """
        match ask:
            case ConnectAsk(request=request):
                return self._unbanned(self._connect_now(ask, request))
            case SubscribeAsk():
                return self._subscribing.begin_now(ask)
            case _:
                return None

    async def perform(self, ask: WaitingAsk, deadline: Deadline) -> Outcome:
        """The end of a question.

        Between the return of a `Subscribed` and its `Session.complete` there must be no await: its next offset is that of this moment.

        Raises:
            CausewayError: what the client is answered.
        """
        match ask:
            case ConnectAsk():
                outcome = await self._connect(ask, deadline)
                return self._unbanned(outcome) or outcome
            case RefreshAsk():
                return await self._refresh(ask, deadline)
            case SubscribeAsk():
                return await self._subscribing.begin(ask, deadline)
            case SubRefreshAsk():
                return await self._subscribing.renew(ask, deadline)
            case PublishAsk():
                return await self._publish(ask, deadline)
            case HistoryAsk(pending, _, request, _):
                page = await self._reader.history(request.channel, request, deadline)
                return Answered(p.Reply(id=pending.command.id, history=page))
            case PresenceAsk():
                return await self._ask_presence(ask, deadline)
            case _:
                assert_never(ask)

    def call(self, ask: RpcAsk, deadline: Deadline, call: Call) -> None:
        """Call an app's method; `call` is told the end, later and from the bus's read loop.

        Raises:
            CausewayError: what the client is answered; `call` is told nothing.
        """
        who = ask.who
        request = RpcRequest(user=who.user, client=who.client, data=json_value(ask.data), info=who.info)
        record_id = command_id(who.client, ask.pending.number)
        self._calling.begin(ask.app, ask.method, request, deadline, record_id=record_id, done=call.answered, parent=call.trace)

    # --- connect and refresh

    def _connect_now(self, ask: ConnectAsk, request: p.ConnectRequest) -> Outcome | None:
        if request.token:
            verdict = self._identity.connection_now(request.token, ask.who.client)
            return None if verdict is None else admit(verdict, self._options, self._timers.wall())
        return None if self._options.connect_app else admit_without_token(self._options)

    def _unbanned(self, outcome: Outcome | None) -> Outcome | None:
        """Who is banned comes in by no way: whatever says who it is, that is known now."""
        if isinstance(outcome, Grant) and self._identity.banned(outcome.user):
            metrics.banned.add()
            return Ends(CloseCode.PERMISSION_DENIED)
        return outcome

    async def _connect(self, ask: ConnectAsk, deadline: Deadline) -> Outcome:
        request, app = ask.request, self._options.connect_app
        if request.token:
            verdict = await self._identity.connection(request.token, ask.who.client, deadline)
            return admit(verdict, self._options, self._timers.wall())
        if not (app and self._catalogue.has_hook(app, "connect")):
            return admit_without_token(self._options)
        data = p.payload_bytes(request.data)
        question = ConnectHookRequest(
            client=ask.who.client,
            transport=ask.transport,
            name=request.name,
            version=request.version,
            data=None if data is None else json_value(data),
            headers=request.headers,
        )
        reply = await self._hooks.connect(app, question, deadline)
        if reply.abstained:
            return admit_without_token(self._options)
        for what, value in (("the hook's data", reply.data), ("the hook's info", reply.info)):
            if value is not None:
                json_value(value, what)
        return admit_by_hook(reply, self._timers.wall())

    async def _refresh(self, ask: RefreshAsk, deadline: Deadline) -> Outcome:
        who, app = ask.who, self._options.connect_app
        if ask.token:
            return renew(await self._identity.connection(ask.token, who.client, deadline), who.user, self._timers.wall())
        if not self._catalogue.has_hook(app, "refresh"):
            return Ends(CloseCode.CONNECTION_EXPIRED)
        reply = await self._hooks.refresh(app, RefreshHookRequest(user=who.user, client=who.client, meta=who.meta), deadline)
        if reply.expired or 0 < reply.expire_at_ms <= self._timers.wall():
            return Ends(CloseCode.CONNECTION_EXPIRED)
        return Stays(reply.expire_at_ms or None, None if reply.info is None else json_value(reply.info, "the hook's info"))

    # --- publish and presence

    async def _publish(self, ask: PublishAsk, deadline: Deadline) -> Outcome:
        pending, who, rule, data = ask.pending, ask.who, ask.rule, ask.data
        tags: dict[str, str] | None = None
        if rule.spec.publish_hook and not self._options.insecure:
            request = PublishHookRequest(
                user=who.user,
                client=who.client,
                channel=ask.channel,
                data=data if rule.spec.binary else json_value(data),
                info=who.info,
            )
            reply = await self._hooks.publish(rule.app, rule.spec, request, deadline)
            data, tags = data if reply.data is None else reply.data, reply.tags
        await self._publisher.publish(
            ask.channel,
            rule,
            data,
            message_id=command_id(who.client, pending.number),
            deadline=deadline,
            info=p.bus_info(ask.info),
            tags=tags,
        )
        return Answered(p.Reply(id=pending.command.id, publish=p.Empty()))

    async def _ask_presence(self, ask: PresenceAsk, deadline: Deadline) -> Outcome:
        number = ask.pending.command.id
        if ask.stats:
            clients, users = await self._presence.presence_stats(ask.channel, deadline)
            return Answered(p.Reply(id=number, presence_stats=p.PresenceStatsResult(num_clients=clients, num_users=users)))
        found = await self._presence.presence(ask.channel, deadline)
        shown = {client: p.client_info(info) for client, info in found.items()}
        return Answered(p.Reply(id=number, presence=p.PresenceResult(presence=shown)))
