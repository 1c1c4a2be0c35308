"""The connections of this gateway: each session is fed here, and its effects are carried out. Nothing is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from sys import intern
from typing import Final, assert_never

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import CloseCode, UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import ConnectedClient, Control, DisconnectUser, RefreshUser, SubscribeUser, UnsubscribeUser
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import Kind as SpanKind
from causeway_common.telemetry import get_logger, names, span
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import (
    Ask,
    ConnectAsk,
    Failed,
    HistoryAsk,
    Outcome,
    PresenceAsk,
    PublishAsk,
    RefreshAsk,
    RpcAsk,
    SubRefreshAsk,
    SubscribeAsk,
    Subscribed,
    WaitingAsk,
)
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Opened, Refuse, Send
from causeway_gateway.domain.frames.codecs import Codec
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import COMMANDS_A_FRAME, Command, DisconnectPush, Error, ProtocolError, Push, Reply
from causeway_gateway.domain.session import NEVER, Kind, Session
from causeway_gateway.domain.wheel import Entry
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.attending import Attending
from causeway_gateway.handlers.commands import Call, Commands
from causeway_gateway.handlers.fanout import SLOW_BYTES
from causeway_gateway.handlers.feeds import Feeds
from causeway_gateway.handlers.membership import Membership
from causeway_gateway.handlers.registry import Registry
from causeway_gateway.handlers.subscribing import fitting
from causeway_gateway.ports import Link, Tasks, Timers, Visit

log = get_logger("gateway.clients")

APP_CLOSE_MIN: Final = 4000
HORIZON_MS: Final = 60_000
"""A cancelled timer is held until its time: one for a token's expiry in a year would outlive its connection by that."""
COMMANDS_A_TURN: Final = 16
"""Commands of one client in one turn of the loop; a full frame would be tens of milliseconds of it."""
COMMANDS_WAITING: Final = 2 * COMMANDS_A_FRAME
"""Commands that an emulated client, whose frames come by any way, may have waiting; beyond: close 3013."""
LATEST_MAX: Final = 1024
"""Keys of `conflate` that one slow reader may have waiting; beyond, the oldest is dropped."""

CHANNELS_SHOWN: Final = 20
NO_SDK: Final = ("", "")
SDK_MAX: Final = 64

