"""Calls with an idempotency key: the first result is given again, whichever process is asked, and also after a kill.

Before the handler runs, its call is committed to the user's ledger (domain/ledger.py); its result is committed there before it is
answered. Whatever the handler does has ids that derive from the key, so that a run that was cut off and the one that takes over after
it have their effects once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.messages import CommitRequest
from causeway_common.telemetry import Counters, get_logger
from causeway_logic.domain.ledger import (
    LEDGER_KIND,
    RESULT_MAX_CHARS,
    SLACK_MS,
    Claimed,
    Entry,
    Ledger,
    claim,
    entry_key,
    ledger_id,
    settle,
)
from causeway_logic.domain.shape import Shape
from causeway_logic.handlers.scope import Scope

R = TypeVar("R")
log = get_logger("logic")
_repeats: Final = Counters("logic").counter(
    "idempotent_repeats", "calls with an idempotency key that were answered as the first one"
)
_SHAPE: Final = Shape(Ledger)
CONFLICT_PAUSE_S: Final = 0.005


class Keyed:
    """One call with a key.

    Args:
        scope: the call's own.
        method: its name.
        key: the caller's.
        asked: its input, digested.
    """

    def __init__(self, scope: Scope, method: str, key: str, asked: str) -> None:
        self._scope, self._asked = scope, asked
        self._ledger = ledger_id(scope.user, key)
        self._entry = entry_key(method, scope.user, key)
        self._run = scope.identity.next("run")

    async def claim(self) -> Claimed | bytes:
        """Take the call, or get the first one's result.

        Raises:
            Reject: the first one's.
            CausewayError: as `ledger.claim`; 100 unavailable, storage.
        """
        now = self._scope.outside.now_ms()
        until = now + self._scope.deadline.remaining_ms() + SLACK_MS

        def take(ledger: Ledger) -> Claimed | bytes:
            return claim(ledger, self._entry, Entry(self._asked, at=now, until=until, by=self._run, first=self._run))

        claimed = await self._changed(take, lambda result: isinstance(result, Claimed))
        if isinstance(claimed, bytes):
            _repeats.add()
        return claimed

    async def settle(self, outcome: bytes | Exception) -> None:
        """Keep how it ended.

        Raises:
            TypeError: the result is too large to be kept.
            CausewayError: 100 unavailable: it is not known to be kept, so it must not be answered.
        """
        if isinstance(outcome, bytes) and len(outcome) > RESULT_MAX_CHARS:
            raise TypeError(
                f"a result of {len(outcome)} bytes cannot be kept under an idempotency key, at most {RESULT_MAX_CHARS} can"
            )
        await self._changed(lambda ledger: settle(ledger, self._entry, self._run, outcome), lambda _: True)

    async def _changed(self, change: Callable[[Ledger], R], writes: Callable[[R], bool]) -> R:
        """Change the ledger, which is made where there is none; `writes` says whether a change has to be committed."""
        outside, deadline = self._scope.outside, self._scope.deadline
        commit_id = self._scope.identity.commit_id(LEDGER_KIND, self._ledger)
        async with self._scope.locks.hold(LEDGER_KIND, self._ledger):
            document = await outside.storage.get(LEDGER_KIND, self._ledger, deadline)
            while True:
                ledger = Ledger() if document.state is None else _SHAPE.load(document.state)
                result = change(ledger)
                if not writes(result):
                    return result
                request = CommitRequest(
                    kind=LEDGER_KIND,
                    id=self._ledger,
                    expected=document.version,
                    commit_id=commit_id,
                    state=_SHAPE.dump(ledger),
                    by=self._scope.user,
                )
                reply = await outside.storage.commit(request, deadline)
                if reply.outcome == "committed":
                    return result
                pause = outside.jitter() * CONFLICT_PAUSE_S
                if pause >= deadline.remaining():
                    raise unavailable("other calls with an idempotency key came first until the deadline")
                await outside.pause(pause)
                document = reply.document or await outside.storage.get(LEDGER_KIND, self._ledger, deadline)


async def released(keyed: Keyed, error: Exception) -> None:
    """Keep a rejection, or give the call free; where that fails, the next call waits until the claim has run out."""
    try:
        await keyed.settle(error)
    except CausewayError as failed:
        log.warning("a call with an idempotency key could not be given free, it is after its deadline", reason=failed.message)
