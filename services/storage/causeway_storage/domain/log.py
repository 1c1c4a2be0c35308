"""Rules of a channel's log: offsets without holes, repeats get their first answer, what is kept.

An epoch is the letters made at the channel's first append and the database's generation (`contracts.epochs`): a restored database has a
new generation, so that no client takes a position of the lost time for one of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Final

from causeway_common.contracts.epochs import DAY_MS, QUIET_DAYS, epoch_of, unwritten
from causeway_common.contracts.ids import ID_LIFETIME_MS, KEY_LIFETIME_MS
from causeway_common.contracts.messages import AppendRequest, Head, HistoryRequest, StoredPublication

EPOCH_LETTERS: Final = 8
QUIET_MS: Final = QUIET_DAYS * DAY_MS
"""An emptied log that nobody appends to for so long goes; the next one has a new epoch."""
QUIET_LOOK_MS: Final = 10 * 60_000
"""Between two looks for such logs."""
PAGE_MAX_BYTES: Final = 256 * 1024
PAGE_MAX_ITEMS: Final = 1000


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a log stands: its letters, its last offset, and the floor at or below which nothing is served."""

    letters: str
    head: int
    floor: int


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id that the channel has seen: the offset it got first, and when (ms)."""

    offset: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """The version that a channel has seen last, and the epoch of versions that it belongs to."""

    version: int = 0
    epoch: str = ""

    def passed(self, version: int, epoch: str) -> bool:
        """Whether a publication of this version is an older one, or the same."""
        return 0 < version <= self.version and (not epoch or epoch == self.epoch)


NEVER_SEEN: Final = SeenVersion()


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """What an append comes to.

    Attributes:
        head: the log after it.
        offsets: per item, its first offset.
        repeats: per item, whether its id was known already.
        publications: the new ones, ascending, those that the floor passes at once included.
        new_ids: the new ids and their offsets.
        skipped: per item, whether its version was seen before.
        seen: the version seen last.
        deltas: the offsets whose publishers allow patches.
    """

    head: LogHead
    offsets: tuple[int, ...]
    repeats: tuple[bool, ...]
    publications: tuple[StoredPublication, ...]
    new_ids: Mapping[str, int]
    skipped: tuple[bool, ...]
    seen: SeenVersion
    deltas: frozenset[int]


def next_generation(generation: int, now_ms: int) -> int:
    """The generation of a database after a restore.

    By the time of day, so that the same old copy restored twice gets two: counted, both would be the copy's plus one, and a client of
    the first restore would take its positions for ones of the second.
    """
    return max(generation + 1, now_ms)


def head_message(head: LogHead | None, generation: int, now_ms: int) -> Head:
    """A head as the outside knows it at this time of day; None is a channel never written."""
    if head is None:
        return Head(epoch=unwritten(generation, now_ms))
    return Head(epoch=epoch_of(head.letters, generation), head=head.head, floor=head.floor)


def in_force(id: str, seen_ms: int, now_ms: int) -> bool:
    """Whether an id that is still there counts as a repeat: a caller's key does so for five minutes, the others always."""
    return not id.startswith("k:") or now_ms - seen_ms < KEY_LIFETIME_MS


def ids_forgotten_before(now_ms: int, swept_ms: int) -> int:
    """Ids older than this may go.

    Args:
        now_ms: the time of day.
        swept_ms: the oldest outbox item that the last complete sweep saw. An item may be appended again as long as it lives.
    """
    return min(now_ms - ID_LIFETIME_MS, swept_ms)


