"""What became of a user's calls with an idempotency key: a hidden entity beside the app's own, a few for each user."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request, overloaded, unavailable
from causeway_common.contracts.ids import ID_LIFETIME_MS, KEY_LIFETIME_MS, derived_id
from causeway_logic.domain.reject import Reject

LEDGER_KIND: Final = "idempotency"
LEDGER_MAX_CHARS: Final = 128 * 1024
"""So much is kept in one ledger; beyond it what is older than five minutes goes, and then new calls are refused: 111."""
RESULT_MAX_CHARS: Final = 64 * 1024
SLACK_MS: Final = 2000
"""A run is given so long beyond its deadline before another takes its call over: clocks differ, and an end takes its time."""
_LEDGERS: Final = 16
"""So many has each user: every call writes one of them."""
_ANONYMOUS_LEDGERS: Final = 1024
_ENTRY_CHARS: Final = 256
"""About what an entry takes beside its result."""


@dataclass(slots=True)
class Refusal:
    """A rejection as it is given again."""

    code: int
    message: str


@dataclass(slots=True)
class Entry:
    """One call by its key.

    Attributes:
        input: what was asked, digested.
        at: when it came, ms since the epoch.
        until: until then the run that has it is waited for.
        by: that run.
        first: the first run, which all ids of what the call does derive from.
        state: `running`, or how it ended.
        result: the JSON that it was answered with.
        refusal: what it was rejected with.
    """

    input: str
    at: int
    until: int
    by: str
    first: str
    state: Literal["running", "done", "rejected"] = "running"
    result: str = ""
    refusal: Refusal | None = None


@dataclass(slots=True)
class Ledger:
    """Some calls of one user, by key."""

    __kind__: ClassVar[str] = LEDGER_KIND

    calls: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Run it: ids of everything that it does derive from `identity`. `again`: an earlier run was cut off, and may have done some of it."""

    identity: str
    again: bool


def ledger_id(user: str, key: str) -> str:
    """Where a call is kept: in a ledger of its user's own. Anonymous ones have no name to be told apart by, theirs are shared."""
    number = zlib.crc32(key.encode())
    return f"u:{derived_id(user)}:{number % _LEDGERS}" if user else f"a:{number % _ANONYMOUS_LEDGERS}"


def entry_key(method: str, user: str, key: str) -> str:
    """The name of one call in its ledger."""
    return derived_id("idempotency", method, user, key)


def claim(ledger: Ledger, entry: str, asked: Entry) -> Claimed | bytes:
    """Take a call, where it is to run; else the first one's result.

    Args:
        ledger: changed: the call is in it, and what is older than 15 minutes is not.
        entry: its name.
        asked: the call as it comes now; `at` is now.

    Raises:
        Reject: the first one's rejection.
        CausewayError: 107, the key came with another input; 100 unavailable, the first one still runs; 111, too much is kept for this user.
    """
    now = asked.at
    _forget(ledger, now - ID_LIFETIME_MS)
    found = ledger.calls.get(entry)
    if found is None:
        if _is_full(ledger):
            _forget(ledger, now - KEY_LIFETIME_MS)
        if _is_full(ledger):
            raise overloaded("too many results of calls with an idempotency key are kept for this user")
        ledger.calls[entry] = asked
        return Claimed(asked.first, again=False)
    if found.input != asked.input:
        raise bad_request("this idempotency key came with another input before")
    if found.state == "running":
        if found.until > now:
            raise unavailable("the first call with this idempotency key is still under way")
        asked.at, asked.first = found.at, found.first
        ledger.calls[entry] = asked
        return Claimed(found.first, again=True)
    return given_again(found)


def given_again(entry: Entry) -> bytes:
    """The result of a call that ended. Raises Reject where it was rejected."""
    if entry.refusal is not None:
        raise Reject(entry.refusal.code, entry.refusal.message)
    return entry.result.encode()


def settle(ledger: Ledger, entry: str, by: str, outcome: bytes | Exception) -> None:
    """Write down how a run ended, where it still has its call.

    An error that another try may not meet gives the call free: the next one is a rerun.

    Raises:
        CausewayError: 100 unavailable: another run has taken the call over, and its result counts.
    """
    found = ledger.calls.get(entry)
    if found is None or found.by != by:
        raise unavailable("another run of this call came first")
    if isinstance(outcome, bytes):
        found.state, found.result = "done", outcome.decode()
    elif isinstance(outcome, CausewayError) and outcome.name is ErrorName.REJECTED and not outcome.temporary:
        found.state, found.refusal = "rejected", Refusal(outcome.code, outcome.message)
    else:
        found.until = 0


def _forget(ledger: Ledger, before_ms: int) -> None:
    ledger.calls = {name: each for name, each in ledger.calls.items() if max(each.at, each.until) > before_ms}


def _is_full(ledger: Ledger) -> bool:
    return sum(len(each.result) + _ENTRY_CHARS for each in ledger.calls.values()) > LEDGER_MAX_CHARS
