"""What the adapters in memory share: plain maps. Each call of a port is one step of the loop, and so one atomic act."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from causeway_common.contracts.messages import JsonMap, NewRecord, StoredPublication
from causeway_storage.domain.entity import EntityKey
from causeway_storage.domain.log import NEVER_SEEN, KnownId, LogHead, SeenVersion
from causeway_storage.domain.record import RecordLife
from causeway_storage.domain.stored import Operation, Timer
from causeway_storage.ports import Holder


@dataclass(slots=True)
class MemoryLog:
    """One channel's log. `publications` are those above the floor, with their stored sizes; `at_ms`: when it was last appended to."""

    head: LogHead
    ttl_ms: int
    publications: dict[int, tuple[StoredPublication, int]] = field(default_factory=dict)
    ids: dict[str, KnownId] = field(default_factory=dict)
    seen: SeenVersion = NEVER_SEEN
    at_ms: int = 0

    def raise_floor(self, floor: int) -> None:
        """Drop what is at or below it."""
        self.head = LogHead(self.head.letters, self.head.head, max(floor, self.head.floor))
        self.publications = {offset: each for offset, each in self.publications.items() if offset > self.head.floor}


@dataclass(slots=True)
class MemoryRecord:
    """One record, its turn in `record`."""

    record: NewRecord
    created_ms: int
    life: RecordLife


@dataclass(slots=True)
class MemoryDatabase:
    """Everything. `generation` is a part of every epoch: raise it, and it is a restored database."""

    generation: int = 1
    cursor_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    logs: dict[str, MemoryLog] = field(default_factory=dict)
    entities: dict[EntityKey, JsonMap] = field(default_factory=dict)
    records: dict[str, MemoryRecord] = field(default_factory=dict)
    turn: int = 0
    attendances: dict[str, JsonMap] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    timers: dict[str, Timer] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
