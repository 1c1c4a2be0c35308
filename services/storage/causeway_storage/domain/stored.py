"""Everything that a database holds, as values that belong to no adapter: what `check` looks at, `export` writes and `import` reads.

The order is always the same: each log (by channel) and what it holds by offset, of one offset the id before the publication; then the
entities (by app, kind and id), the records (by id), the attendances (by key) and their holders (by name). Where not all is read at one
moment, this order loses no side effect: an outbox that was empty already had its records written before. What an adapter derives again
by itself (indexes, numbers of rows) is not among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from causeway_common.contracts.messages import JsonMap


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="is"):
    """Base of what stands in a database. A field that is not known is refused: leaving it out would lose it."""


class Log(Entry, frozen=True, tag="log"):
    """A channel's head.

    Attributes:
        channel: whose log it is.
        letters: of its epoch.
        head: its last offset.
        floor: nothing at or below it is served.
        ttl_ms: how long each publication is kept.
        expires_ms: when the next one may be too old; None where there is none.
        version: the version that the channel has seen last; 0: none.
        version_epoch: the epoch of versions that it belongs to.
    """

    channel: str
    letters: str
    head: int
    floor: int
    ttl_ms: int
    expires_ms: int | None = None
    version: int = 0
    version_epoch: str = ""


class Publication(Entry, frozen=True, tag="publication"):
    """One publication; `body` is the encoded `StoredPublication`."""

    channel: str
    offset: int
    time_ms: int
    body: bytes


class SeenId(Entry, frozen=True, tag="id"):
    """A message id that a log has seen, and the offset that it got first."""

    channel: str
    id: str
    offset: int
    time_ms: int


class Entity(Entry, frozen=True, tag="entity"):
    """An entity's document. Beside it, to be found by them, stand `version` and `oldest_ms`, not later than its oldest outbox element."""

    app: str
    kind: str
    id: str
    version: int
    document: JsonMap
    oldest_ms: int | None = None


class Record(Entry, frozen=True, tag="record"):
    """A durable call and its life, as in `domain.record`."""

    id: str
    app: str
    connector: str
    op: str
    payload: JsonMap
    traceparent: str
    created_ms: int
    state: str
    attempts: int
    settled: int
    free_at_ms: int
    next_at_ms: int | None
    note: str
    ended_ms: int
    node: str
    log: bytes = b""
    line: str = ""
    turn: int = 0
    behind: str = ""


class Attendance(Entry, frozen=True, tag="attendance"):
    """Who holds a key, as in `domain.attendance`; `oldest_ms`, `idle_ms` and `holders` stand beside the document, to be found by them."""

    key: str
    document: JsonMap
    oldest_ms: int | None = None
    idle_ms: int | None = None
    holders: list[str] = []


class Holder(Entry, frozen=True, tag="holder"):
    """One life of a gateway, as in `ports.Holder`."""

    name: str
    leave_at_ms: int | None = None
    cleared_ms: int | None = None


class Timer(Entry, frozen=True, tag="timer"):
    """Something that an entity wants to happen later, once.

    Attributes:
        app: whose it is.
        kind: of the entity.
        entity: its id.
        name: of the timer, within the entity.
        version: of the entity that set it last. An older one changes nothing, also after it fired.
        set_ms: when that was.
        at_ms: when it fires; 0: it fired, or was cancelled.
        task: of the app, that is called when it fires.
        payload: goes along.
        traceparent: of the commit that set it.
    """

    app: str
    kind: str
    entity: str
    name: str
    version: int
    set_ms: int
    at_ms: int = 0
    payload: JsonMap = {}
    traceparent: str = ""
    task: str = ""

    @property
    def key(self) -> str:
        """One string for each timer, its parts' borders told by their lengths."""
        return f"{self.app}:{len(self.kind)}:{self.kind}:{len(self.entity)}:{self.entity}:{self.name}"


class Operation(Entry, frozen=True, tag="operation"):
    """An audit record: who did what to what, and how it ended. Ids begin with the time, so that they sort by it."""

    id: str
    at_ms: int
    caller: str
    name: str
    target: str
    outcome: str
    traceparent: str = ""
    detail: JsonMap = {}


AnyEntry = Log | Publication | SeenId | Entity | Record | Attendance | Holder | Timer | Operation
KINDS: Final[tuple[type[Entry], ...]] = (Log, Publication, SeenId, Entity, Record, Attendance, Holder, Timer, Operation)
"""In the order in which they come."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that is stored and cannot be read as any entry: `kind` as in `invariants.Violation`."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Facts:
    """About a database.

    Attributes:
        adapter: sqlite or mongodb.
        generation: a part of every epoch.
        counts: about how many entries there are of each kind, by its tag, for progress.
        one_moment: whether all entries are read as of one moment.
    """

    adapter: str
    generation: int
    counts: dict[str, int]
    one_moment: bool = True

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def tag_of(entry: Entry | type[Entry]) -> str:
    """The name of an entry's kind."""
    return str(entry.__struct_config__.tag)
