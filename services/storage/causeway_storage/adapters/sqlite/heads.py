"""The table of heads, and in memory those written lately. In the writer's thread alone: behind the file's lock nobody else writes them.

The memory is a cache, never the truth: it is emptied whenever something written is undone (`Writer.on_undone`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from causeway_storage.domain.log import LogHead

T = TypeVar("T")
CACHED_MAX: Final = 65_536
MARKS_MAX: Final = 256


@dataclass(slots=True)
class Channel:
    """A row of the table; `at_ms`: when it was last appended to."""

    number: int
    letters: str
    head: int
    floor: int
    ttl_ms: int
    expires_ms: int | None
    at_ms: int

    @property
    def log_head(self) -> LogHead:
        """The log as the rules see it."""
        return LogHead(self.letters, self.head, self.floor)


COLUMNS: Final = "number, letters, head, floor, ttl_ms, expires_ms, at_ms"


def read_channel(connection: sqlite3.Connection, channel: str) -> Channel | None:
    """A channel's row; None for one never written."""
    row = connection.execute(f"SELECT {COLUMNS} FROM heads WHERE channel = ?", (channel,)).fetchone()  # noqa: S608 - constants
    return None if row is None else Channel(*row)


class Heads:
    """The channels that the writer knows."""

    def __init__(self) -> None:
        self._cached: dict[str, Channel] = {}

    def of(self, connection: sqlite3.Connection, channels: Iterable[str]) -> dict[str, Channel]:
        """Those of these channels that were written before. Whoever changes one writes it (`write`) in the same transaction."""
        found: dict[str, Channel] = {}
        missing: dict[str, None] = {}
        for channel in channels:
            cached = self._cached.get(channel)
            if cached is None:
                missing[channel] = None
            else:
                found[channel] = cached
        for some in chunks(list(missing)):
            marks = ",".join("?" * len(some))
            query = f"SELECT channel, {COLUMNS} FROM heads WHERE channel IN ({marks})"  # noqa: S608 - constants and question marks
            for row in connection.execute(query, some):
                found[row[0]] = self._cached[row[0]] = Channel(*row[1:])
        return found

    def add(self, connection: sqlite3.Connection, channel: str, letters: str, ttl_ms: int, now_ms: int) -> Channel:
        """The row of a new channel."""
        number = connection.execute(
            "INSERT INTO heads (channel, letters, head, floor, ttl_ms, at_ms) VALUES (?, ?, 0, 0, ?, ?)",
            (channel, letters, ttl_ms, now_ms),
        ).lastrowid
        assert number is not None  # noqa: S101 - SQLite gives every inserted row one
        added = self._cached[channel] = Channel(number, letters, 0, 0, ttl_ms, None, now_ms)
        return added

    def write(self, connection: sqlite3.Connection, changed: Iterable[Channel]) -> None:
        """Write changed rows."""
        connection.executemany(
            "UPDATE heads SET head = ?, floor = ?, ttl_ms = ?, expires_ms = ?, at_ms = ? WHERE number = ?",
            [(each.head, each.floor, each.ttl_ms, each.expires_ms, each.at_ms, each.number) for each in changed],
        )
        if len(self._cached) > CACHED_MAX:
            for channel in list(islice(self._cached, CACHED_MAX // 8)):
                del self._cached[channel]

    def remove_quiet(self, connection: sqlite3.Connection, before_ms: int, limit: int) -> None:
        """Remove emptied logs that nobody has appended to since, and whose ids were forgotten: an outbox may still hold the others."""
        quiet = connection.execute(
            "SELECT number, channel FROM heads WHERE expires_ms IS NULL AND at_ms < ? "
            "AND NOT EXISTS (SELECT 1 FROM ids WHERE ids.number = heads.number) "
            "AND NOT EXISTS (SELECT 1 FROM publications WHERE publications.number = heads.number) LIMIT ?",
            (before_ms, limit),
        ).fetchall()
        for table in ("heads", "versions"):
            connection.executemany(f"DELETE FROM {table} WHERE number = ?", [(number,) for number, _ in quiet])  # noqa: S608 - constants
        for _, channel in quiet:
            self._cached.pop(channel, None)

    def clear(self) -> None:
        """Forget what is in memory."""
        self._cached.clear()


def chunks(keys: Sequence[T]) -> Iterator[list[T]]:
    """The keys in lists of 1, 2, 4 … `MARKS_MAX`, the last key repeated to fill the last one up.

    So few lengths make so few statements that SQLite's cache of prepared ones holds them all.
    """
    for start in range(0, len(keys), MARKS_MAX):
        some = list(keys[start : start + MARKS_MAX])
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        yield some
