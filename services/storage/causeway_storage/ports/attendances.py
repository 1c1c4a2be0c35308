"""Who holds what, and what is told of it. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causeway_common.contracts.messages import (
    FeedMembership,
    LifecycleEvent,
)
from causeway_storage.domain.attendance import Change, Sending


@dataclass(frozen=True, slots=True)
class Holder:
    """One life of a gateway that has held something.

    Attributes:
        name: as `domain.attendance.holder_of` makes it.
        leave_at_ms: from then on it may be cleared, since it left in good order; None where it did not.
        cleared_ms: when it was cleared; None while it lives.
    """

    name: str
    leave_at_ms: int | None = None
    cleared_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PendingAttendance:
    """A key whose outbox holds something, oldest first."""

    key: str
    sendings: tuple[Sending, ...]


@dataclass(frozen=True, slots=True)
class AttendancePage:
    """A page of them, those that wait longest first. `cursor`: ask again with it for more; "" at the end."""

    pending: tuple[PendingAttendance, ...]
    cursor: str


class Attendances(Protocol):
    """Who holds what: a document for each key, and one for each holder. Each is written by itself, by a conditional update."""

    async def attend(self, holder: str, first: int, changes: Sequence[Change], now_ms: int, leave_at_ms: int | None = None) -> bool:
        """Apply changes, in order, each one all or nothing; numbers that a key has seen of this holder are passed over.

        The holder's own document is there, and says if it leaves, before any change is applied.

        Returns:
            False where nothing was applied: the holder was cleared, or is unknown and `first` is not 1.
        """
        ...

    async def holders(self) -> list[Holder]:
        """Every holder, the cleared ones too until they are forgotten."""
        ...

    async def clear(self, holder: str, now_ms: int, limit: int) -> int:
        """Mark a holder cleared, durably, and then release up to `limit` of the keys that it holds; how many.

        Once it is marked no new `attend` of it is applied; one that was under way may still be, so that this is called again for a while.
        """
        ...

    async def pending(self, older_than_ms: int, cursor: str, limit: int) -> AttendancePage:
        """Keys whose outbox holds something from before `older_than_ms`. A walk through all pages misses none."""
        ...

    async def sent(self, done: Mapping[str, frozenset[str]], now_ms: int) -> None:
        """Take elements out of the outboxes, by key."""
        ...

    async def forget(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` keys that nobody has held since `before_ms`, and holders cleared before then; how many keys."""
        ...


class Events(Protocol):
    """Where lifecycle events go. They may be doubled there within reason: each has its id."""

    async def tell(self, event: LifecycleEvent) -> None:
        """Returns once it is durable there."""
        ...


class Leaves(Protocol):
    """How joins and leaves are told to gateways: at most once."""

    def tell(self, membership: FeedMembership) -> None:
        """Hand it to the bus."""
        ...

    async def flush(self) -> None:
        """The bus has what was handed to it."""
        ...


class Liveness(Protocol):
    """Which processes are silent."""

    def silent(self, node: str) -> bool:
        """Whether nothing was heard of it for so long that it counts as dead, while this process heard its own heartbeat all that time."""
        ...
