"""How long a connection and its subscriptions last: pings, pongs, expiry, staleness, and their end.

The half of a `Session` that time drives; what its client says and what others answer is the other half's.
"""

from __future__ import annotations

import enum
from typing import Final

from causeway_common.contracts.codes import UNSUBSCRIBE_REASONS, CloseCode, UnsubscribeCode, reason_of
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import Grant, Pending, RefreshAsk, Standing, SubRefreshAsk, Who
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Refuse, Send
from causeway_gateway.domain.subscription import NEVER, Subscription

_UNASKED: Final = p.Command()


class State(enum.Enum):
    """Where a connection stands; FAILED is after an error reply to connect."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class Kind:
    """What kind of client this is, by its codec and transport.

    Attributes:
        binary: payloads may be any bytes.
        uni: it says nothing after its connect request, and is told errors by closes.
        pings: the server pings by messages of the protocol.
        node: the gateway's id, told to emulated clients.
        session: a secret id of the connection, told to emulated and unidirectional clients.
        transport: its name, for the app's connect hook.
    """

    __slots__ = ("binary", "node", "pings", "session", "transport", "uni")

    def __init__(
        self,
        *,
        binary: bool = False,
        uni: bool = False,
        pings: bool = True,
        session: str = "",
        node: str = "",
        transport: str = "websocket",
    ) -> None:
        self.binary, self.uni, self.pings, self.session, self.node, self.transport = binary, uni, pings, session, node, transport


class Life:
    """The state that lasts: who is connected, what they watch, and when something is due.

    Args:
        client: its id.
        options: the configuration.
        kind: what kind of client this is.
        now: monotonic ms.
    """

    __slots__ = (
        "_awaiting_pong",
        "_count",
        "_expire_at",
        "_grace_until",
        "_in_flight",
        "_options",
        "_ping_at",
        "_stale_at",
        "_state",
        "_subs_due",
        "grant",
        "kind",
        "subscriptions",
        "who",
    )

    def __init__(self, client: str, options: SessionOptions, kind: Kind, now: int) -> None:
        self._options, self.kind = options, kind
        self._state = State.NEW
        self.who = Who("", client, None)
        self.grant: Grant | None = None
        self._count = self._in_flight = 0
        self._awaiting_pong = False
        self._stale_at, self._ping_at, self._expire_at = now + options.stale_delay, NEVER, NEVER
        self._subs_due = self._grace_until = NEVER
        self.subscriptions: dict[str, Subscription] = {}

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._state is State.CLOSED

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._state is State.CONNECTED

    @property
    def due_at(self) -> int:
        """When `tick` must be called next."""
        return min(self._stale_at, self._ping_at, self._expire_at, self._subs_due)

    def tick(self, now: int) -> list[Effect]:
        """Time has come: pings, missing pongs, expiry, staleness."""
        if self.closed:
            return []
        if now >= self._stale_at:
            return self.close(CloseCode.STALE)
        effects: list[Effect] = []
        if now >= self._expire_at:
            if self.grant is None or self.grant.refresher != "hook":
                return self.close(CloseCode.CONNECTION_EXPIRED)
            self._expire_at = NEVER
            effects.append(RefreshAsk(self._unasked(now), self.who, ""))
        if now >= self._subs_due:
            effects += self._subscriptions_due(now)
        if now < self._ping_at:  # never after a close
            return effects
        if self._awaiting_pong:
            return effects + self.close(CloseCode.NO_PONG)
        self._awaiting_pong = self._pong_timeout > 0
        self._ping_at += self._pong_timeout or self._options.ping_interval
        return [*effects, Send(p.PING)]

    def violated(self) -> list[Effect]:
        """The client broke the protocol."""
        return self.close(CloseCode.BAD_REQUEST)

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> list[Effect]:
        """The server ends a subscription."""
        subscription = self.subscriptions.get(channel)
        if self.closed or subscription is None:
            return []
        if subscription.server_side and code is UnsubscribeCode.INSUFFICIENT:
            return self.close(CloseCode.INSUFFICIENT_STATE)
        del self.subscriptions[channel]
        push = p.Push(channel=channel, unsubscribe=p.Unsubscribe(code=code, reason=UNSUBSCRIBE_REASONS[code]))
        return [Leave(channel, subscription), Send(p.Reply(push=push))]

    def close(self, code: int, reason: str = "") -> list[Effect]:
        """Close, whatever is under way."""
        return [] if self.closed else [*self.gone(), Close(code, reason or reason_of(code))]

    def gone(self) -> list[Effect]:
        """The client has left."""
        leaves: list[Effect] = [Leave(channel, subscription) for channel, subscription in self.subscriptions.items()]
        self._state = State.CLOSED
        self.subscriptions = {}
        self._stale_at = self._ping_at = self._expire_at = self._subs_due = NEVER
        return leaves

    # --- pings and expiry of the connection

    @property
    def _pong_timeout(self) -> int:
        return 0 if self.kind.uni else self._options.pong_timeout

    def _pong(self, now: int) -> list[Effect]:
        if not self._awaiting_pong:
            return self.violated()
        self._awaiting_pong = False
        self._ping_at = max(self._ping_at - self._options.pong_timeout + self._options.ping_interval, now)
        return []

    def _expires(self, expire_at: int | None, now: int, wall: int) -> int:
        """Take over the expiry; returns the seconds left, 0 for a connection that does not expire."""
        if expire_at is None:
            self._expire_at = NEVER
            return 0
        left = expire_at - wall
        asks = self.grant is not None and self.grant.refresher == "hook"
        self._grace_until = now + left + self._options.expired_delay
        self._expire_at = now + left if asks else self._grace_until
        return max(-(-left // 1000), 1)

    def _unasked(self, now: int) -> Pending:
        """What the server itself begins, beside the lanes."""
        self._in_flight += 1
        self._count += 1
        return Pending(_UNASKED, "", self._count, now)

    # --- subscriptions

    def _joined(self, standing: Standing, now: int, wall: int) -> list[Effect]:
        subscription = standing.subscription
        if subscription.expire_at != NEVER:  # as its giver said it, by the wall clock
            self._sub_expires(subscription, subscription.expire_at, now, wall)
        self.subscriptions[standing.channel] = subscription
        return [Join(standing.channel, subscription)]

    def _sub_expires(self, subscription: Subscription, expire_at: int | None, now: int, wall: int) -> int:
        if expire_at is None:
            subscription.expire_at = NEVER
            return 0
        left = expire_at - wall
        subscription.expire_at = now + left + (0 if subscription.refresher == "hook" else self._options.expired_sub_delay)
        self._subs_due = min(self._subs_due, subscription.expire_at)
        return max(-(-left // 1000), 1)

    def _sub_refreshed(self, command: p.Command, channel: str, expire_at: int | None, now: int, wall: int) -> list[Effect]:
        subscription = self.subscriptions.get(channel)
        if subscription is None:
            return [Refuse(command.id, CausewayError(ErrorName.PERMISSION_DENIED))] if command.id else []
        if command.id and subscription.refresher != "client":
            return self.violated()  # the channel was the token's own
        ttl = self._sub_expires(subscription, expire_at, now, wall)
        if not command.id:
            return []
        return [Send(p.Reply(id=command.id, sub_refresh=p.SubRefreshResult(expires=ttl > 0, ttl=ttl)))]

    def _lapsed(self, channel: str) -> list[Effect]:
        subscription = self.subscriptions.get(channel)
        if subscription is None:
            return []
        if subscription.server_side:
            return self.close(CloseCode.SUBSCRIPTION_EXPIRED)
        return self.unsubscribed(channel, UnsubscribeCode.EXPIRED)

    def _subscriptions_due(self, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for channel, subscription in list(self.subscriptions.items()):
            if subscription.expire_at > now:
                continue
            if subscription.refresher != "hook":
                effects += self._lapsed(channel)
                continue
            subscription.expire_at = NEVER
            effects.append(SubRefreshAsk(self._unasked(now), self.who, channel, ""))
        self._subs_due = min((each.expire_at for each in self.subscriptions.values()), default=NEVER)
        return effects