def plan_append(
    head: LogHead | None,
    known: Mapping[str, KnownId],
    request: AppendRequest,
    *,
    now_ms: int,
    letters: str,
    seen: SeenVersion = NEVER_SEEN,
) -> AppendPlan:
    """Decide an append.

    Args:
        head: the log as it is; None before its first append.
        known: those of the request's ids that the channel has seen.
        request: a checked one; an item without an id is none that could come again.
        now_ms: becomes the publications' time.
        letters: for the epoch, where this is the first append.
        seen: the version that the channel has seen last.
    """
    at = head or LogHead(letters, 0, 0)
    found = {each: seen.offset for each, seen in known.items() if in_force(each, seen.time_ms, now_ms)}
    new_ids: dict[str, int] = {}
    publications: list[StoredPublication] = []
    offsets: list[int] = []
    repeats: list[bool] = []
    skipped: list[bool] = []
    deltas: set[int] = set()
    for item in request.items:
        first = found.get(item.id) if item.id else None
        repeats.append(first is not None)
        skipped.append(first is None and seen.passed(item.version, item.version_epoch))
        if skipped[-1]:
            offsets.append(at.head + len(publications))
            continue
        if first is None:
            if item.version:
                seen = SeenVersion(item.version, item.version_epoch)
            first = at.head + len(publications) + 1
            if item.id:
                found[item.id] = new_ids[item.id] = first
            publications.append(StoredPublication(offset=first, data=item.data, time_ms=now_ms, info=item.info, tags=item.tags))
            if item.delta:
                deltas.add(first)
        offsets.append(first)
    last = at.head + len(publications)
    floor = max(at.floor, last - request.size) if publications else at.floor
    return AppendPlan(
        LogHead(at.letters, last, floor),
        tuple(offsets),
        tuple(repeats),
        tuple(publications),
        new_ids,
        tuple(skipped),
        seen,
        frozenset(deltas),
    )


@dataclass(frozen=True, slots=True)
class ExpiryPlan:
    """The floor after what is too old has gone, and when to look again (ms; None: nothing is left)."""

    floor: int
    next_ms: int | None


def plan_expiry(floor: int, oldest: Sequence[tuple[int, int]], *, ttl_ms: int, now_ms: int, complete: bool) -> ExpiryPlan:
    """Decide what is too old.

    Args:
        floor: as it is.
        oldest: (offset, time) of the log's oldest publications, ascending.
        ttl_ms: how long each is kept.
        now_ms: the time of day.
        complete: whether these are all.
    """
    gone = [offset for offset, _ in takewhile(lambda each: each[1] + ttl_ms <= now_ms, oldest)]
    if len(gone) < len(oldest):
        next_ms: int | None = oldest[len(gone)][1] + ttl_ms
    else:
        next_ms = None if complete else now_ms
    return ExpiryPlan(gone[-1] if gone else floor, next_ms)


@dataclass(frozen=True, slots=True)
class PageRange:
    """The offsets that a page asks for: `first` is the nearest, then on in the question's direction, at most `count`."""

    first: int
    count: int


def page_range(head: LogHead, request: HistoryRequest) -> PageRange:
    """Where a page begins, and how many publications it may have; a count of 0: it is empty."""
    wanted = min(request.limit, PAGE_MAX_ITEMS)
    if request.reverse:
        first = min(request.since - 1, head.head) if request.since else head.head
        return PageRange(first, max(min(wanted, first - head.floor), 0))
    first = max(request.since, head.floor) + 1
    return PageRange(first, max(min(wanted, head.head - first + 1), 0))


def cut_page(
    head: LogHead, request: HistoryRequest, rows: Iterable[tuple[StoredPublication, int]]
) -> tuple[list[StoredPublication], bool]:
    """A page of at most `PAGE_MAX_BYTES` (but at least one publication), and whether the log goes on behind it.

    Args:
        head: the log.
        request: the question.
        rows: publications with their stored sizes in bytes, in the question's direction, from `page_range`'s first on.

    Raises:
        LookupError: they are not consecutive from the first; the log is damaged and must not be served as if it were whole.
    """
    span = page_range(head, request)
    step = -1 if request.reverse else 1
    page: list[StoredPublication] = []
    size = 0
    for publication, stored in rows:
        size += stored
        if page and size > PAGE_MAX_BYTES:
            break
        page.append(publication)
    del page[span.count :]
    found, expected = [publication.offset for publication in page], range(span.first, span.first + step * max(len(page), 1), step)
    if not span.count:
        return [], False
    if found != [*expected]:
        missing = next(offset for offset, other in zip_longest(expected, found) if offset != other)
        raise LookupError(f"{request.channel}: offset {missing} is missing, found {found[:1]} and {len(found)} in all")
    last = page[-1].offset
    return page, last > head.floor + 1 if request.reverse else last < head.head
