"""Export, import, backup and restored on SQLite files that the real adapters wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from causeway_common.contracts.messages import HistoryRequest
from causeway_common.runtime import StartError
from causeway_storage.adapters.sqlite import back_up, raise_generation
from causeway_storage.domain.stored import AnyEntry, Holder
from causeway_storage.domain.stream import StreamError
from support.doing import STEPS, Doing
from support.stored import (
    KEY,
    NOW,
    a_bit_of_everything,
    append,
    exported_from,
    found_in,
    import_into,
    ports_on,
    read_export,
)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A healthy database that nobody has open."""
    path = tmp_path / "s.sqlite3"
    async with ports_on(path) as ports:
        await a_bit_of_everything(ports)
    return path


def without_holders(entries: Sequence[AnyEntry]) -> list[AnyEntry]:
    """But for those cleared before: a restored database makes every gateway begin anew."""
    return [each for each in entries if not isinstance(each, Holder)]


async def test_gateways_begin_anew_on_a_restored_or_imported_database(path: Path, tmp_path: Path) -> None:
    """What they told after the backup is not in it, and they would not tell it again."""
    copy = tmp_path / "copy.sqlite3"
    await import_into(copy, await exported_from(path))
    raise_generation(path, NOW)

    for each in (path, copy):
        async with ports_on(each) as ports:
            assert not await ports.attendances.attend("n.1", 5, [], NOW)
            assert await ports.attendances.clear("n.1", NOW, 10) == 2, "what it held is released, with its events"


async def test_an_import_has_everything_but_another_generation(path: Path, tmp_path: Path) -> None:
    data, copy = await exported_from(path), tmp_path / "copy.sqlite3"

    generation = await import_into(copy, data)

    header, entries = read_export(data)
    copied_header, copied = read_export(await exported_from(copy))
    assert without_holders(copied) == without_holders(entries)
    assert (header.generation, copied_header.generation) == (1, generation)
    assert generation == NOW
    assert await found_in(copy) == ()
    assert sorted(each.name for each in tmp_path.glob("*.importing*")) == []


async def test_storage_goes_on_with_an_import_under_other_epochs(path: Path, tmp_path: Path) -> None:
    async with ports_on(path) as ports:
        (before,) = await ports.logs.heads(["demo:a"])
    await import_into(tmp_path / "copy.sqlite3", await exported_from(path))

    async with ports_on(tmp_path / "copy.sqlite3") as ports:
        (after,) = await ports.logs.heads(["demo:a"])
        repeat = await ports.logs.append(append("demo:a", "c:6", "c:7"), NOW)
        versioned = await ports.logs.append(append("demo:b", "c:9", version=7), NOW)
        assert (after.head, after.floor) == (before.head, before.floor)
        assert after.epoch != before.epoch
        assert (repeat.offsets, repeat.repeats) == ((6, 7), (True, False))
        assert versioned.skipped == (True,)
        assert (await ports.entities.load(KEY)).version == 3
        assert len(await ports.entities.outbox(KEY)) == 3
        assert [each.id for each in (await ports.records.due(NOW + 10, 10)).records] == ["o:1", "o:3"]


async def test_an_empty_database_takes_an_import_and_one_with_anything_in_it_does_not(path: Path, tmp_path: Path) -> None:
    data, there = await exported_from(path), tmp_path / "there.sqlite3"
    async with ports_on(there):
        pass
    await import_into(there, data)
    with pytest.raises(StartError, match="is not empty"):
        await import_into(there, data)
    async with ports_on(path):
        with pytest.raises(StartError, match="another storage process"):
            await import_into(path, data)

    assert await found_in(there) == ()


@pytest.mark.parametrize("damage", ["cut", "cut in the trailer", "flipped", "longer", "other", "text", "empty", "newer"])
async def test_a_damaged_export_is_refused_and_leaves_nothing(path: Path, tmp_path: Path, damage: str) -> None:
    data = await exported_from(path)
    broken = {
        "cut": data[: len(data) // 2],
        "cut in the trailer": data[:-1],
        "flipped": data.replace(b"webhook", b"webhoax", 1),
        "longer": data + b"\0\0\0\1\xc0",
        "other": b"SQLite format 3\0" + data,
        "text": b"{}",
        "empty": b"",
        "newer": data.replace(b"causeway-export 1", b"causeway-export 2", 1),
    }[damage]

    with pytest.raises(StreamError):
        await import_into(tmp_path / "new.sqlite3", broken)
    assert {each.name for each in tmp_path.iterdir() if each.name.startswith("new")} == {"new.sqlite3.lock"}


async def test_an_import_that_was_killed_is_simply_begun_again(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.sqlite3"
    (tmp_path / "new.sqlite3.importing").write_bytes(b"half of one")
    (tmp_path / "new.sqlite3.importing-wal").write_bytes(b"and its log")

    await import_into(target, await exported_from(path))

    assert await found_in(target) == ()


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_whatever_is_done_nothing_is_violated_and_an_import_of_the_export_is_the_same(
    steps: list[Any], tmp_path_factory: Any
) -> None:
    directory: Path = tmp_path_factory.mktemp("random")

    async def run() -> None:
        async with ports_on(directory / "s.sqlite3") as ports:
            doing = await Doing(ports).all(steps)
        found = await found_in(directory / "s.sqlite3", doing.now)
        assert {each.kind for each in found} <= {"outbox.stuck"}, "nothing is relayed here"
        data = await exported_from(directory / "s.sqlite3")
        await import_into(directory / "copy.sqlite3", data, doing.now)
        header, entries = read_export(data)
        copied_header, copied = read_export(await exported_from(directory / "copy.sqlite3"))
        assert copied == entries
        assert copied_header.generation > header.generation

    asyncio.run(run())


# --- backup and restored ------------------------------------------------------------------------------------------------


async def test_a_backup_beside_the_running_process_is_a_whole_database(path: Path, tmp_path: Path) -> None:
    async with ports_on(path) as ports:
        await ports.logs.append(append("demo:new", "c:1"), NOW)
        back_up(path, tmp_path / "copy.sqlite3")
        await ports.logs.append(append("demo:new", "c:2"), NOW)

    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600
    assert await found_in(tmp_path / "copy.sqlite3") == ()
    async with ports_on(tmp_path / "copy.sqlite3") as ports:
        page = await ports.logs.history(HistoryRequest(channel="demo:new", limit=10))
        assert [each.offset for each in page.publications] == [1]


async def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"mine")
    with pytest.raises(StartError, match="exists already"):
        back_up(path, tmp_path / "there")
    with pytest.raises(StartError, match="cannot be written"):
        back_up(path, tmp_path / "no such directory" / "copy")

    assert (tmp_path / "there").read_bytes() == b"mine"


async def test_the_same_copy_restored_twice_has_two_generations(path: Path, tmp_path: Path) -> None:
    """P4: counted from the copy both would be the same, and a client of the first restore would be believed after the second."""
    generations = []
    for number in (1, 2):
        copy = tmp_path / f"{number}.sqlite3"
        back_up(path, copy)
        generations.append(raise_generation(copy, NOW + number))

    assert generations == [NOW + 1, NOW + 2]
    assert raise_generation(tmp_path / "2.sqlite3", 0) == NOW + 3, "a clock set back does not set the generation back"
