"""One logged channel as this gateway follows it: what is next, what is missing, when to read, when to give up (DESIGN section 6).

Feed messages may be lost, repeated or reordered, heads may be stale; what storage answers to a read is the truth. The promise: what
is delivered is the log, in order, each publication once, or the subscribers are told (`Insufficient`). Pure: waiting and reading
are outputs, their ends are inputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from causeway_common.contracts.epochs import continues
from causeway_common.contracts.messages import Head
from causeway_gateway.domain.protocol import Publication, weight

HOLD_MS: Final = 50
BACKOFF_MAX_MS: Final = 2000
HELD_MAX: Final = 256
EARLY_MAX: Final = 64
RING_MAX: Final = 300
RING_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand these to the subscribers: consecutive, the first one next in line; or without a position."""

    publications: tuple[Publication, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Call `timer()` after this long: what is missing may still come."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read the log from storage, offsets above `since`; answer with `page()` or `read_failed()`."""

    since: int


@dataclass(frozen=True, slots=True)
class Insufficient:
    """The log is another one, or has holes here: tell every subscriber (2500)."""


Output = Deliver | Hold | Read | Insufficient


class Feed:
    """The state of one channel. `epoch` and `position` are those of the last publication delivered (or of the head at the start)."""

    __slots__ = (
        "_early",
        "_failures",
        "_held",
        "_holding",
        "_passing",
        "_reading",
        "_ring",
        "_ring_bytes",
        "_suspect",
        "_target",
        "epoch",
        "position",
        "started",
    )

    def __init__(self) -> None:
        self.epoch = ""
        self.position = 0
        self.started = False
        self._target = 0  # the largest offset of this epoch that is known to exist
        self._suspect = False  # another epoch was seen; only a read tells whether it is newer or older
        self._holding = False
        self._reading = False
        self._failures = 0
        self._held: dict[int, Publication] = {}
        self._early: list[tuple[str, Publication]] = []
        self._passing: list[tuple[int, Publication]] = []  # without a position, each behind the offset known when it came
        self._ring: deque[Publication] = deque()
        self._ring_bytes = 0

    def start(self, head: Head) -> list[Output]:
        """The head as read after the feed was subscribed: what comes from now on is complete, or shows a gap."""
        if self.started:
            return self.compare(head)
        self.started = True
        self.epoch, self.position, self._target = head.epoch, head.head, head.head
        early, self._early = self._early, []
        return [output for epoch, publication in early for output in self.publication(epoch, publication)]

    def passing(self, publication: Publication) -> list[Output]:
        """A message of the feed that is not in the log: at most once, and behind what was appended before it."""
        if not self.started:
            return []  # nobody watches yet
        if not self._behind:
            return [Deliver((publication,))]
        if len(self._passing) < HELD_MAX:
            self._passing.append((self._target, publication))
        return []

    def publication(self, epoch: str, publication: Publication) -> list[Output]:
        """A message of the feed."""
        if not self.started:
            if len(self._early) < EARLY_MAX:
                self._early.append((epoch, publication))
            else:
                self._suspect = True
            return []
        if epoch != self.epoch:
            if not continues(self.epoch, epoch):
                self._suspect = True
                return self._chase()
            self.epoch = epoch  # a log that was never written has its first epoch now
        offset = publication.offset
        if offset <= self.position:
            return []
        if offset == self.position + 1:
            delivered = self._take([publication])
            return [delivered, *self._chase()]
        if len(self._held) < HELD_MAX:
            self._held[offset] = publication
        self._target = max(self._target, offset)
        return self._chase()

    def compare(self, head: Head) -> list[Output]:
        """A head as storage gave it some time ago. Lower is stale; another epoch is checked by a read."""
        if not self.started:
            return []
        if continues(self.epoch, head.epoch):
            self.epoch = head.epoch
            self._target = max(self._target, head.head)
            self._trim(head.floor)
        else:
            self._suspect = True
        return self._chase()

    def timer(self) -> list[Output]:
        """The time of a `Hold` is over."""
        self._holding = False
        if self._reading or not self._behind:
            return []
        self._reading, self._suspect = True, False
        return [Read(self.position)]

    def page(self, head: Head, publications: Iterable[Publication]) -> list[Output]:
        """The answer to a `Read`: the head, and consecutive publications as far as a page goes."""
        self._reading = False
        if not continues(self.epoch, head.epoch):
            return self._reset(head)
        self.epoch = head.epoch
        found: list[Publication] = []
        for publication in publications:
            if publication.offset == self.position + len(found) + 1:
                found.append(publication)
            elif publication.offset > self.position:
                return ([self._take(found)] if found else []) + self._reset(head)
        if not found and self.position < head.head:
            return self._reset(head)  # trimmed meanwhile: nobody can be given what is gone
        self._failures = 0 if found else self._failures + 1
        outputs: list[Output] = [self._take(found)] if found else []
        self._target = max(self._target, head.head)
        if self._passing and not self._behind:
            outputs.append(Deliver(tuple(publication for _, publication in self._passing)))
            self._passing.clear()
        return outputs + self._chase()

    def read_failed(self) -> list[Output]:
        """A `Read` could not be done; it is tried again, more and more slowly."""
        self._reading, self._suspect = False, True
        self._failures += 1
        return self._chase()

    def since(self, offset: int) -> list[Publication] | None:
        """What came after `offset` up to `position`, from memory; None where the ring does not reach back that far."""
        if offset == self.position:
            return []
        if offset > self.position or not self._ring or self._ring[0].offset > offset + 1:
            return None
        return [publication for publication in self._ring if publication.offset > offset]

    def fill(self, publications: Iterable[Publication]) -> None:
        """Remember what a read has shown (consecutive), so that the next who missed the same costs none."""
        first = self._ring[0].offset if self._ring else self.position + 1
        older = [publication for publication in publications if publication.offset < first]
        if not older or older[-1].offset != first - 1:
            return
        for publication in reversed(older):
            self._ring_bytes += weight(publication)
            if len(self._ring) >= RING_MAX or self._ring_bytes > RING_MAX_BYTES:
                self._ring_bytes -= weight(publication)
                return
            self._ring.appendleft(publication)

    @property
    def _behind(self) -> bool:
        return self._suspect or self.position < self._target

    def _chase(self) -> list[Output]:
        if not self._behind or self._holding or self._reading:
            return []
        self._holding = True
        return [Hold(min(HOLD_MS << min(self._failures, 10), BACKOFF_MAX_MS))]

    def _take(self, found: list[Publication]) -> Deliver:
        """Advance over `found` (consecutive, next in line) and over what was held behind it."""
        self.position = found[-1].offset
        while (follower := self._held.pop(self.position + 1, None)) is not None:
            found.append(follower)
            self.position += 1
        if self._held:
            self._held = {offset: held for offset, held in self._held.items() if offset > self.position}
        for publication in found:
            self._ring.append(publication)
            self._ring_bytes += weight(publication)
        while len(self._ring) > RING_MAX or self._ring_bytes > RING_MAX_BYTES:
            self._ring_bytes -= weight(self._ring.popleft())
        return Deliver(tuple(self._woven(found) if self._passing else found))

    def _woven(self, found: list[Publication]) -> list[Publication]:
        """With what passes by the log, each behind the offset that it waited for."""
        woven: list[Publication] = []
        for publication in found:
            woven.append(publication)
            while self._passing and self._passing[0][0] <= publication.offset:
                woven.append(self._passing.pop(0)[1])
        return woven

    def _trim(self, floor: int) -> None:
        """What is at or below the floor is gone from the log, here too."""
        while self._ring and self._ring[0].offset <= floor:
            self._ring_bytes -= weight(self._ring.popleft())

    def _reset(self, head: Head) -> list[Output]:
        self.epoch, self.position, self._target = head.epoch, head.head, head.head
        self._held.clear()
        self._passing.clear()
        self._ring.clear()
        self._ring_bytes = self._failures = 0
        return [Insufficient(), *self._chase()]
