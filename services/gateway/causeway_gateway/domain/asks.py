"""What a session asks of the services behind it, and how each question ends.

What is made for every command is a msgspec struct: a frozen dataclass sets each of its fields by a call (make bench: 3 of an RPC's 86 µs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Override
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.namespaces import Rule
from causeway_gateway.domain.subscription import Subscription
from causeway_gateway.domain.tokens import TokenSubscription

Refresher = Literal["", "client", "hook"]
"""Who renews what expires: nobody, the client by a new token, the gateway by asking the app."""


@dataclass(frozen=True, slots=True)
class Who:
    """A connection's identity: user ("" is anonymous), client id, the JSON value of its token, and what only the server sees."""

    user: str
    client: str
    info: bytes | None
    meta: bytes | None = None


class Pending(msgspec.Struct, frozen=True):
    """A command under way: its lane ("" is none), its number on this connection (1, 2, 3…), when it came (monotonic ms)."""

    command: p.Command
    lane: str
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class ConnectAsk:
    """Who is this, and may they come in?"""

    pending: Pending
    who: Who
    request: p.ConnectRequest
    transport: str


@dataclass(frozen=True, slots=True)
class RefreshAsk:
    """May the connection stay? By a new token, or without one by the app's hook."""

    pending: Pending
    who: Who
    token: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One subscription wanted.

    `access` says who decides: `given` (it is allowed), `token` (the request's), `hook` (the app). `info`, `data`, `override` and
    `expire_at` (wall-clock ms) are what its giver says.
    """

    request: p.SubscribeRequest
    rule: Rule
    access: Literal["given", "token", "hook"] = "given"
    server_side: bool = False
    insecure: bool = False
    info: bytes | None = None
    data: bytes | None = None
    override: Override | None = None
    expire_at: int = 0
    refresher: Refresher = ""


@dataclass(frozen=True, slots=True)
class SubscribeAsk:
    """Begin these subscriptions, all at the same moment. Of a server-side one the client is told by a push, or by its connect reply."""

    pending: Pending
    who: Who
    wishes: tuple[Wish, ...]
    binary: bool


@dataclass(frozen=True, slots=True)
class SubRefreshAsk:
    """May the subscription stay? `channel` "" is the token's own; without a token the app's hook decides."""

    pending: Pending
    who: Who
    channel: str
    token: str


class PublishAsk(msgspec.Struct, frozen=True):
    """Publish; answered after it is durable where the channel has history."""

    pending: Pending
    who: Who
    channel: str
    rule: Rule
    data: bytes
    info: p.ClientInfo


@dataclass(frozen=True, slots=True)
class HistoryAsk:
    """Read a page of the log."""

    pending: Pending
    who: Who
    request: p.HistoryRequest
    rule: Rule


@dataclass(frozen=True, slots=True)
class PresenceAsk:
    """Who is subscribed, or (`stats`) how many."""

    pending: Pending
    who: Who
    channel: str
    stats: bool


class RpcAsk(msgspec.Struct, frozen=True):
    """Call an app's method."""

    pending: Pending
    who: Who
    app: str
    method: str
    data: bytes


WaitingAsk = ConnectAsk | RefreshAsk | SubscribeAsk | SubRefreshAsk | PublishAsk | HistoryAsk | PresenceAsk
"""Those that a coroutine waits for; an RPC is settled by a callback."""
Ask = WaitingAsk | RpcAsk


@dataclass(frozen=True, slots=True)
class Grant:
    """Let in, until `expire_at` (wall-clock ms; None: for ever). `subs` are its server-side subscriptions, `data` is for its reply."""

    user: str
    info: bytes | None = None
    expire_at: int | None = None
    refresher: Refresher = ""
    subs: Mapping[str, TokenSubscription] = field(default_factory=dict)
    data: bytes | None = None
    meta: bytes | None = None
    jti: str = ""
    issued_at: int | None = None


@dataclass(frozen=True, slots=True)
class Stays:
    """The hook's answer: until when (wall-clock ms; None: for ever). `info` takes the place of the former one where it is set."""

    expire_at: int | None
    info: bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One subscription that stands: its reply, and what is known of it."""

    channel: str
    result: p.SubscribeResult
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Subscribed:
    """They stand, in the order of their wishes."""

    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class SubRefreshed:
    """The subscription stays, until then (wall-clock ms; None: for ever)."""

    channel: str
    expire_at: int | None


class Answered(msgspec.Struct, frozen=True):
    """Done: the whole reply."""

    reply: p.Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work out."""

    error: CausewayError


@dataclass(frozen=True, slots=True)
class Ends:
    """The connection must end (code; the reason where it is not the code's own)."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The subscription must end: it was not renewed."""

    channel: str


Outcome = Grant | Stays | Subscribed | SubRefreshed | Answered | Failed | Ends | Lapsed
