"""`ports.Snapshots` on MongoDB: the entity is read before and after the channel; one that stayed as it was is of the moment between."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.errors import unavailable
from causeway_storage.adapters.mongo.entities import MongoEntities
from causeway_storage.adapters.mongo.logs import MongoLogs
from causeway_storage.domain.entity import VERSION, EntityKey, loaded, outbox_of
from causeway_storage.domain.relay import plan_catching_up
from causeway_storage.ports import Look

TRIES: Final = 32


class MongoSnapshots:
    """The looks. An entity with something that waits for the channel needs no second read: what waits tells the position."""

    def __init__(self, entities: MongoEntities, logs: MongoLogs) -> None:
        self._entities, self._logs = entities, logs

    async def look(self, key: EntityKey, channel: str) -> Look:
        """As the port says."""
        document = await self._entities.document(key)
        for _ in range(TRIES):
            waiting = plan_catching_up(key, outbox_of(document), channel)
            if waiting is not None:
                return Look(loaded(document), waiting, None)
            (head,) = await self._logs.heads([channel])
            before, document = document, await self._entities.document(key)
            if (before or {}).get(VERSION) == (document or {}).get(VERSION):
                return Look(loaded(before), None, head)
        raise unavailable(f"the {key.kind} {key.id!r:.80} is written all the time")
