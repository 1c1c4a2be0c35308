"""What a session wants done, in order; whoever feeds it commands carries these out."""

from __future__ import annotations

from dataclasses import dataclass

from causeway_common.contracts.codes import CloseCode
from causeway_common.contracts.errors import CausewayError
from causeway_gateway.domain import protocol as p
from causeway_gateway.domain.asks import Ask


@dataclass(frozen=True, slots=True)
class Send:
    """Send this."""

    reply: p.Reply


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a command with an error."""

    id: int
    error: CausewayError


@dataclass(frozen=True, slots=True)
class Join:
    """Add the connection to the channel's subscribers; its reply is sent before."""

    channel: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Remove the connection from the channel's subscribers."""

    channel: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; nothing follows."""

    code: CloseCode


Effect = Send | Refuse | Join | Leave | Close | Ask
