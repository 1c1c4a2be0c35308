"""Rules of an entity's document: one conditional update carries the new state, its outbox and its commit id.

A document is a map. Fields that this process does not know stay as they are when it is written back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.ids import ID_LIFETIME_MS, derived_id
from causeway_common.contracts.messages import CancelItem, Document, IndexValue, JsonMap, PublishItem, Trace
from causeway_storage.domain.query import index_entries

COMMIT_IDS_MAX: Final = 512
OUTBOX_MAX_ITEMS: Final = 256
OUTBOX_MAX_BYTES: Final = 256 * 1024

VERSION: Final = "version"
STATE: Final = "state"
OUTBOX: Final = "outbox"
COMMITS: Final = "commits"
LAST: Final = "last"
TRAIL: Final = "trail"
"""[version, who, when, which trace] of the last versions."""
INDEXES: Final = "indexes"
DELETED: Final = "deleted"
"""When it was deleted; only a tombstone has it. It stays until its outbox is empty and no repeat of a commit can come any more."""
TIMERS: Final = "timers"
"""The names of timers that it has set and not cancelled, those set last behind the others; those that fired meanwhile too."""
TIMERS_MAX: Final = 256
TRAIL_MAX: Final = 16


class EntityKey(NamedTuple):
    """Which entity: the app is the caller's, from the subject."""

    app: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A checked commit.

    Attributes:
        expected: the version it was computed on; 0: there must be none.
        id: its commit id.
        state: the whole new state.
        state_bytes: its stored size.
        items: encoded outbox items.
        items_bytes: their stored size.
        by: the user, for the audit trail.
        traceparent: the trace it belongs to.
        now_ms: the time of day.
        indexes: all values of the entity's indexes from now on.
        delete: leave a tombstone; `state` and `indexes` are empty.
        publications: those of the items that publish, with their places; none where an item is of a kind that is unknown here.
        remember_ms: its id is remembered for so long, where that is more than `ID_LIFETIME_MS`.
    """

    expected: int
    id: str
    state: JsonMap
    state_bytes: int
    items: tuple[JsonMap, ...]
    items_bytes: int
    by: str
    traceparent: str
    now_ms: int
    indexes: Mapping[str, IndexValue] = field(default_factory=dict)
    delete: bool = False
    publications: tuple[tuple[int, PublishItem], ...] = ()
    remember_ms: int = 0

    @property
    def seen_ms(self) -> int:
        """The time that its id is kept under: later than now for one that is to be remembered longer than others."""
        return self.now_ms + max(self.remember_ms - ID_LIFETIME_MS, 0)


@dataclass(frozen=True, slots=True)
class Write:
    """Go ahead: this document replaces the one that the plan was made on."""

    document: JsonMap
    version: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """This commit id was there before, and made this version."""

    version: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another commit came first."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The outbox would pass its bound: its items must leave first."""

    why: str


CommitPlan = Write | Repeat | Conflict | Busy


@dataclass(frozen=True, slots=True)
class Element:
    """What leaves with one commit.

    Attributes:
        id: of the commit within all of the database, made of the entity and the commit id.
        items: encoded outbox items.
        at_ms: when it was committed.
        traceparent: the commit's.
        version: what the commit made; 0 where that is not known any more.
        places: of the items within the commit, which give them their ids; () where all of the commit's items are here.
    """

    id: str
    items: tuple[JsonMap, ...]
    at_ms: int
    traceparent: str
    version: int = 0
    places: tuple[int, ...] = ()

    @property
    def placed(self) -> Iterator[tuple[int, JsonMap]]:
        """The items, each with its place within the commit."""
        return zip(self.places or range(len(self.items)), self.items, strict=True)


def plan_commit(key: EntityKey, document: JsonMap | None, commit: Commit, *, gone: Collection[int] = ()) -> CommitPlan:
    """Decide a commit. The id is looked for before the version: a repeat is answered as the first time.

    Args:
        key: whose it is.
        document: as it is; None where there is none.
        commit: a checked one.
        gone: the places of items that leave by themselves in the same act, and so need no place in the outbox.
    """
    current: JsonMap = document or {}
    short = short_id(commit.id)
    recent: list[list[Any]] = current.get(COMMITS, [])
    for entry in recent:
        if entry[0] == short:
            return Repeat(entry[1])
    version: int = current.get(VERSION, 0)
    # After a tombstone the versions go on, so that what still leaves of the old ones is not taken for newer.
    if (0 if DELETED in current else version) != commit.expected:
        return Conflict()
    outbox: list[JsonMap] = current.get(OUTBOX, [])
    if commit.items and (why := _over_bound(outbox, commit)):
        return Busy(why)
    timers = _timers_after(current.get(TIMERS, []), commit)
    leaving = replace(commit, items=(*commit.items, *map(_cancelled, timers))) if commit.delete and timers else commit
    if len(gone) < len(leaving.items):
        outbox = [*outbox, _element(key, leaving, version + 1, gone)]
    kept = [entry for entry in recent if entry[2] > commit.now_ms - ID_LIFETIME_MS]
    while len(kept) >= COMMIT_IDS_MAX:  # the oldest goes; one that is to be remembered longer only where there are no others
        kept.pop(next((index for index, entry in enumerate(kept) if entry[2] <= commit.now_ms), 0))
    written: JsonMap = {
        **current,
        VERSION: version + 1,
        STATE: commit.state,
        OUTBOX: outbox,
        COMMITS: [*kept, [short, version + 1, commit.seen_ms]],
        LAST: {"by": commit.by, "at": commit.now_ms, "trace": commit.traceparent},
        TRAIL: [*current.get(TRAIL, [])[1 - TRAIL_MAX :], _trace(commit, version + 1)],
        INDEXES: dict(commit.indexes),
    }
    if timers or TIMERS in current:
        written[TIMERS] = [] if commit.delete else timers
    written.pop(DELETED, None)
    if commit.delete:
        written[DELETED] = commit.seen_ms  # its ids are in it
    return Write(written, version + 1)


