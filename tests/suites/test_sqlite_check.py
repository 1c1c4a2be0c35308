"""The check: each kind of violation planted by hand in a SQLite file that the real adapters wrote."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import pytest

import causeway_storage
from causeway_common.runtime import StartError
from causeway_storage.adapters.sqlite import inspected
from causeway_storage.adapters.sqlite.inspection import READ_TABLES
from support.stored import (
    ITEM,
    MINUTE,
    NOW,
    a_bit_of_everything,
    append,
    export_of,
    exported_from,
    found_in,
    ports_on,
    read_export,
    violations,
)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A healthy database that nobody has open."""
    path = tmp_path / "s.sqlite3"
    async with ports_on(path) as ports:
        await a_bit_of_everything(ports)
    return path


async def test_nothing_is_wrong_with_what_the_adapters_write(path: Path) -> None:
    assert await found_in(path) == ()


def sql(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def plant(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return plant


def unconstrained(table: str, *statements: str) -> Callable[[sqlite3.Connection], None]:
    """Plant what the table's own constraints refuse: they are taken away first."""
    return sql(
        f"CREATE TABLE bare AS SELECT * FROM {table}", f"DROP TABLE {table}", f"ALTER TABLE bare RENAME TO {table}", *statements
    )


def document(change: Callable[[dict[str, Any]], object]) -> Callable[[sqlite3.Connection], None]:
    def plant(connection: sqlite3.Connection) -> None:
        """Its commit ids inside, as an import leaves them."""
        found = msgpack.unpackb(connection.execute("SELECT document FROM entities").fetchone()[0])
        found["commits"] = [list(row) for row in connection.execute("SELECT id, version, time_ms FROM commits ORDER BY version")]
        connection.execute("DELETE FROM commits")
        change(found)
        connection.execute("UPDATE entities SET document = ?", (msgpack.packb(found),))

    return plant


def attendance(change: Callable[[dict[str, Any]], object]) -> Callable[[sqlite3.Connection], None]:
    def plant(connection: sqlite3.Connection) -> None:
        found = msgpack.unpackb(connection.execute("SELECT document FROM attendances WHERE key = 'user ann'").fetchone()[0])
        change(found)
        connection.execute("UPDATE attendances SET document = ? WHERE key = 'user ann'", (msgpack.packb(found),))

    return plant


def damaged_index(connection: sqlite3.Connection) -> None:
    """An index that does not know of a row: what a broken disk leaves."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'expires_ms IS NOT NULL', 'expires_ms IS NULL') WHERE name = 'heads_expiring'"
    )


FIRST = "(SELECT number FROM heads WHERE channel = 'demo:a')"
PLANTED: dict[str, list[Callable[[sqlite3.Connection], None]]] = {
    "log.hole": [
        sql(f"DELETE FROM publications WHERE number = {FIRST} AND position = 4"),
        sql(f"DELETE FROM publications WHERE number = {FIRST} AND position > 4"),
        sql(f"DELETE FROM publications WHERE number = {FIRST}"),
        sql(f"DELETE FROM publications WHERE number = {FIRST} AND position = 3"),
        sql("UPDATE heads SET floor = floor - 1 WHERE channel = 'demo:a'"),
    ],
    "log.double_offset": [
        unconstrained(
            "publications", f"INSERT INTO publications SELECT * FROM publications WHERE number = {FIRST} AND position = 4"
        )
    ],
    "log.beyond_head": [sql("DELETE FROM ids WHERE position = 6", "UPDATE heads SET head = 5 WHERE channel = 'demo:a'")],
    "log.below_floor": [sql("UPDATE heads SET floor = floor + 1 WHERE channel = 'demo:a'")],
    "log.head": [
        sql(
            "UPDATE heads SET head = 0, floor = 0 WHERE channel = 'demo:b'",
            "DELETE FROM ids",
            "DELETE FROM publications WHERE number = 2",
        ),
        sql("UPDATE heads SET floor = 9 WHERE channel = 'demo:a'", f"DELETE FROM publications WHERE number = {FIRST}"),
    ],
    "log.epoch": [
        sql("UPDATE heads SET letters = 'short' WHERE channel = 'demo:a'"),
        sql("UPDATE heads SET letters = 'a.cdefgh' WHERE channel = 'demo:a'"),
    ],
    "log.version": [sql("UPDATE versions SET version = -1")],
    "log.body": [
        sql(f"UPDATE publications SET body = x'c1' WHERE number = {FIRST} AND position = 4"),
        sql(
            f"UPDATE publications SET body = (SELECT body FROM publications WHERE position = 5) WHERE number = {FIRST} AND position = 4"
        ),
        sql(f"UPDATE publications SET time_ms = 1 WHERE number = {FIRST} AND position = 4"),
    ],
    "log.never_expires": [sql("UPDATE heads SET expires_ms = NULL WHERE channel = 'demo:a'")],
    "log.double": [
        unconstrained(
            "heads", "INSERT INTO heads SELECT 9, 'demo:b', letters, 1, 1, ttl_ms, expires_ms, at_ms FROM heads WHERE number = 2"
        )
    ],
    "log.stray": [
        sql("INSERT INTO publications VALUES (9, 1, 1, x'80')"),
        sql("INSERT INTO ids VALUES (9, 'c:1', 1, 1)"),
        sql("INSERT INTO versions VALUES (9, 1, '')"),
    ],
    "log.row": [
        sql(
            "UPDATE heads SET ttl_ms = 'never' WHERE channel = 'demo:b'",
            "DELETE FROM publications WHERE number = 2",
            "DELETE FROM ids",
        )
    ],
    "publication.row": [
        sql(
            f"UPDATE publications SET time_ms = 'x' WHERE number = {FIRST} AND position = 6",
            "UPDATE heads SET head = 5 WHERE number = 1",
            "DELETE FROM ids",
        )
    ],
    "id.row": [sql(f"UPDATE ids SET time_ms = 'x' WHERE number = {FIRST} AND position = 6")],
    "id.beyond_head": [sql("INSERT INTO ids VALUES (1, 'c:9', 7, 1)"), sql("INSERT INTO ids VALUES (1, 'c:9', 0, 1)")],
    "id.double_offset": [sql("INSERT INTO ids VALUES (1, 'c:9', 2, 1)")],
    "id.malformed": [
        sql(f"UPDATE ids SET id = '' WHERE number = {FIRST} AND position = 2"),
        sql(f"UPDATE ids SET id = '{'x' * 257}' WHERE position = 2"),
    ],
    "entity.row": [sql("UPDATE entities SET version = 'x'")],
    "entity.document": [
        sql("UPDATE entities SET document = x'c1'"),
        sql("UPDATE entities SET document = x'01'"),
        sql("UPDATE entities SET document = 'text'"),
        document(lambda found: found.pop("state")),
        document(lambda found: found.update(outbox={})),
        document(lambda found: found["outbox"][0].pop("at")),
        document(lambda found: found["outbox"][0].update(items=[])),
        document(lambda found: found["commits"][0].pop()),
        document(lambda found: found["commits"].append(["text", 1, 2])),
    ],
    "entity.version": [sql("UPDATE entities SET version = 2"), sql("UPDATE entities SET version = 4")],
    "entity.double": [unconstrained("entities", "INSERT INTO entities SELECT * FROM entities")],
    "entity.misplaced": [
        sql("DELETE FROM entity_indexes"),
        sql("UPDATE entity_indexes SET entry = 'x'"),
        sql("UPDATE entities SET deleted_ms = 1"),
        sql("INSERT INTO entity_indexes VALUES ('chat', 'room', 'id', 'x', 99)"),
    ],
    "outbox.misplaced": [
        sql("UPDATE attendances SET oldest_ms = NULL WHERE key = 'user bob'"),
        sql("UPDATE attendances SET idle_ms = 5 WHERE key = 'user ann'"),
        sql("UPDATE entities SET oldest_ms = NULL"),
        sql("UPDATE entities SET oldest_ms = oldest_ms + 1"),
    ],
    "outbox.stuck": [lambda connection: None],
    "outbox.malformed_id": [
        document(lambda found: found["outbox"][1].update(id="commit-1")),
        document(lambda found: found["outbox"][1].pop("id")),
    ],
    "outbox.double_id": [
        attendance(lambda found: found["outbox"].append(found["outbox"][0])),
        document(lambda found: found["outbox"][1].update(id=found["outbox"][0]["id"])),
    ],
    "outbox.bound": [
        document(lambda found: found["outbox"][1].update(bytes=1 << 20)),
        document(lambda found: found["outbox"][1].update(items=[ITEM] * 257)),
    ],
    "commit.double_id": [document(lambda found: found["commits"][1].__setitem__(0, found["commits"][0][0]))],
    "commit.version": [
        document(lambda found: found["commits"][1].__setitem__(1, 1)),
        document(lambda found: found["commits"][2].__setitem__(1, 4)),
    ],
    "commit.stray": [sql("UPDATE commits SET entity = 'other' WHERE version = 1")],
    "commit.bound": [
        lambda connection: (
            document(lambda found: found.update(version=600, commits=[[n.to_bytes(12), n, 1] for n in range(1, 514)]))(connection),
            connection.execute("UPDATE entities SET version = 600"),
        )[0]
    ],
    "record.row": [sql("UPDATE records SET attempts = 'x' WHERE id = 'o:1'")],
    "record.payload": [
        sql("UPDATE records SET payload = x'c1' WHERE id = 'o:1'"),
        sql("UPDATE records SET payload = x'01' WHERE id = 'o:1'"),
    ],
    "record.state": [sql("UPDATE records SET state = 'lost' WHERE id = 'o:1'")],
    "record.attempts": [
        sql("UPDATE records SET settled = 1 WHERE id = 'o:1'"),
        sql("UPDATE records SET settled = -1 WHERE id = 'o:1'"),
    ],
    "record.unsettled_end": [sql("UPDATE records SET attempts = 2 WHERE id = 'o:2'")],
    "record.done_unclaimed": [sql("UPDATE records SET attempts = 0, settled = 0 WHERE id = 'o:2'")],
    "record.never_due": [
        sql("UPDATE records SET next_at_ms = 0 WHERE id = 'o:1'"),
        unconstrained("records", "UPDATE records SET next_at_ms = NULL WHERE id = 'o:1'"),
    ],
    "record.no_end": [
        sql("UPDATE records SET ended_ms = 0 WHERE id = 'o:2'"),
        sql("UPDATE records SET ended_ms = 0 WHERE id = 'o:4'"),
    ],
    "record.early_end": [sql("UPDATE records SET ended_ms = 1 WHERE id = 'o:1'")],
    "record.double": [unconstrained("records", "INSERT INTO records SELECT * FROM records WHERE id = 'o:2'")],
    "attendance.row": [unconstrained("attendances", "UPDATE attendances SET idle_ms = 'x' WHERE key = 'member c'")],
    "attendance.document": [
        sql("UPDATE attendances SET document = x'c1' WHERE key = 'user bob'"),
        attendance(lambda found: found.pop("told")),
        attendance(lambda found: found["key"].update(scope="moon")),
        attendance(lambda found: found["holders"].update({"n.1": [1, 1, 1]})),
        attendance(lambda found: found["outbox"][0].pop("at")),
    ],
    "attendance.misplaced": [
        sql("DELETE FROM holds WHERE key = 'user ann'"),
        sql("INSERT INTO holds VALUES ('m.1', 'user ann')"),
    ],
    "attendance.untold": [attendance(lambda found: found.update(told=False))],
    "attendance.double": [unconstrained("attendances", "INSERT INTO attendances SELECT * FROM attendances WHERE key = 'user bob'")],
    "attendance.stray": [sql("INSERT INTO holds VALUES ('n.1', 'user eve')")],
    "holder.row": [sql("UPDATE holders SET cleared_ms = 'x' WHERE holder = 'n.1'")],
    "database.damaged": [damaged_index, sql("UPDATE records SET note = CAST(x'ff' AS TEXT) WHERE id = 'o:2'")],
    "database.generation": [
        sql("DELETE FROM meta WHERE key = 'generation'"),
        sql("UPDATE meta SET value = 0 WHERE key = 'generation'"),
    ],
}


@pytest.mark.parametrize(("kind", "plant"), [(kind, plant) for kind, plants in PLANTED.items() for plant in plants])
async def test_a_planted_violation_is_found_and_nothing_else(
    path: Path, kind: str, plant: Callable[[sqlite3.Connection], None]
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        plant(connection)
        connection.commit()

    found = await found_in(path, NOW + (16 * MINUTE if kind == "outbox.stuck" else 0))

    assert {each.kind for each in found} == {kind}
    assert all(each.where and each.what for each in found)


def test_every_kind_of_violation_is_planted() -> None:
    """Kinds are written as words in the code; those of rows are made of the entries' names."""
    package = Path(causeway_storage.__file__).parent
    sources = [*(package / "domain" / "invariants").glob("*.py"), package / "adapters" / "sqlite" / "inspection.py"]
    words = {
        word
        for source in sources
        for word in re.findall(r'"((?:log|id|entity|outbox|commit|record|attendance|database)\.\w+)"', source.read_text())
    }
    rows = {f"{kind}.row" for kind in ("log", "publication", "id", "entity", "record", "attendance", "holder")}

    assert words | rows == set(PLANTED)


async def test_a_file_with_a_destroyed_page_is_told_as_damaged_and_not_exported(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)

    assert "database.damaged" in {each.kind for each in await found_in(path)}
    with pytest.raises(StartError, match="damaged"):
        await exported_from(path)


async def test_check_and_export_work_beside_the_running_process_and_see_one_moment(path: Path) -> None:
    async with ports_on(path) as ports:
        async with inspected(path) as inspection:
            before = await inspection.facts()
            await ports.logs.append(append("demo:later", "c:1"), NOW)
            assert await violations(inspection, NOW) == ()
            assert "demo:later" not in str(read_export(await export_of(inspection)))
            assert await inspection.facts() == before
        assert "demo:later" in str(read_export(await exported_from(path)))


def test_every_table_of_the_schema_is_looked_at(path: Path) -> None:
    """What a new table holds would be missing in every export."""
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    assert tables == READ_TABLES


def test_the_documents_name_every_kind_of_violation_and_metrics_that_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
    kinds = set(re.findall(r"`([a-z]+\.[a-z_]+)`", page))
    metrics = set(re.findall(r"causeway_storage_([a-z_]+?)(?:_total|_seconds|\b)", page))
    package = Path(causeway_storage.__file__).parent
    declared = set(re.findall(r"\"([a-z_]+)\", ", "".join(each.read_text().replace("\n", " ") for each in package.rglob("*.py"))))

    assert set(PLANTED) <= kinds
    assert metrics <= {name for name in declared if name} | set(
        re.findall(r"gauge\(\s*\"([a-z_]+)\"", (package / "app.py").read_text())
    )
