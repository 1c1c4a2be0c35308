"""`ports.Snapshots` on SQLite: one read transaction sees both."""

from __future__ import annotations

import sqlite3

from causeway_common.contracts.messages import Head, JsonMap
from causeway_common.runtime import now_ms
from causeway_storage.adapters.sqlite.database import SqliteDatabase
from causeway_storage.adapters.sqlite.documents import read_document
from causeway_storage.adapters.sqlite.files import generation_of
from causeway_storage.adapters.sqlite.heads import read_channel
from causeway_storage.domain.entity import EntityKey, loaded, outbox_of
from causeway_storage.domain.log import head_message
from causeway_storage.domain.relay import plan_catching_up
from causeway_storage.ports import Clock, Look


class SqliteSnapshots:
    """The looks."""

    def __init__(self, database: SqliteDatabase, clock: Clock = now_ms) -> None:
        self._database, self._clock = database, clock

    async def look(self, key: EntityKey, channel: str) -> Look:
        """As the port says."""

        def work(connection: sqlite3.Connection) -> tuple[JsonMap | None, Head]:
            found = read_channel(connection, channel)
            head = head_message(None if found is None else found.log_head, generation_of(connection), self._clock())
            return read_document(connection, key), head

        document, head = await self._database.read("entities", "snapshot", work, small=True)
        return Look(loaded(document), plan_catching_up(key, outbox_of(document), channel), head)
