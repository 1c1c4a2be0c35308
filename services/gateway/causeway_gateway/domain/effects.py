"""What a session wants done, in order; whoever feeds it commands carries these out."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from causeway_common.contracts.errors import CausewayError
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.asks import Ask, Grant, Who
from causeway_gateway.domain.subscription import Subscription


class Send(msgspec.Struct, frozen=True):
    """Send this."""

    reply: p.Reply


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a command with an error."""

    id: int
    error: CausewayError


@dataclass(frozen=True, slots=True)
class Opened:
    """The connection stands from here on; its reply follows."""

    who: Who
    grant: Grant


@dataclass(frozen=True, slots=True)
class Join:
    """Add the connection to the channel's subscribers; its reply is sent before."""

    channel: str
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Leave:
    """Remove the connection from the channel's subscribers."""

    channel: str
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; nothing follows."""

    code: int
    reason: str


Effect = Send | Refuse | Opened | Join | Leave | Close | Ask
