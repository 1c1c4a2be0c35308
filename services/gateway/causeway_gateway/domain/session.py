"""The state machine of one client connection (reference/centrifuge-protocol.md, sections 5 to 9): commands in, effects out.

Blind to codec and transport. It does not wait: what needs another service is an `Ask` among the effects, and its end comes back by
`complete`; what time drives is its `Life`. RPCs of one app and commands of one channel keep their order (`Lanes`). Times are monotonic milliseconds (`now`), but for
what tokens and apps say, which counts in wall-clock milliseconds (`wall`).
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded
from causeway_common.contracts.messages import RefreshUser, SubscribeUser
from causeway_common.contracts.names import split_method
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import (
    Answered,
    Ask,
    ConnectAsk,
    Ends,
    Failed,
    Grant,
    Lapsed,
    Outcome,
    Pending,
    RefreshAsk,
    Standing,
    Stays,
    SubRefreshAsk,
    SubRefreshed,
    SubscribeAsk,
    Subscribed,
    Who,
)
from causeway_gateway.domain.budget import Budget
from causeway_gateway.domain.effects import Effect, Leave, Opened, Refuse, Send
from causeway_gateway.domain.lanes import Lanes
from causeway_gateway.domain.life import Kind as Kind  # noqa: PLC0414 - a session's word too
from causeway_gateway.domain.life import Life, State
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.requests import Caller, question, server_wish, server_wishes
from causeway_gateway.domain.subscription import NEVER as NEVER  # noqa: PLC0414 - a session's word too

HOOK_RETRY_MS: Final = 1000
UNI_CLOSES: Final = {
    109: CloseCode.CONNECTION_EXPIRED,
    110: CloseCode.CONNECTION_EXPIRED,
    111: CloseCode.TOO_MANY_REQUESTS,
    103: CloseCode.PERMISSION_DENIED,
}


class Session(Life):
    """One connection.

    Args:
        client: its id.
        options: the configuration.
        catalogue: the namespaces and methods there are.
        kind: what kind of client this is.
        now: monotonic ms.
        jitter: in [0, 1), spreads the first ping.
    """

    __slots__ = ("_budget", "_catalogue", "_draining", "_early", "_jitter", "_lanes", "_subscribing")

    def __init__(self, client: str, *, options: SessionOptions, catalogue: Catalogue, kind: Kind, now: int, jitter: float) -> None:
        super().__init__(client, options, kind, now)
        self._catalogue, self._jitter = catalogue, jitter
        self._lanes: Lanes[Pending] = Lanes()
        self._budget = Budget()
        self._early: list[p.Command] = []
        self._subscribing = 0
        self._draining = False

    def receive(self, command: p.Command, now: int) -> list[Effect]:
        """A command of the client."""
        if self.closed or self._draining:
            return []
        if self.kind.uni and self._state is not State.NEW:
            return []  # what a unidirectional client says is nothing to us (section 15)
        if command.id == 0 and command.send is None:
            return self._pong(now)
        if command.connect is not None:
            return self._connect(command, command.connect, now)
        if self._state is State.CONNECTING:
            if len(self._early) >= self._options.in_flight_limit:
                return [self._too_many(command)] if command.id else self.violated()
            self._early.append(command)
            return []
        if self._state is not State.CONNECTED:
            return self.violated()
        return self._command(command, now)

    def complete(self, ask: Ask, outcome: Outcome, now: int, wall: int) -> list[Effect]:
        """The end of an `Ask`."""
        if isinstance(ask, SubscribeAsk):
            self._subscribing -= len(ask.wishes)
        if self.closed:
            return []
        effects = self._answer(ask, outcome, now, wall)
        self._in_flight -= 1
        lane = ask.pending.lane
        if lane and (waiting := self._lanes.leave(lane)) is not None:
            effects += self._advance(waiting)
        return effects + self._drained() if self._draining else effects

    def subscribe(self, command: SubscribeUser, now: int) -> list[Effect]:
        """The server begins a subscription.

        Raises:
            CausewayError: 102 or 107, this is no channel.
        """
        wish = server_wish(command, self._catalogue)
        if not self.connected or command.channel in self.subscriptions:
            return []
        self._subscribing += 1
        return [SubscribeAsk(self._unasked(now), self.who, (wish,), self.kind.binary)]

    def renewed(self, command: RefreshUser, now: int, wall: int) -> list[Effect]:
        """The server says when the connection expires."""
        if not self.connected:
            return []
        if command.expired:
            return self.close(CloseCode.CONNECTION_EXPIRED)
        if command.info is not None:
            self._shows(command.info, self.who.meta)
        ttl = self._expires(command.expire_at_ms or None, now, wall)
        return [Send(p.Reply(push=p.Push(refresh=p.RefreshResult(expires=ttl > 0, ttl=ttl))))]

    def gone(self) -> list[Effect]:
        """The client has left."""
        self._early.clear()
        return super().gone()

    def drain(self) -> list[Effect]:
        """The gateway is leaving: take nothing more, close (3001) once what was taken is answered."""
        self._draining = True
        return self._drained()

    # --- connect and refresh

    def _connect(self, command: p.Command, request: p.ConnectRequest, now: int) -> list[Effect]:
        if self._state is not State.NEW:
            return self.violated()
        self._state = State.CONNECTING
        self._in_flight += 1
        return [ConnectAsk(Pending(command, "", 0, now), self.who, request, self.kind.transport)]

    def _admitted(self, pending: Pending, request: p.ConnectRequest, grant: Grant, now: int, wall: int) -> list[Effect]:
        self.grant = grant
        self.who = Who(grant.user, self.who.client, grant.info, grant.meta)
        try:
            wishes = server_wishes(request, grant, self._caller())
        except CausewayError as error:
            return self._turned_away(pending, error)
        if len(wishes) > self._options.channel_limit:
            return self.close(CloseCode.CHANNEL_LIMIT)
        if not wishes:
            return self._stand(pending, (), now, wall)
        self._in_flight += 1
        self._subscribing += len(wishes)
        return [SubscribeAsk(pending, self.who, wishes, self.kind.binary)]

    def _turned_away(self, pending: Pending, error: CausewayError) -> list[Effect]:
        if self.kind.uni:
            return self.close(UNI_CLOSES.get(error.code, CloseCode.INTERNAL_ERROR))
        self._state = State.FAILED
        self._early.clear()
        return [Refuse(pending.command.id, error)]

    def _stand(self, pending: Pending, standings: tuple[Standing, ...], now: int, wall: int) -> list[Effect]:
        grant, options, kind = self.grant, self._options, self.kind
        if grant is None:
            raise AssertionError("nobody stands without a grant")
        self._state, self._stale_at = State.CONNECTED, NEVER
        if options.ping_interval and kind.pings:
            self._ping_at = now + int(options.ping_interval * (1 + self._jitter) / 2)
        ttl = self._expires(grant.expire_at, now, wall)
        if grant.refresher != "client":
            ttl = 0
        result = p.ConnectResult(
            client=self.who.client,
            version=options.version,
            expires=ttl > 0,
            ttl=ttl,
            data=p.payload(grant.data),
            subs={standing.channel: standing.result for standing in standings},
            ping=-(-options.ping_interval // 1000) if kind.pings else 0,
            pong=bool(options.ping_interval and kind.pings and self._pong_timeout),
            session=kind.session,
            node=kind.node,
            time=wall,
        )
        effects: list[Effect] = [Opened(self.who, grant), Send(p.Reply(id=pending.command.id, connect=result))]
        for standing in standings:
            effects += self._joined(standing, now, wall)
        early, self._early = self._early, []
        for command in early:
            effects += self.receive(command, now)
        return effects

    def _refresh(self, command: p.Command, token: str, now: int) -> list[Effect]:
        if not token or self.grant is None or self.grant.refresher != "client":
            return self.violated()
        self._in_flight += 1
        return [RefreshAsk(Pending(command, "", 0, now), self.who, token)]

    def _refreshed(self, ask: RefreshAsk, grant: Grant, now: int, wall: int) -> list[Effect]:
        if self.grant is not None and set(grant.subs) != set(self.grant.subs):
            return self.close(CloseCode.INSUFFICIENT_STATE)  # other server-side subscriptions: a new connection has them
        self.grant = grant
        self._shows(grant.info, grant.meta)
        ttl = self._expires(grant.expire_at, now, wall)
        return [Send(p.Reply(id=ask.pending.command.id, refresh=p.RefreshResult(expires=ttl > 0, ttl=ttl)))]

    def _shows(self, info: bytes | None, meta: bytes | None) -> None:
        """A refresh brings what others see of the client; presence shows it at once."""
        if info != self.who.info:
            for each in self.subscriptions.values():
                each.info = replace(each.info, conn_info=info)
        self.who = Who(self.who.user, self.who.client, info, meta)

    # --- commands

    def _command(self, command: p.Command, now: int) -> list[Effect]:
        """The first request that is set counts (section 3)."""
        request = (
            command.subscribe
            or command.unsubscribe
            or command.publish
            or command.presence
            or command.presence_stats
            or command.history
        )
        if request is not None:
            return self._channel_command(command, request.channel, now)
        if command.rpc is not None:
            return self._rpc(command, command.rpc.method, now)
        if command.send is not None:
            return self.close(CloseCode.NOT_AVAILABLE)
        if command.refresh is not None:
            return self._refresh(command, command.refresh.token, now)
        if command.sub_refresh is not None:
            return self._sub_refresh(command, command.sub_refresh, now)
        return self.violated()

    def _channel_command(self, command: p.Command, channel: str, now: int) -> list[Effect]:
        subscribe = command.subscribe
        if not channel or (subscribe is not None and subscribe.delta not in ("", p.DELTA_FOSSIL)):
            return self.violated()
        return self._queue(command, f"#{channel}", now)

    def _sub_refresh(self, command: p.Command, request: p.SubRefreshRequest, now: int) -> list[Effect]:
        subscription = self.subscriptions.get(request.channel)
        if not (request.channel or request.token) or (subscription is not None and subscription.refresher != "client"):
            return self.violated()
        return self._queue(command, f"#{request.channel}", now)

    def _rpc(self, command: p.Command, method: str, now: int) -> list[Effect]:
        try:
            app, name = split_method(method, self._options.default_app or None)
            concurrent = self._catalogue.method(app, name).concurrent
        except CausewayError as error:
            return [Refuse(command.id, error)]
        return self._queue(command, "" if concurrent else f"@{app}", now)

    def _queue(self, command: p.Command, lane: str, now: int) -> list[Effect]:
        if self._in_flight >= self._options.in_flight_limit:
            return [self._too_many(command)]
        self._in_flight += 1
        self._count += 1
        pending = Pending(command, lane, self._count, now)
        if lane and not self._lanes.enter(lane, pending):
            return []
        return self._advance(pending)

    def _too_many(self, command: p.Command) -> Refuse:
        return Refuse(command.id, overloaded(f"{self._options.in_flight_limit} commands of this connection are under way"))

    def _advance(self, pending: Pending) -> list[Effect]:
        """Begin a command whose turn it is, and those behind it as long as they end at once."""
        effects: list[Effect] = []
        waiting: Pending | None = pending
        while waiting is not None:
            current = waiting
            if current.command.unsubscribe is not None and current.command.subscribe is None:
                effects += self._unsubscribe(current.command.id, current.command.unsubscribe.channel)
            else:
                try:
                    ask = question(current, self._caller())
                except CausewayError as error:
                    effects.append(Refuse(current.command.id, error))
                else:
                    self._subscribing += isinstance(ask, SubscribeAsk)
                    return [*effects, ask]
            self._in_flight -= 1
            waiting = self._lanes.leave(current.lane) if current.lane else None
        return effects

    def _caller(self) -> Caller:
        return Caller(
            self.who, self.subscriptions, self._subscribing, self._options, self._catalogue, self._budget, self.kind.binary
        )

    def _unsubscribe(self, command: int, channel: str) -> list[Effect]:
        done = Send(p.Reply(id=command, unsubscribe=p.Empty()))
        subscription = self.subscriptions.pop(channel, None)
        return [done] if subscription is None else [Leave(channel, subscription), done]

    def _drained(self) -> list[Effect]:
        return self.close(CloseCode.SHUTDOWN) if self._draining and self._in_flight == 0 else []

    # --- ends of questions

    def _answer(self, ask: Ask, outcome: Outcome, now: int, wall: int) -> list[Effect]:
        pending = ask.pending
        match outcome:
            case Answered(reply):
                return [Send(reply)]
            case Failed(error):
                return self._failed(ask, error, now)
            case Ends(code, reason):
                return self.close(code, reason)
            case Subscribed(standings):
                if pending.command.connect is not None:
                    return self._stand(pending, standings, now, wall)
                return [effect for standing in standings for effect in self._begun(pending.command, standing, now, wall)]
            case SubRefreshed(channel, expire_at):
                return self._sub_refreshed(pending.command, channel, expire_at, now, wall)
            case Lapsed(channel):
                return self._lapsed(channel)
            case Grant() | Stays():
                return self._granted(ask, outcome, now, wall)
            case _:
                assert_never(outcome)

    def _granted(self, ask: Ask, outcome: Grant | Stays, now: int, wall: int) -> list[Effect]:
        match ask, outcome:
            case ConnectAsk(), Grant():
                return self._admitted(ask.pending, ask.request, outcome, now, wall)
            case RefreshAsk(), Grant():
                return self._refreshed(ask, outcome, now, wall)
            case RefreshAsk(), Stays(expire_at, info):
                if info is not None:
                    self._shows(info, self.who.meta)
                self._expires(expire_at, now, wall)
                return []
            case _:
                raise AssertionError("only connect and refresh are granted")

    def _failed(self, ask: Ask, error: CausewayError, now: int) -> list[Effect]:
        match ask:
            case ConnectAsk(pending) | SubscribeAsk(pending) if pending.command.connect is not None:
                return self._turned_away(pending, error)
            case RefreshAsk(_, _, ""):
                if now >= self._grace_until or not error.temporary:
                    return self.close(CloseCode.CONNECTION_EXPIRED)
                self._expire_at = now + HOOK_RETRY_MS
                return []
            case SubRefreshAsk(_, _, channel, ""):
                return self._lapsed(channel)
            case _:
                return [Refuse(ask.pending.command.id, error)] if ask.pending.command.id else []

    def _begun(self, command: p.Command, standing: Standing, now: int, wall: int) -> list[Effect]:
        channel, result = standing.channel, standing.result
        if channel in self.subscriptions:  # meanwhile the server, or the client itself, began it
            return [Refuse(command.id, CausewayError(ErrorName.ALREADY_SUBSCRIBED))] if command.id else []
        if command.id:
            return [Send(p.Reply(id=command.id, subscribe=result)), *self._joined(standing, now, wall)]
        begun = p.SubscribePush(
            recoverable=result.recoverable, epoch=result.epoch, offset=result.offset, positioned=result.positioned, data=result.data
        )
        effects: list[Effect] = [Send(p.Reply(push=p.Push(channel=channel, subscribe=begun)))]
        effects += [Send(p.Reply(push=p.Push(channel=channel, pub=publication))) for publication in result.publications]
        return effects + self._joined(standing, now, wall)

    # --- expiry of subscriptions
