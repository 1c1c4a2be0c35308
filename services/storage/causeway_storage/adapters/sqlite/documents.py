"""The entities' documents: what a batch does to them is decided one by one, and written with one statement for each table.

Commit ids stand in a table of their own: within the document they would be most of what each commit writes. In the writer's thread alone. Those written lately stay in memory, unpacked: a cache, emptied whenever something written is undone
(`Writer.on_undone`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, assert_never

from causeway_common.contracts.errors import CausewayError, overloaded
from causeway_common.contracts.messages import AppendRequest, JsonMap
from causeway_common.runtime import fault_point
from causeway_storage.adapters.sqlite.commits import Commits
from causeway_storage.adapters.sqlite.heads import chunks
from causeway_storage.adapters.sqlite.queries import write_entries
from causeway_storage.domain.direct import NOTHING, Leaving, leaving
from causeway_storage.domain.entity import (
    DELETED,
    OUTBOX,
    VERSION,
    Busy,
    Commit,
    Conflict,
    Element,
    EntityKey,
    Repeat,
    Write,
    cleared,
    loaded,
    oldest_ms,
    outbox_of,
    plan_commit,
)
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.ports import Appended, Committed, Conflicted

CACHED_MAX_BYTES: Final = 4 * 1024 * 1024
CACHED_EACH_MAX_BYTES: Final = 64 * 1024
Append = Callable[[sqlite3.Connection, Sequence[tuple[AppendRequest, int]]], Sequence[Appended]]
Change = Commit | frozenset[str]
"""A commit, or the ids of the elements that leave the outbox."""


@dataclass(slots=True)
class Changed:
    """What became of a change.

    Attributes:
        key: of the entity.
        answer: the commit's; None for what was cleared.
        outbox: where it was written.
        appended: what the commit published in the same act.
    """

    key: EntityKey
    answer: Committed | Conflicted | None
    outbox: tuple[Element, ...] | None
    appended: Sequence[Appended] = ()


def read_document(connection: sqlite3.Connection, key: EntityKey) -> JsonMap | None:
    """An entity's document; None where there is none."""
    query = "SELECT document FROM entities WHERE app = ? AND kind = ? AND id = ?"
    row = connection.execute(query, (key.app, key.kind, key.id)).fetchone()
    return None if row is None else unpack(row[0])


@dataclass(slots=True)
class _Stored:
    """A row of the table: its number (0: not written yet), its document (None: there is none), its packed size."""

    serial: int = 0
    document: JsonMap | None = None
    size: int = 0


