"""Edits of one entity wait for each other within a process, so that they do not run into each other's conflicts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from causeway_common.contracts.errors import overloaded
from causeway_common.telemetry import Counters

LOCKED_ENTITIES_MAX: Final = 10_000
"""Beyond so many entities under edit in one process a further one is refused: 111 overloaded."""

_refused: Final = Counters("logic").counter("edits_refused", "edits refused because too many entities were under edit")


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class EntityLocks:
    """One lock per entity under edit; an entity that nobody edits costs nothing."""

    def __init__(self, limit: int = LOCKED_ENTITIES_MAX) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._limit = limit

    def __len__(self) -> int:
        """How many entities are under edit."""
        return len(self._entries)

    @asynccontextmanager
    async def hold(self, kind: str, id: str) -> AsyncIterator[None]:
        """Hold the entity's lock; waiters get it in the order they came.

        Raises:
            CausewayError: 111, `limit` other entities are under edit.
        """
        key = (kind, id)
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= self._limit:
                _refused.add()
                raise overloaded("too many entities under edit in this process")
            entry = self._entries[key] = _Entry()
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]
