"""The state machine of one client connection (reference/centrifuge-protocol.md, sections 5 and 6): commands in, effects out.

Blind to codec and transport. It does not wait: what needs another service is an `Ask` among the effects, and its end comes back by
`complete`. RPCs of one app and commands of one channel keep their order (`Lanes`). Times are monotonic milliseconds (`now`), but for
tokens, which count in wall-clock milliseconds (`wall`).
"""

from __future__ import annotations

import enum
from typing import Final, assert_never

from causeway_common.contracts.codes import UNSUBSCRIBE_REASONS, CloseCode, UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName, overloaded
from causeway_common.contracts.names import split_method
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions, admit, renew
from causeway_gateway.domain.asks import (
    Ask,
    Called,
    Failed,
    HistoryRead,
    Outcome,
    Pending,
    Published,
    SubscribeAsk,
    Subscribed,
    Who,
)
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Refuse, Send
from causeway_gateway.domain.lanes import Lanes
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.requests import Caller, question
from causeway_gateway.domain.tokens import Granted, Tokens

IN_FLIGHT_MAX: Final = 256
NEVER: Final = 2**62


class State(enum.Enum):
    """Where a connection stands; FAILED is after an error reply to connect."""

    NEW = "new"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class Session:
    """One connection.

    Args:
        client: its id.
        options: the configuration.
        tokens: verifies connection tokens.
        catalogue: the namespaces and methods there are.
        now: monotonic ms.
        jitter: in [0, 1), spreads the first ping.
    """

    __slots__ = (
        "_awaiting_pong",
        "_catalogue",
        "_count",
        "_draining",
        "_expire_at",
        "_in_flight",
        "_jitter",
        "_lanes",
        "_options",
        "_ping_at",
        "_stale_at",
        "_state",
        "_subscribing",
        "_tokens",
        "_who",
        "subscriptions",
    )

    def __init__(
        self, client: str, *, options: SessionOptions, tokens: Tokens, catalogue: Catalogue, now: int, jitter: float
    ) -> None:
        self._options, self._tokens, self._catalogue, self._jitter = options, tokens, catalogue, jitter
        self._state = State.NEW
        self._who = Who("", client, None)
        self._lanes: Lanes[Pending] = Lanes()
        self._count = self._in_flight = self._subscribing = 0
        self._draining = self._awaiting_pong = False
        self._stale_at, self._ping_at, self._expire_at = now + options.stale_delay, NEVER, NEVER
        self.subscriptions: dict[str, bytes | None] = {}

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._state is State.CLOSED

    @property
    def due_at(self) -> int:
        """When `tick` must be called next."""
        return min(self._stale_at, self._ping_at, self._expire_at)

    def receive(self, command: p.Command, now: int, wall: int) -> list[Effect]:
        """A command of the client."""
        if self.closed or self._draining:
            return []
        if command.id == 0 and command.send is None:
            return self._pong(now)
        if command.connect is not None:
            return self._connect(command.id, command.connect, now, wall)
        if self._state is not State.CONNECTED:
            return self.violated()
        if command.rpc is not None and not _names_channel(command):
            return self._rpc(command, command.rpc.method, now)
        if command.refresh is not None and command.send is None and not _names_channel(command):
            return self._refresh(command.id, command.refresh.token, now, wall)
        return self._channel_command(command, now)

    def violated(self) -> list[Effect]:
        """The client broke the protocol."""
        return self.close(CloseCode.BAD_REQUEST)

    def complete(self, ask: Ask, outcome: Outcome) -> list[Effect]:
        """The end of an `Ask`."""
        if isinstance(ask, SubscribeAsk):
            self._subscribing -= 1
        if self.closed:
            return []
        effects = self._answer(ask, outcome)
        self._in_flight -= 1
        lane = ask.pending.lane
        if lane and (waiting := self._lanes.leave(lane)) is not None:
            effects += self._advance(waiting)
        return effects + self._drained()

    def tick(self, now: int) -> list[Effect]:
        """Time has come: pings, missing pongs, expiry, staleness."""
        if self.closed:
            return []
        if now >= self._stale_at:
            return self.close(CloseCode.STALE)
        if now >= self._expire_at:
            return self.close(CloseCode.CONNECTION_EXPIRED)
        if now < self._ping_at:
            return []
        if self._awaiting_pong:
            return self.close(CloseCode.NO_PONG)
        self._awaiting_pong = self._options.pong_timeout > 0
        self._ping_at += self._options.pong_timeout or self._options.ping_interval
        return [Send(p.PING)]

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> list[Effect]:
        """The server ended a subscription (the hub has removed it)."""
        if self.closed or channel not in self.subscriptions:
            return []
        del self.subscriptions[channel]
        push = p.Push(channel=channel, unsubscribe=p.Unsubscribe(code=code, reason=UNSUBSCRIBE_REASONS[code]))
        return [Send(p.Reply(push=push))]

    def drain(self) -> list[Effect]:
        """The gateway is leaving: take nothing more, close (3001) once what was taken is answered."""
        self._draining = True
        return self._drained()

    def close(self, code: CloseCode) -> list[Effect]:
        """Close, whatever is under way."""
        return [] if self.closed else [*self.gone(), Close(code)]

    def gone(self) -> list[Effect]:
        """The client has left."""
        leaves: list[Effect] = [Leave(channel) for channel in self.subscriptions]
        self._state = State.CLOSED
        self.subscriptions.clear()
        self._stale_at = self._ping_at = self._expire_at = NEVER
        return leaves

    def _pong(self, now: int) -> list[Effect]:
        if not self._awaiting_pong:
            return self.violated()
        self._awaiting_pong = False
        self._ping_at = max(self._ping_at - self._options.pong_timeout + self._options.ping_interval, now)
        return []

    def _connect(self, command: int, request: p.ConnectRequest, now: int, wall: int) -> list[Effect]:
        if self._state is not State.NEW:
            return self.violated()
        options = self._options
        granted = admit(request.token, options, self._tokens, wall)
        if isinstance(granted, CloseCode):
            return self.close(granted)
        if isinstance(granted, CausewayError):
            self._state = State.FAILED
            return [Refuse(command, granted)]
        self._state, self._stale_at = State.CONNECTED, NEVER
        if options.ping_interval:
            self._ping_at = now + int(options.ping_interval * (1 + self._jitter) / 2)
        ttl = self._identify(granted, now, wall)
        result = p.ConnectResult(
            client=self._who.client,
            version=options.version,
            expires=ttl > 0,
            ttl=ttl,
            ping=-(-options.ping_interval // 1000),
            pong=bool(options.ping_interval and options.pong_timeout),
        )
        return [Send(p.Reply(id=command, connect=result))]

    def _refresh(self, command: int, token: str, now: int, wall: int) -> list[Effect]:
        granted = renew(token, self._who.user, self._tokens, wall)
        if isinstance(granted, CloseCode):
            return self.close(granted)
        if isinstance(granted, CausewayError):
            return [Refuse(command, granted)]
        ttl = self._identify(granted, now, wall)
        return [Send(p.Reply(id=command, refresh=p.RefreshResult(expires=ttl > 0, ttl=ttl)))]

    def _identify(self, granted: Granted, now: int, wall: int) -> int:
        """Take over identity and expiry; returns the seconds left, 0 for a connection that does not expire."""
        self._who = Who(granted.user, self._who.client, granted.info)
        if granted.expire_at is None:
            self._expire_at = NEVER
            return 0
        left = granted.expire_at - wall
        self._expire_at = now + left + self._options.expired_delay
        return -(-left // 1000)

    def _channel_command(self, command: p.Command, now: int) -> list[Effect]:
        match command:
            case p.Command(subscribe=p.SubscribeRequest(channel=channel, delta=delta)):
                return self._queue(command, f"#{channel}", now) if channel and delta in ("", "fossil") else self.violated()
            case (
                p.Command(unsubscribe=p.ChannelRequest(channel=channel))
                | p.Command(publish=p.PublishRequest(channel=channel))
                | p.Command(history=p.HistoryRequest(channel=channel))
            ):
                return self._queue(command, f"#{channel}", now) if channel else self.violated()
            case (
                p.Command(presence=p.ChannelRequest(channel=channel)) | p.Command(presence_stats=p.ChannelRequest(channel=channel))
            ):
                return [Refuse(command.id, CausewayError(ErrorName.NOT_AVAILABLE))] if channel else self.violated()
            case p.Command(sub_refresh=p.ChannelRequest(channel=channel), send=None):
                if not channel or channel in self.subscriptions:  # no subscription here is one that its client refreshes
                    return self.violated()
                return [Refuse(command.id, CausewayError(ErrorName.PERMISSION_DENIED))]
            case p.Command(send=p.SendRequest()):
                return self.close(CloseCode.NOT_AVAILABLE)
            case _:
                return self.violated()

    def _rpc(self, command: p.Command, method: str, now: int) -> list[Effect]:
        try:
            app, name = split_method(method, self._options.default_app or None)
            concurrent = self._catalogue.method(app, name).concurrent
        except CausewayError as error:
            return [Refuse(command.id, error)]
        return self._queue(command, "" if concurrent else f"@{app}", now)

    def _queue(self, command: p.Command, lane: str, now: int) -> list[Effect]:
        if self._in_flight >= IN_FLIGHT_MAX:
            return [Refuse(command.id, overloaded(f"{IN_FLIGHT_MAX} commands of this connection are under way"))]
        self._in_flight += 1
        self._count += 1
        pending = Pending(command, lane, self._count, now)
        if lane and not self._lanes.enter(lane, pending):
            return []
        return self._advance(pending)

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
                    ask = question(
                        current, Caller(self._who, self.subscriptions, self._subscribing, self._options, self._catalogue)
                    )
                except CausewayError as error:
                    effects.append(Refuse(current.command.id, error))
                else:
                    self._subscribing += isinstance(ask, SubscribeAsk)
                    return [*effects, ask]
            self._in_flight -= 1
            waiting = self._lanes.leave(current.lane) if current.lane else None
        return effects

    def _unsubscribe(self, command: int, channel: str) -> list[Effect]:
        done = Send(p.Reply(id=command, unsubscribe=p.Empty()))
        if channel not in self.subscriptions:
            return [done]
        del self.subscriptions[channel]
        return [Leave(channel), done]

    def _drained(self) -> list[Effect]:
        return self.close(CloseCode.SHUTDOWN) if self._draining and self._in_flight == 0 else []

    def _answer(self, ask: Ask, outcome: Outcome) -> list[Effect]:
        command = ask.pending.command.id
        match outcome:
            case Failed(error):
                return [Refuse(command, error)]
            case Subscribed(channel, result, next_offset, info):
                self.subscriptions[channel] = info
                return [Send(p.Reply(id=command, subscribe=result)), Join(channel, next_offset)]
            case Published():
                return [Send(p.Reply(id=command, publish=p.Empty()))]
            case HistoryRead(page):
                return [Send(p.Reply(id=command, history=page))]
            case Called(data):
                return [Send(p.Reply(id=command, rpc=p.RpcResult(data=p.Raw(data))))]
            case _:
                assert_never(outcome)


def _names_channel(command: p.Command) -> bool:
    """Whether a request that comes before rpc and refresh in the protocol's order is set; the first set one counts."""
    return (
        command.subscribe or command.unsubscribe or command.publish or command.presence or command.presence_stats
    ) is not None or (command.history is not None)
