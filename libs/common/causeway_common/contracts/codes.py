"""Close and unsubscribe codes of the Centrifuge client protocol v2 (reference/centrifuge-protocol.md, sections 12 and 13).

The range of a close code tells a client whether to come back: 3000-3499 and 4000-4499 yes, 3500-3999 and 4500-4999 no.
"""

from __future__ import annotations

import enum
from typing import Final


class CloseCode(enum.IntEnum):
    """Why a connection is closed by the server."""

    MESSAGE_TOO_BIG = 1009
    SHUTDOWN = 3001
    INTERNAL_ERROR = 3004
    CONNECTION_EXPIRED = 3005
    SUBSCRIPTION_EXPIRED = 3006
    SLOW = 3008
    WRITE_ERROR = 3009
    INSUFFICIENT_STATE = 3010
    FORCE_RECONNECT = 3011
    NO_PONG = 3012
    TOO_MANY_REQUESTS = 3013
    INVALID_TOKEN = 3500
    BAD_REQUEST = 3501
    STALE = 3502
    FORCE_DISCONNECT = 3503
    CONNECTION_LIMIT = 3504
    CHANNEL_LIMIT = 3505
    INAPPROPRIATE_PROTOCOL = 3506
    PERMISSION_DENIED = 3507
    NOT_AVAILABLE = 3508
    TOO_MANY_ERRORS = 3509


CLOSE_REASONS: Final[dict[CloseCode, str]] = {
    CloseCode.MESSAGE_TOO_BIG: "message too big",
    CloseCode.SHUTDOWN: "shutdown",
    CloseCode.INTERNAL_ERROR: "internal server error",
    CloseCode.CONNECTION_EXPIRED: "connection expired",
    CloseCode.SUBSCRIPTION_EXPIRED: "subscription expired",
    CloseCode.SLOW: "slow",
    CloseCode.WRITE_ERROR: "write error",
    CloseCode.INSUFFICIENT_STATE: "insufficient state",
    CloseCode.FORCE_RECONNECT: "force reconnect",
    CloseCode.NO_PONG: "no pong",
    CloseCode.TOO_MANY_REQUESTS: "too many requests",
    CloseCode.INVALID_TOKEN: "invalid token",
    CloseCode.BAD_REQUEST: "bad request",
    CloseCode.STALE: "stale",
    CloseCode.FORCE_DISCONNECT: "force disconnect",
    CloseCode.CONNECTION_LIMIT: "connection limit",
    CloseCode.CHANNEL_LIMIT: "channel limit",
    CloseCode.INAPPROPRIATE_PROTOCOL: "inappropriate protocol",
    CloseCode.PERMISSION_DENIED: "permission denied",
    CloseCode.NOT_AVAILABLE: "not available",
    CloseCode.TOO_MANY_ERRORS: "too many errors",
}


class UnsubscribeCode(enum.IntEnum):
    """Why the server ends a subscription; below 2500 it stays ended, from 2500 on the client subscribes again."""

    SERVER = 2000
    INSUFFICIENT = 2500
    EXPIRED = 2501
    STATE_INVALIDATED = 2502


UNSUBSCRIBE_REASONS: Final[dict[UnsubscribeCode, str]] = {
    UnsubscribeCode.SERVER: "server unsubscribe",
    UnsubscribeCode.INSUFFICIENT: "insufficient state",
    UnsubscribeCode.EXPIRED: "subscription expired",
    UnsubscribeCode.STATE_INVALIDATED: "state invalidated",
}


def reason_of(code: int) -> str:
    """The reason that goes with a close code; "" for an application's own."""
    try:
        return CLOSE_REASONS[CloseCode(code)]
    except ValueError:
        return ""


def may_reconnect(code: int) -> bool:
    """Whether a client comes back after this close code (section 13's rule for unknown codes)."""
    return 3000 <= code < 3500 or 4000 <= code < 4500 or code >= 5000
