"""How one attempt ended, and the one table that says what a peer's answer means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from causeway_common.contracts.messages import JsonMap

NOTE_MAX_CHARS: Final = 1024
"""So much of what happened is kept in the record."""
RETRY_AFTER_MAX_MS: Final = 24 * 3600 * 1000
"""A peer that asks for a longer pause gets this one."""


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is made, or there is nothing to do. `reply` is what a caller gets."""

    note: str = ""
    status: int = 0
    reply: JsonMap = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work and may work later; not before `retry_after_ms` have passed, where the peer asked for that."""

    note: str
    status: int = 0
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will never work: no further try.

    Attributes:
        note: why.
        status: the peer's own code; 0 where it was not asked.
        code: what a caller is told (400 to 499); 0: what was asked is wrong (107).
        disable: nothing should be sent to this destination any more.
    """

    note: str
    status: int = 0
    code: int = 0
    disable: bool = False


@dataclass(frozen=True, slots=True)
class Postponed:
    """It was not tried: the destination takes nothing right now. This is no try of the schedule."""

    note: str
    delay_ms: int


Outcome = Done | Failed | GivenUp | Postponed
Verdict = Literal["done", "retry", "give_up", "disable"]

_RETRIED_4XX: Final = frozenset({408, 423, 425, 429})
GONE: Final = 410


def of_webhook(status: int) -> Verdict:
    """What a webhook receiver's status means: 2xx took it, 410 wants nothing any more, all else may be its own fault and pass."""
    if 200 <= status < 300:
        return "done"
    return "disable" if status == GONE else "retry"


def of_api(status: int) -> Verdict:
    """What an API's status means: a 4xx is the request's fault and stays, but for those that speak of the moment; 3xx is not followed."""
    if 200 <= status < 300:
        return "done"
    return "retry" if status >= 500 or status in _RETRIED_4XX else "give_up"


def of_smtp(code: int) -> Verdict:
    """What a mail server's code means (RFC 5321, section 4.2.1)."""
    if 200 <= code < 400:
        return "done"
    return "give_up" if 500 <= code < 600 else "retry"


def shortened(note: str) -> str:
    """The note as a record keeps it."""
    return note if len(note) <= NOTE_MAX_CHARS else note[: NOTE_MAX_CHARS - 1] + "…"
