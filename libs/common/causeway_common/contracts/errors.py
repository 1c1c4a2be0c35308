"""The error table. Every error that crosses a process boundary is a row here; nothing else reaches a client.

A row has a stable `name` (metrics, logs, the bus), the client protocol's `code`, a default message and the `temporary` flag
that tells an SDK whether a later try may succeed. Codes 100-113 are the Centrifuge client protocol's own; 400-1999 belong
to applications. Three of our rows share 100 and two share 111 on the client's side: their names tell them apart.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

APP_CODE_MIN: Final = 400
APP_CODE_MAX: Final = 1999


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row: what a client sees (`code`, `message`, `temporary`)."""

    code: int
    message: str
    temporary: bool = False


class ErrorName(enum.StrEnum):
    """The name of a row, as it stands on the bus, in logs and as the metric label `error.type`."""

    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_CHANNEL = "unknown_channel"
    PERMISSION_DENIED = "permission_denied"
    METHOD_NOT_FOUND = "method_not_found"
    ALREADY_SUBSCRIBED = "already_subscribed"
    LIMIT_EXCEEDED = "limit_exceeded"
    BAD_REQUEST = "bad_request"
    NOT_AVAILABLE = "not_available"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a row's name, no secret
    EXPIRED = "expired"
    OVERLOADED = "overloaded"
    UNRECOVERABLE_POSITION = "unrecoverable_position"
    REJECTED = "rejected"


ERRORS: Final[dict[ErrorName, ErrorRow]] = {
    ErrorName.INTERNAL: ErrorRow(100, "internal server error", temporary=True),
    ErrorName.UNAVAILABLE: ErrorRow(100, "unavailable", temporary=True),
    ErrorName.UNAUTHORIZED: ErrorRow(101, "unauthorized"),
    ErrorName.UNKNOWN_CHANNEL: ErrorRow(102, "unknown channel"),
    ErrorName.PERMISSION_DENIED: ErrorRow(103, "permission denied"),
    ErrorName.METHOD_NOT_FOUND: ErrorRow(104, "method not found"),
    ErrorName.ALREADY_SUBSCRIBED: ErrorRow(105, "already subscribed"),
    ErrorName.LIMIT_EXCEEDED: ErrorRow(106, "limit exceeded"),
    ErrorName.BAD_REQUEST: ErrorRow(107, "bad request"),
    ErrorName.NOT_AVAILABLE: ErrorRow(108, "not available"),
    ErrorName.TOKEN_EXPIRED: ErrorRow(109, "token expired"),
    ErrorName.EXPIRED: ErrorRow(110, "expired"),
    ErrorName.OVERLOADED: ErrorRow(111, "overloaded", temporary=True),
    ErrorName.UNRECOVERABLE_POSITION: ErrorRow(112, "unrecoverable position"),
    ErrorName.REJECTED: ErrorRow(APP_CODE_MIN, "rejected"),
}


class CausewayError(Exception):
    """An error of the table on its way to whoever asked.

    Args:
        name: the row.
        message: what, where and what to do; the row's message when left out.
        code: only for `REJECTED`: the application's own code, 400 to 1999.
        temporary: only for `REJECTED`; the other rows fix it.

    Raises:
        ValueError: `code` or `temporary` given for a row that fixes them, or a code outside the applications' range.
    """

    def __init__(self, name: ErrorName, message: str = "", *, code: int | None = None, temporary: bool | None = None) -> None:
        row = ERRORS[name]
        if name is not ErrorName.REJECTED and (code is not None or temporary is not None):
            raise ValueError(f"the row {name} fixes its code and its temporary flag")
        if code is not None and not APP_CODE_MIN <= code <= APP_CODE_MAX:
            raise ValueError(f"an application's code lies in {APP_CODE_MIN}-{APP_CODE_MAX}, got {code}")
        self.name = name
        self.code = row.code if code is None else code
        self.message = message or row.message
        self.temporary = row.temporary if temporary is None else temporary
        super().__init__(self.code, self.message)

    def __str__(self) -> str:
        """`name (code): message`."""
        return f"{self.name} ({self.code}): {self.message}"


def unavailable(why: str) -> CausewayError:
    """100, temporary: no responder, the bus away, the deadline passed or the outcome unknown; `why` says which."""
    return CausewayError(ErrorName.UNAVAILABLE, f"unavailable: {why}")


def overloaded(why: str) -> CausewayError:
    """111, temporary: something stands at its bound; `why` says what."""
    return CausewayError(ErrorName.OVERLOADED, f"overloaded: {why}")


def bad_request(why: str) -> CausewayError:
    """107: the caller sent what the contract does not allow; `why` names the place."""
    return CausewayError(ErrorName.BAD_REQUEST, f"bad request: {why}")
