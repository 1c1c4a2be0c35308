"""The ids of the commits of a batch, between their table and the documents that the rules look at.

The rules know them as a list inside the document (MongoDB, where one document is all that is atomic, keeps them there). Here a document
is given those of its ids that are asked for, and what it has after a commit is taken out of it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import JsonMap
from causeway_storage.adapters.sqlite.heads import chunks
from causeway_storage.domain.entity import COMMIT_IDS_MAX, COMMITS, Commit, EntityKey, short_id

FORGOTTEN_AT_LEAST: Final = 64
_Id = tuple[EntityKey, bytes]
_OF_ENTITY: Final = (
    "SELECT id, version, time_ms FROM (SELECT id, version, time_ms FROM commits WHERE app = ? AND kind = ? AND entity = ? "
    "ORDER BY version DESC LIMIT ?) ORDER BY version"
)


def whole(connection: sqlite3.Connection, key: tuple[str, str, str], document: JsonMap) -> JsonMap:
    """A document with its commit ids inside, the newest at most, as the rules and other adapters know it."""
    found = [list(row) for row in connection.execute(_OF_ENTITY, (*key, COMMIT_IDS_MAX))]
    return {**document, COMMITS: [*document.get(COMMITS, []), *found]} if found or COMMITS not in document else document


class Commits:
    """The commit ids that a batch asks for.

    Args:
        connection: where they are read.
        asked: what the batch does.
    """

    def __init__(self, connection: sqlite3.Connection, asked: Sequence[tuple[EntityKey, object]]) -> None:
        commits = [(key, change) for key, change in asked if isinstance(change, Commit)]
        self._now_ms = max((commit.now_ms for _, commit in commits), default=0)
        self._found: dict[_Id, tuple[int, int]] = {}
        self._new: dict[_Id, tuple[int, int]] = {}
        for some in chunks([(key, short_id(commit.id)) for key, commit in commits]):
            query = (
                f"WITH asked (app, kind, entity, id) AS (VALUES {','.join(['(?,?,?,?)'] * len(some))}) "  # noqa: S608 - question marks
                "SELECT commits.app, commits.kind, commits.entity, commits.id, version, time_ms FROM asked CROSS JOIN commits "
                "ON commits.app = asked.app AND commits.kind = asked.kind AND commits.entity = asked.entity AND commits.id = asked.id"
            )
            values = [value for key, short in some for value in (key.app, key.kind, key.id, short)]
            for app, kind, entity, short, version, time_ms in connection.execute(query, values):
                self._found[EntityKey(app, kind, entity), short] = version, time_ms

    def put_in(self, key: EntityKey, document: JsonMap | None, commit: Commit) -> JsonMap | None:
        """The document as the rules want it: with this commit's id, where it was seen."""
        short = short_id(commit.id)
        seen = self._found.get((key, short))
        if document is None or seen is None:
            return document
        return {**document, COMMITS: [*document.get(COMMITS, []), [short, *seen]]}

    def taken_out(self, key: EntityKey, document: JsonMap) -> JsonMap:
        """The document as it is stored: its ids go into the table, also those that an older schema or an import left in it."""
        entries: list[list[Any]] = document[COMMITS]
        for short, version, time_ms in entries:
            self._found[key, short] = self._new[key, short] = version, time_ms
        return {name: value for name, value in document.items() if name != COMMITS}

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the new ones, and forget twice as many of those that are too old."""
        if not self._new:
            return
        connection.executemany(
            "INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?, ?)",
            [(key.app, key.kind, key.id, short, *seen) for (key, short), seen in self._new.items()],
        )
        connection.execute(
            "DELETE FROM commits WHERE (app, kind, entity, id) IN "
            "(SELECT app, kind, entity, id FROM commits WHERE time_ms < ? LIMIT ?)",
            (self._now_ms - ID_LIFETIME_MS, max(2 * len(self._new), FORGOTTEN_AT_LEAST)),
        )