SPAN_RPC: Final = names.SPAN_COMMAND.format(command="rpc")
KINDS: Final[dict[type[Ask], str]] = {
    ConnectAsk: "connect",
    RefreshAsk: "refresh",
    SubscribeAsk: "subscribe",
    SubRefreshAsk: "sub_refresh",
    PublishAsk: "publish",
    HistoryAsk: "history",
    PresenceAsk: "presence",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every connection shares. `new_client` makes client ids, `random` gives a number in [0, 1)."""

    options: SessionOptions
    catalogue: Catalogue
    feeds: Feeds
    commands: Commands
    membership: Membership
    attending: Attending
    registry: Registry
    timers: Timers
    tasks: Tasks
    new_client: Callable[[], str]
    random: Callable[[], float]


class Client:
    """One connection: the shell around its session."""

    __slots__ = (
        *("__weakref__", "_around", "_due", "_latest", "_link", "_rest", "_sdk", "_since", "_timer"),
        *("_visit", "codec", "send", "session"),
    )

    def __init__(self, around: Surroundings, link: Link, codec: Codec, kind: Kind, visit: Visit) -> None:
        self._around, self._link, self.codec, self._visit = around, link, codec, visit
        self._since, self._sdk = around.timers.wall(), NO_SDK
        self.send = link.send
        self._latest: dict[tuple[str, str], bytes] | None = None
        self._rest: Sequence[Command] = ()
        self.session = Session(
            around.new_client(),
            options=around.options,
            catalogue=around.catalogue,
            kind=kind,
            now=around.timers.now(),
            jitter=around.random(),
        )
        self._due = NEVER
        self._timer: Entry | None = None
        self._schedule()

    def shown(self) -> ConnectedClient:
        """As operators see it."""
        session, (name, version) = self.session, self._sdk
        return ConnectedClient(
            client=session.who.client,
            transport=self._visit.transport,
            codec="protobuf" if self.codec.binary else "json",
            name=name,
            version=version,
            address=self._visit.address,
            connected_ms=self._since,
            channels=list(islice(session.subscriptions, CHANNELS_SHOWN)),
            num_channels=len(session.subscriptions),
        )

    # --- what the transport says

    def received(self, frame: bytes) -> None:
        """A message of the client."""
        metrics.frames_in.add()
        try:
            commands = self.codec.decode(frame)
        except ProtocolError as error:
            log.debug("a client broke the protocol", reason=str(error)[:200])
            self._run(self.session.violated())
            return
        if self._rest:
            self._queue(commands)
        elif len(commands) > COMMANDS_A_TURN:
            self._rest = commands
            self._turn()
        else:
            self._take(commands)

    @property
    def busy(self) -> bool:
        """Whether commands of a frame wait for the loop's next turn."""
        return bool(self._rest)

    def _take(self, commands: Sequence[Command]) -> None:
        now = self._around.timers.now()
        for command in commands:
            self._run(self.session.receive(command, now))
        self._schedule()

    def _turn(self) -> None:
        """Some of a long frame's commands."""
        commands = self._rest
        self._rest = () if self.session.closed else commands[COMMANDS_A_TURN:]
        if self._rest:
            asyncio.get_running_loop().call_soon(self._turn)
        try:
            self._take(commands[:COMMANDS_A_TURN])
        except Exception:
            log.exception("a client's message failed")  # a fault of ours ends this connection alone
            self._run(self.session.close(CloseCode.INTERNAL_ERROR))

    def _queue(self, commands: list[Command]) -> None:
        """What comes while others wait, which no transport but an emulated client's uplink brings."""
        if len(self._rest) + len(commands) > COMMANDS_WAITING:
            self._run(self.session.close(CloseCode.TOO_MANY_REQUESTS))
            self._rest = ()
        else:
            self._rest = [*self._rest, *commands]

    def gone(self) -> None:
        """The connection is over."""
        self._run(self.session.gone())
        self._forget()

    def overflowed(self) -> None:
        """The client reads too slowly."""
        self._run(self.session.close(CloseCode.SLOW))

    def drained(self) -> None:
        """The client has read what waited: it gets the newest of what it was too slow for, as much as does not make it slow again."""
        latest = self._latest
        if latest is None:
            return
        room = SLOW_BYTES - self._link.backlog
        for key, frame in list(latest.items()):
            del latest[key]
            self.send(frame)
            room -= len(frame)
            if room <= 0:
                break
        if latest:
            self._link.call_drained()
        else:
            self._latest = None

    # --- what the fan-out says

    @property
    def backlog(self) -> int:
        """Bytes that wait for the client; more than enough for slow as long as older ones of `send_latest` wait: they go first."""
        return self._link.backlog if self._latest is None else SLOW_BYTES + self._link.backlog + 1

    def send_latest(self, key: tuple[str, str], frame: bytes) -> None:
        """Queue a frame for when the client reads again, in the place of an older one of this key."""
        latest = self._latest
        if latest is None:
            latest = self._latest = {}
            self._link.call_drained()
        latest.pop(key, None)
        latest[key] = frame
        if len(latest) > LATEST_MAX:
            del latest[next(iter(latest))]
            metrics.skipped.add(1, "dropped")

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        """The server ends a subscription."""
        self._run(self.session.unsubscribed(channel, code))

    # --- what the server says

    def drain(self) -> None:
        """The gateway is leaving."""
        self._run(self.session.drain())

    def close(self, code: int, reason: str = "") -> None:
        """Close now."""
        self._run(self.session.close(code, reason))

    def obey(self, command: Control) -> None:
        """A command of the server API.

        Raises:
            CausewayError: 102 or 107, the channel is none.
        """
        timers = self._around.timers
        match command:
            case SubscribeUser():
                self._run(self.session.subscribe(command, timers.now()))
            case UnsubscribeUser(channel=channel):
                self._run(self.session.unsubscribed(channel, UnsubscribeCode.SERVER))
            case DisconnectUser(code=code, reason=reason):
                self._run(self.session.close(code, reason))
            case RefreshUser():
                self._run(self.session.renewed(command, timers.now(), timers.wall()))
            case _:
                assert_never(command)
        self._schedule()

    # --- what the session wants

    def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(reply):
                    self.send(self.codec.encode(reply))
                case Refuse(command, error):
                    metrics.errors.add(1, error.name.value)
                    refusal = Error(code=error.code, message=error.message, temporary=error.temporary)
                    self.send(self.codec.encode(Reply(id=command, error=refusal)))
                case Opened(who, _):
                    if not self._around.registry.opened(self, who.user):
                        self._run(self.session.close(CloseCode.CONNECTION_LIMIT))
                        return
                    self._around.attending.connected(who.user, who.client)
                case Join(channel, subscription):
                    self._around.feeds.join(channel, self, subscription)
                    self._around.membership.joined(channel, subscription)
                case Leave(channel, subscription):
                    self._around.feeds.leave(channel, self)
                    self._around.membership.left(channel, subscription)
                case Close(code, reason):
                    self._close(code, reason)
                case _:
                    self._ask(effect)

    def _close(self, code: int, reason: str) -> None:
        metrics.closes.add(1, str(int(code)) if code < APP_CLOSE_MIN else "application")
        if self.codec.tells_disconnect and code != CloseCode.SLOW:
            self.send(self.codec.push(Push(disconnect=DisconnectPush(code=code, reason=reason))))
        self._link.shut(code, reason)
        self._forget()

    def _ask(self, ask: Ask) -> None:
        if isinstance(ask, RpcAsk):
            self._call(ask)
            return
        if isinstance(ask, ConnectAsk):  # few names and many connections: each is kept once
            self._sdk = (intern(ask.request.name[:SDK_MAX]), intern(ask.request.version[:SDK_MAX]))
        try:
            outcome = self._around.commands.perform_now(ask)
        except CausewayError as error:
            outcome = Failed(error)
        if outcome is None:
            self._around.tasks.spawn(self._perform(ask))
            return
        metrics.commands.add(1, KINDS[type(ask)])
        self._complete(ask, outcome)

    def _call(self, ask: RpcAsk) -> None:
        """An RPC has no task: the bus's read loop brings its end. make bench: the task was 8 of an RPC's 86 µs."""
        metrics.commands.add(1, "rpc")
        trace = span(
            SPAN_RPC, kind=SpanKind.SERVER, parent=None, attributes={names.CLIENT_COMMAND: "rpc", names.USER_ID: ask.who.user}
        )

        call = Call(ask, trace, self._called)
        try:
            self._around.commands.call(ask, _deadline(ask), call)
        except CausewayError as error:
            self._around.tasks.spawn(_fail_later(call, error))  # not now: the next of its lane may fail likewise, and so on

    def _called(self, ask: RpcAsk, outcome: Outcome) -> None:
        timers = self._around.timers  # no end of an RPC makes anything due earlier
        self._run(self.session.complete(ask, outcome, timers.now(), timers.wall()))

    async def _perform(self, ask: WaitingAsk) -> None:
        """Ask, and give the session the answer. After the answer there is no await before the session has it (see `Commands`)."""
        kind = KINDS[type(ask)]
        metrics.commands.add(1, kind)
        deadline = _deadline(ask)
        outcome: Outcome
        try:
            attributes = {names.CLIENT_COMMAND: kind, names.USER_ID: ask.who.user}
            with span(names.SPAN_COMMAND.format(command=kind), kind=SpanKind.SERVER, attributes=attributes):
                outcome = await self._around.commands.perform(ask, deadline)
        except CausewayError as error:
            outcome = Failed(error)
        except Exception:
            log.exception("a command failed", command=kind)
            outcome = Failed(CausewayError(ErrorName.INTERNAL))
        self._complete(ask, outcome)

    def _complete(self, ask: Ask, outcome: Outcome) -> None:
        timers = self._around.timers
        if (
            isinstance(outcome, Subscribed)
            and isinstance(ask, SubscribeAsk)
            and any(s.result.publications for s in outcome.standings)
        ):
            outcome = fitting(ask, outcome, self._around.options.recovery_max_bytes - self.backlog)
        self._run(self.session.complete(ask, outcome, timers.now(), timers.wall()))
        self._schedule()

    def _schedule(self) -> None:
        due = self.session.due_at
        if due >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        timers = self._around.timers
        self._timer = timers.at(min(due, timers.now() + HORIZON_MS), self._tick)

    def _tick(self) -> None:
        self._due, self._timer = NEVER, None
        self._run(self.session.tick(self._around.timers.now()))
        self._schedule()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._latest = None
        who = self.session.who
        if self._around.registry.closed(self, who.user):
            self._around.attending.disconnected(who.user, who.client)


def _deadline(ask: Ask) -> Deadline:
    return Deadline(ask.pending.at / 1000 + CLIENT_COMMAND_SECONDS)


async def _fail_later(call: Call, error: CausewayError) -> None:
    call.failed(error)