class Documents:
    """The work of `Writer.submit_kind`.

    Args:
        append: appends what a commit publishes, in its transaction; None: all of it goes through the outbox.
    """

    def __init__(self, append: Append | None = None) -> None:
        self._append = append
        self._cached: dict[EntityKey, _Stored] = {}
        self._bytes = 0

    def work(self, connection: sqlite3.Connection, asked: Sequence[tuple[EntityKey, Change]]) -> list[Changed | CausewayError]:
        """Commit and clear: keys and what is done to them."""
        rows = self._of(connection, [key for key, _ in asked])
        before = {key: row.document for key, row in rows.items()}
        commits = Commits(connection, asked)
        written: dict[EntityKey, _Stored] = {}
        done: list[Changed | CausewayError] = []
        publishing: list[tuple[Changed, Leaving, int]] = []
        for key, change in asked:
            row = rows[key]
            if isinstance(change, Commit):
                going = NOTHING if self._append is None else leaving(row.document, change)
                after, outcome = _committed(key, commits.put_in(key, row.document, change), change, going)
                after = after and commits.taken_out(key, after)
                if after and going.appends and isinstance(outcome, Changed):
                    publishing.append((outcome, going, change.now_ms))
            else:
                after = None if row.document is None else cleared(row.document, change)
                outcome = Changed(key, None, None if after is None else outbox_of(after))
            if after is not None:
                row.document, written[key] = after, row
            done.append(outcome)
        self._write(connection, written)
        write_entries(connection, [(key, before[key], row.document) for key, row in written.items() if row.document])
        commits.write(connection)
        if publishing and self._append is not None:
            _published(self._append, connection, publishing)
        return done

    def forget(self, keys: Iterable[EntityKey]) -> None:
        """These were removed."""
        for key in keys:
            if (row := self._cached.pop(key, None)) is not None:
                self._bytes -= row.size

    def clear(self) -> None:
        """Forget what is in memory."""
        self._cached.clear()
        self._bytes = 0

    def _of(self, connection: sqlite3.Connection, keys: Iterable[EntityKey]) -> dict[EntityKey, _Stored]:
        found: dict[EntityKey, _Stored] = {}
        missing: list[EntityKey] = []
        for key in keys:
            if (cached := self._cached.get(key)) is not None:
                found[key] = cached
            elif key not in found:
                found[key] = _Stored()
                missing.append(key)
        for some in chunks(missing):
            query = (
                f"WITH asked (app, kind, id) AS (VALUES {','.join(['(?,?,?)'] * len(some))}) "  # noqa: S608 - question marks
                "SELECT entities.app, entities.kind, entities.id, serial, document FROM asked CROSS JOIN entities "
                "ON entities.app = asked.app AND entities.kind = asked.kind AND entities.id = asked.id"
            )
            for *names, serial, document in connection.execute(
                query, [name for key in some for name in (key.app, key.kind, key.id)]
            ):
                found[EntityKey(*names)] = _Stored(serial, unpack(document))
        return found

    def _write(self, connection: sqlite3.Connection, written: dict[EntityKey, _Stored]) -> None:
        updates: list[tuple[int, bytes, int | None, int | None, int]] = []
        for key, row in written.items():
            assert row.document is not None  # noqa: S101 - it is what is written
            document, packed = row.document, pack(row.document)
            values = document[VERSION], packed, oldest_ms(document), document.get(DELETED)
            if row.serial:
                updates.append((*values, row.serial))
            else:
                query = (
                    "INSERT INTO entities (app, kind, id, version, document, oldest_ms, deleted_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
                )
                row.serial = connection.execute(query, (key.app, key.kind, key.id, *values)).lastrowid or 0
            self._keep(key, row, len(packed))
        connection.executemany(
            "UPDATE entities SET version = ?, document = ?, oldest_ms = ?, deleted_ms = ? WHERE serial = ?", updates
        )

    def _keep(self, key: EntityKey, row: _Stored, size: int) -> None:
        if self._cached.pop(key, None) is not None:
            self._bytes -= row.size
        row.size = size
        if size > CACHED_EACH_MAX_BYTES:
            return
        self._cached[key] = row
        self._bytes += size
        while self._bytes > CACHED_MAX_BYTES:
            oldest = next(iter(self._cached))
            self._bytes -= self._cached.pop(oldest).size


def _published(append: Append, connection: sqlite3.Connection, publishing: Sequence[tuple[Changed, Leaving, int]]) -> None:
    """Append what commits publish, in their order, and tell each what it came to."""
    asked = [(request, now_ms) for _, going, now_ms in publishing for request in going.appends]
    appended = iter(append(connection, asked))
    for changed, going, _ in publishing:
        changed.appended = list(islice(appended, len(going.appends)))


def _committed(
    key: EntityKey, document: JsonMap | None, commit: Commit, going: Leaving
) -> tuple[JsonMap | None, Changed | CausewayError]:
    """The document after a commit (None: it stays as it is), and what the commit came to."""
    match plan_commit(key, document, commit, gone=going.places):
        case Write(written, version):
            fault_point("storage.commit.before_write")
            left = bool(going.places) and len(written[OUTBOX]) == len((document or {}).get(OUTBOX, ()))
            return written, Changed(key, Committed(version, left=left), outbox_of(written))
        case Repeat(version):
            return None, Changed(key, Committed(version, repeat=True, document=loaded(document)), None)
        case Conflict():
            return None, Changed(key, Conflicted(loaded(document)), None)
        case Busy(why):
            return None, overloaded(f"busy: {why}")
        case other:
            assert_never(other)