def loaded(document: JsonMap | None) -> Document:
    """The document as an app sees it."""
    if document is None or DELETED in document:
        return Document()
    return Document(version=document[VERSION], state=document[STATE])


def trail_of(document: JsonMap | None) -> tuple[Trace, ...]:
    """Who made the last versions, oldest first."""
    found: list[list[Any]] = (document or {}).get(TRAIL, [])
    return tuple(Trace(version=each[0], by=each[1], at_ms=each[2], traceparent=each[3], deleted=each[4]) for each in found)


def entries_of(document: JsonMap, id: str) -> dict[str, str]:
    """Its index entries; a tombstone has none."""
    return {} if DELETED in document else index_entries(document.get(INDEXES, {}), id)


def same_entries(document: JsonMap, other: JsonMap) -> bool:
    """Whether two documents of one entity have the same index entries for sure."""
    had, has = document.get(INDEXES, {}), other.get(INDEXES, {})
    if (DELETED in document) != (DELETED in other) or had != has:
        return False
    return all(type(value) is type(has[name]) for name, value in had.items())  # True is 1 to Python, and another entry


def outbox_of(document: JsonMap | None) -> tuple[Element, ...]:
    """The outbox, oldest first."""
    elements: list[JsonMap] = (document or {}).get(OUTBOX, [])
    return tuple(
        Element(
            *(each["id"], tuple(each["items"]), each["at"], each["trace"]), each.get("version", 0), tuple(each.get("places", ()))
        )
        for each in elements
    )


def oldest_ms(document: JsonMap) -> int | None:
    """When the oldest element of the outbox was committed; None when it is empty."""
    return min((each["at"] for each in document[OUTBOX]), default=None)


def cleared(document: JsonMap, ids: frozenset[str]) -> JsonMap:
    """The document without these elements; its version does not change."""
    return {**document, OUTBOX: [each for each in document[OUTBOX] if each["id"] not in ids]}


def _trace(commit: Commit, version: int) -> list[Any]:
    return [version, commit.by, commit.now_ms, commit.traceparent, commit.delete]


def _timers_after(names: Sequence[str], commit: Commit) -> list[str]:
    """The names of the timers that are set after this commit's items; of more than `TIMERS_MAX` those set longest ago are not known."""
    known = dict.fromkeys(names)
    for item in commit.items:
        kind, name = item.get("kind"), str(item.get("name"))
        if kind in {"schedule", "cancel"}:
            known.pop(name, None)
        if kind == "schedule":
            known[name] = None
    return list(known)[-TIMERS_MAX:]


def _cancelled(name: str) -> JsonMap:
    return encode_item(CancelItem(name=name))


def element_id(key: EntityKey, commit: Commit) -> str:
    """The id of what leaves with a commit."""
    return derived_id(key.app, key.kind, key.id, commit.id)


def _element(key: EntityKey, commit: Commit, version: int, gone: Collection[int]) -> JsonMap:
    left = [place for place in range(len(commit.items)) if place not in gone]
    return {
        "id": element_id(key, commit),
        "items": [commit.items[place] for place in left],
        "bytes": commit.items_bytes,
        "at": commit.now_ms,
        "trace": commit.traceparent,
        "version": version,
        **({"places": left} if gone else {}),
    }


def _over_bound(outbox: list[JsonMap], commit: Commit) -> str:
    count = sum(len(each["items"]) for each in outbox) + len(commit.items)
    if count > OUTBOX_MAX_ITEMS:
        return f"the outbox of this entity would have {count} items, at most {OUTBOX_MAX_ITEMS} may wait"
    size = sum(each["bytes"] for each in outbox) + commit.items_bytes
    if size > OUTBOX_MAX_BYTES:
        return f"the outbox of this entity would have {size} bytes, at most {OUTBOX_MAX_BYTES} may wait"
    return ""


@lru_cache(maxsize=1024)  # asked for several times within a batch
def short_id(commit_id: str) -> bytes:
    """A commit id as an entity keeps it."""
    return bytes.fromhex(derived_id(commit_id, size=12))
