"""The connections of this gateway: each session is fed here, and its effects are carried out. Nothing is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from causeway_common.bus import Deadline
from causeway_common.contracts.codes import CloseCode, UnsubscribeCode
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.verbs import CLIENT_COMMAND_SECONDS
from causeway_common.telemetry import Kind, get_logger, names, span
from causeway_gateway.domain.admission import SessionOptions
from causeway_gateway.domain.asks import Ask, Failed, HistoryAsk, Outcome, PublishAsk, RpcAsk, SubscribeAsk
from causeway_gateway.domain.effects import Close, Effect, Join, Leave, Refuse, Send
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import Command, Error, ProtocolError, Reply
from causeway_gateway.domain.session import NEVER, Session
from causeway_gateway.domain.tokens import Tokens
from causeway_gateway.domain.wheel import Entry
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.commands import Commands
from causeway_gateway.handlers.feeds import Feeds
from causeway_gateway.ports import Link, Tasks, Timers

log = get_logger("gateway.clients")


@dataclass(frozen=True, slots=True)
class Codec:
    """A format of the protocol over a transport: messages to commands, replies to whole frames."""

    decode: Callable[[bytes], list[Command]]
    encode: Callable[[Reply], bytes]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every connection shares. `new_client` makes client ids, `random` gives a number in [0, 1)."""

    options: SessionOptions
    tokens: Tokens
    catalogue: Catalogue
    feeds: Feeds
    commands: Commands
    timers: Timers
    tasks: Tasks
    new_client: Callable[[], str]
    random: Callable[[], float]


class Client:
    """One connection: the shell around its session."""

    __slots__ = ("_around", "_codec", "_due", "_link", "_registry", "_timer", "send", "session")

    def __init__(self, registry: Clients, around: Surroundings, link: Link, codec: Codec) -> None:
        self._registry, self._around, self._link, self._codec = registry, around, link, codec
        self.send = link.send
        self.session = Session(
            around.new_client(),
            options=around.options,
            tokens=around.tokens,
            catalogue=around.catalogue,
            now=around.timers.now(),
            jitter=around.random(),
        )
        self._due = NEVER
        self._timer: Entry | None = None
        self._schedule()

    def received(self, frame: bytes) -> None:
        """A message of the client."""
        metrics.frames_in.add()
        try:
            commands = self._codec.decode(frame)
        except ProtocolError as error:
            log.debug("a client broke the protocol", reason=str(error)[:200])
            self._run(self.session.violated())
            return
        timers = self._around.timers
        for command in commands:
            self._run(self.session.receive(command, timers.now(), timers.wall()))
        self._schedule()

    def gone(self) -> None:
        """The connection is over."""
        self._run(self.session.gone())
        self._forget()

    def overflowed(self) -> None:
        """The client reads too slowly."""
        self._run(self.session.close(CloseCode.SLOW))

    def unsubscribed(self, channel: str, code: UnsubscribeCode) -> None:
        """The server ended a subscription."""
        self._run(self.session.unsubscribed(channel, code))

    def drain(self) -> None:
        """The gateway is leaving."""
        self._run(self.session.drain())

    def close(self, code: CloseCode) -> None:
        """Close now."""
        self._run(self.session.close(code))

    def _run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(reply):
                    self.send(self._codec.encode(reply))
                case Refuse(command, error):
                    metrics.errors.add(1, error.name.value)
                    refusal = Error(code=error.code, message=error.message, temporary=error.temporary)
                    self.send(self._codec.encode(Reply(id=command, error=refusal)))
                case Join(channel, next_offset):
                    self._around.feeds.join(channel, self, next_offset)
                case Leave(channel):
                    self._around.feeds.leave(channel, self)
                case Close(code):
                    metrics.closes.add(1, str(int(code)))
                    self._link.shut(code)
                    self._forget()
                case SubscribeAsk() | PublishAsk() | HistoryAsk() | RpcAsk():
                    self._around.tasks.spawn(self._perform(effect))
                case _:
                    assert_never(effect)

    async def _perform(self, ask: Ask) -> None:
        """Ask, and give the session the answer. After the answer there is no await before the session has it (see `Commands`)."""
        kind = _kind(ask)
        metrics.commands.add(1, kind)
        deadline = Deadline(ask.pending.at / 1000 + CLIENT_COMMAND_SECONDS)
        outcome: Outcome
        try:
            attributes = {names.CLIENT_COMMAND: kind, names.USER_ID: ask.who.user}
            with span(names.SPAN_COMMAND.format(command=kind), kind=Kind.SERVER, attributes=attributes):
                outcome = await self._around.commands.perform(ask, deadline)
        except CausewayError as error:
            outcome = Failed(error)
        except Exception:
            log.exception("a command failed", command=kind)
            outcome = Failed(CausewayError(ErrorName.INTERNAL))
        self._run(self.session.complete(ask, outcome))

    def _schedule(self) -> None:
        due = self.session.due_at
        if due >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._around.timers.at(due, self._tick)

    def _tick(self) -> None:
        self._due, self._timer = NEVER, None
        self._run(self.session.tick(self._around.timers.now()))
        self._schedule()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._registry.remove(self)


def _kind(ask: Ask) -> str:
    match ask:
        case SubscribeAsk():
            return "subscribe"
        case PublishAsk():
            return "publish"
        case HistoryAsk():
            return "history"
        case RpcAsk():
            return "rpc"
        case _:
            assert_never(ask)


class Clients:
    """All connections of this gateway."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._all: dict[Client, None] = {}
        self._draining = False
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._all)

    def open(self, link: Link, codec: Codec) -> Client:
        """A new connection."""
        client = Client(self, self._around, link, codec)
        self._all[client] = None
        metrics.opened.add()
        if self._draining:
            client.drain()
        return client

    def remove(self, client: Client) -> None:
        """A connection is over."""
        self._all.pop(client, None)
        if self._draining and not self._all:
            self._empty.set()

    def drain(self, spread_ms: int) -> None:
        """Ask every client to leave (3001), evenly over `spread_ms`; each once its commands under way are answered."""
        self._draining = True
        now = self._around.timers.now()
        for index, client in enumerate(list(self._all)):
            self._around.timers.at(now + index * spread_ms // len(self._all), client.drain)

    async def all_gone(self) -> None:
        """Wait until the last client has left; after `drain`."""
        if self._all:
            await self._empty.wait()

    def close_all(self, code: CloseCode) -> None:
        """Close whoever is still there."""
        for client in list(self._all):
            client.close(code)
