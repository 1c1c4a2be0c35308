"""Durable calls, timers, and what was done by whom. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    KeptRecord,
    NewRecord,
    RecordsReply,
    RecordsRequest,
    SettleRequest,
)
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.domain.stored import Operation, Timer

CLAIMS_MAX_BYTES: Final = 256 * 1024
"""Of the payloads of one answer, but for the first one."""
WOKEN_LOOK_MS: Final = 2000
WOKEN_MAX: Final = 128
"""So many are woken by the end of one that they had to wait for."""


@dataclass(frozen=True, slots=True)
class DueRecord:
    """A record to deliver. `next_at_ms` names this delivery: it changes with each."""

    id: str
    connector: str
    op: str
    next_at_ms: int
    traceparent: str
    app: str


@dataclass(frozen=True, slots=True)
class DuePage:
    """The records that are due, longest first, and when the next one will be (ms; None: none waits)."""

    records: tuple[DueRecord, ...]
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What the end of an attempt came to: whether it counts, and the records of its lines whose turn it may be now, to be delivered."""

    settled: bool
    woken: tuple[DueRecord, ...] = ()


class Records(Protocol):
    """Durable calls. A record is there from its commit on until it is done or dead.

    Of a line: a record with `behind` is claimed only when none of its line with a lower turn, and none of the line `behind` with a lower
    turn, is pending, and none of its line is under way. The turn of one that has none yet is behind all that have one. On MongoDB two
    records of one line that are put and claimed in the same moment by different processes may be under way at once.
    """

    async def put(
        self, records: Sequence[NewRecord], parked: Sequence[ParkedItem], *, now_ms: int, next_at_ms: int
    ) -> frozenset[str]:
        """Create pending records, and dead ones of the parked items; all durable on return. Ids that exist are left as they are.

        A record is due at `next_at_ms`, or at its own `due_ms` where that is later than now.

        Returns:
            The ids of the pending records that are new.
        """
        ...

    async def claim(self, request: ClaimRequest, now_ms: int, runner: str = "") -> ClaimReply:
        """Take a record for one attempt; nobody else gets it before its lease is over.

        Args:
            request: which one.
            now_ms: the time of day.
            runner: as `domain.record.refusal` has it.

        Raises:
            CausewayError: 103, it is not this runner's.
        """
        ...

    async def settle(self, request: SettleRequest, now_ms: int, runner: str = "") -> bool:
        """End an attempt; False where another one has the record. A repeat is answered as the first time.

        Raises:
            CausewayError: 103, as `claim`.
        """
        ...

    async def claims(self, requests: Sequence[ClaimRequest], now_ms: int, runner: str = "") -> Sequence[ClaimReply | CausewayError]:
        """As `claim`, for each; a refusal is in its place. What would make the answer larger than `CLAIMS_MAX_BYTES` is `later`."""
        ...

    async def settles(self, requests: Sequence[SettleRequest], now_ms: int, runner: str = "") -> Sequence[Ending | CausewayError]:
        """As `settle`, for each; a refusal is in its place. Those woken are due `WOKEN_LOOK_MS` from now, should nobody deliver them."""
        ...

    async def due(self, now_ms: int, limit: int) -> DuePage:
        """What is pending and should be delivered (again)."""
        ...

    async def postpone(self, records: Collection[DueRecord], next_at_ms: int) -> None:
        """Deliver these again at `next_at_ms`, where their `next_at_ms` still is the one that was read."""
        ...

    async def remove_done(self, before_ms: int, limit: int) -> int:
        """Remove up to `limit` records done before then; how many. Dead ones stay."""
        ...


class RecordsDesk(Protocol):
    """The records as operators look at them."""

    async def page(self, request: RecordsRequest) -> RecordsReply:
        """Records as asked for: by id, or by time (then by turn and id)."""
        ...

    async def find(self, id: str) -> KeptRecord | None:
        """One record, its payload and log included; None where it is not there."""
        ...

    async def redrive(self, id: str, now_ms: int) -> bool:
        """Have a dead record delivered again, at the end of its line; False where it is not there or not dead."""
        ...


@dataclass(frozen=True, slots=True)
class TimerPage:
    """The timers that are due, longest first, and when the next one will be (ms; None: none waits)."""

    timers: tuple[Timer, ...]
    next_ms: int | None


class Timers(Protocol):
    """Timers by their key. What an entity's version set, an older version never changes, in whichever order they come."""

    async def put(self, timers: Sequence[Timer]) -> None:
        """Set, move or cancel (`at_ms` 0) these. One whose key was set by the same version or a later one has no effect."""
        ...

    async def due(self, now_ms: int, limit: int) -> TimerPage:
        """Those to fire. Each is told again until `fired`: what comes of it must be harmless twice, by key and version."""
        ...

    async def waiting(self, after: tuple[int, str], limit: int) -> list[Timer]:
        """Those that wait, the soonest first and then by key, from behind this time and key on."""
        ...

    async def fired(self, timers: Sequence[Timer]) -> None:
        """What comes of these is durable; where another version set one meanwhile, that one stays."""
        ...

    async def forget(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` that fired or were cancelled and were set before `before_ms`; how many."""
        ...


class AuditLog(Protocol):
    """What was done by API, command line and console."""

    async def record(self, operations: Sequence[Operation]) -> None:
        """Keep these; ids that exist are left as they are."""
        ...

    async def page(self, before: str, limit: int) -> list[Operation]:
        """The newest first, from below the id `before` on ("": from the newest)."""
        ...

    async def remove(self, before_ms: int, limit: int) -> int:
        """Remove up to `limit` of before `before_ms`, oldest first; how many."""
        ...
