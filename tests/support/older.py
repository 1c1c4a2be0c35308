"""SQLite files as older versions wrote them: what each version's upgrade added is taken out again."""

from __future__ import annotations

from typing import Final

_ADDED: Final = {
    2: "DROP TABLE versions; ",
    3: "DROP TABLE attendances; DROP TABLE holds; DROP TABLE holders; ",
    4: "DROP TABLE commits; ",
    5: (
        "DROP TABLE timers; DROP TABLE operations; DROP TABLE entity_indexes; "
        "DROP INDEX entities_deleted; ALTER TABLE entities DROP COLUMN deleted_ms; "
    ),
    6: "DROP INDEX heads_quiet; ALTER TABLE heads DROP COLUMN at_ms; ",
    7: "ALTER TABLE records DROP COLUMN log; ",
    8: (
        "DROP INDEX records_lines; DROP INDEX records_behind; DROP INDEX records_running; DROP INDEX records_by_time; "
        "ALTER TABLE records DROP COLUMN line; ALTER TABLE records DROP COLUMN turn; ALTER TABLE records DROP COLUMN behind; "
        "DELETE FROM meta WHERE key = 'turn'; "
    ),
}


def back_to(schema: int) -> str:
    """The statements that make a file of today one of this older schema."""
    newer = "".join(_ADDED[each] for each in sorted(_ADDED, reverse=True) if each > schema)
    return f"{newer}UPDATE meta SET value = {schema} WHERE key = 'schema'"
