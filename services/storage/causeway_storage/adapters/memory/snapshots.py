"""`ports.Snapshots` in memory."""

from __future__ import annotations

from causeway_common.runtime import now_ms
from causeway_storage.adapters.memory.database import MemoryDatabase
from causeway_storage.domain.entity import EntityKey, loaded, outbox_of
from causeway_storage.domain.log import head_message
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.domain.relay import plan_catching_up
from causeway_storage.ports import Clock, Look


class MemorySnapshots:
    """The looks."""

    def __init__(self, database: MemoryDatabase, clock: Clock = now_ms) -> None:
        self._database, self._clock = database, clock

    async def look(self, key: EntityKey, channel: str) -> Look:
        """As the port says."""
        document, log = self._database.entities.get(key), self._database.logs.get(channel)
        head = head_message(None if log is None else log.head, self._database.generation, self._clock())
        known = None if document is None else unpack(pack(document))
        return Look(loaded(known), plan_catching_up(key, outbox_of(known), channel), head)
