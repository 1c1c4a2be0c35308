"""The behaviour suite of `ports.Attendances`: every adapter passes it. A new one joins `OPENERS` by one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from causeway_common.contracts.messages import Attend, ClientInfo
from causeway_storage.adapters.memory import MemoryAttendances, MemoryDatabase
from causeway_storage.adapters.mongo import MongoAttendances, MongoDatabase, MongoOptions, open_database
from causeway_storage.adapters.sqlite import SqliteAttendances, SqliteDatabase
from causeway_storage.domain.attendance import Change
from causeway_storage.ports import Attendances, Holder
from support.mongo import SERVERS
from support.stores import mongo_uri

Opener = Callable[[Path], AbstractAsyncContextManager[Attendances]]
INFO = ClientInfo(user="ann", client="c", conn_info=b"1")


@asynccontextmanager
async def open_sqlite(directory: Path) -> AsyncIterator[Attendances]:
    database = SqliteDatabase(directory / "s.sqlite3", write_queue=10_000, write_queue_bytes=1 << 28, read_queue=10_000)
    await database.start()
    try:
        yield SqliteAttendances(database)
    finally:
        await database.stop()


in_memory: dict[Path, MemoryDatabase] = {}


@asynccontextmanager
async def open_memory(directory: Path) -> AsyncIterator[Attendances]:
    yield MemoryAttendances(in_memory.setdefault(directory, MemoryDatabase()))


@asynccontextmanager
async def open_mongo(directory: Path, *, name: str) -> AsyncIterator[Attendances]:
    database = MongoDatabase(MongoOptions(mongo_uri(name, directory)))
    await open_database(database, apply=True)
    try:
        yield MongoAttendances(database)
    finally:
        await database.stop()


OPENERS: dict[str, Opener] = {
    "sqlite": open_sqlite,
    "memory": open_memory,
    **{name: partial(open_mongo, name=name) for name in SERVERS},
}


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[Attendances]:
    async with opener(tmp_path) as opened:
        yield opened


def user(name: str, number: int, *, held: bool = True) -> Change:
    return Change(f"user {name}", number, Attend(scope="user", held=held, user=name))


def member(name: str, number: int) -> Change:
    return Change(f"member {name}", number, Attend(scope="member", held=True, channel="chat:1", client=name, info=INFO))


async def waiting(store: Attendances, limit: int = 100) -> list[tuple[str, str]]:
    """(key, type) of all that waits to leave, page by page."""
    found: list[tuple[str, str]] = []
    cursor = ""
    while True:
        page = await store.pending(1 << 50, cursor, limit)
        found += [(each.key, sending.event.type) for each in page.pending for sending in each.sendings]
        cursor = page.cursor
        if not cursor:
            return found


async def drain(store: Attendances, now: int) -> None:
    page = await store.pending(1 << 50, "", 1000)
    await store.sent({each.key: frozenset(sending.event.id for sending in each.sendings) for each in page.pending}, now)


async def test_a_change_and_what_it_has_to_tell_are_there_together(store: Attendances) -> None:
    assert await store.attend("n.1", 1, [user("ann", 1), user("bob", 2), user("bob", 3, held=False)], 5)

    assert await waiting(store) == [
        ("user ann", "connected"),
        ("user bob", "connected"),
        ("user bob", "disconnected"),
    ]


async def test_a_second_holder_is_no_event_and_neither_is_the_end_of_the_first(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("ann", 1)], 5)
    await store.attend("m.1", 1, [user("ann", 1)], 6)
    await store.attend("n.1", 2, [user("ann", 2, held=False)], 7)
    assert await waiting(store) == [("user ann", "connected")]

    await store.attend("m.1", 2, [user("ann", 2, held=False)], 8)
    assert await waiting(store) == [("user ann", "connected"), ("user ann", "disconnected")]


async def test_a_repeat_that_comes_late_does_not_undo_what_came_after(store: Attendances) -> None:
    first = [user("ann", 1)]
    await store.attend("n.1", 1, first, 5)
    await store.attend("n.1", 2, [user("ann", 2, held=False)], 6)
    assert await store.attend("n.1", 1, first, 7)

    assert await waiting(store) == [("user ann", "connected"), ("user ann", "disconnected")]
    assert await store.clear("n.1", 8, 10) == 0, "it holds nothing"


async def test_concurrent_holders_of_one_key_make_one_event(store: Attendances) -> None:
    await asyncio.gather(*(store.attend(f"n{number}.1", 1, [user("ann", 1)], 5) for number in range(10)))
    assert await waiting(store) == [("user ann", "connected")]

    await asyncio.gather(*(store.attend(f"n{number}.1", 2, [user("ann", 2, held=False)], 5) for number in range(10)))
    assert await waiting(store) == [("user ann", "connected"), ("user ann", "disconnected")]


async def test_what_was_told_is_taken_out_and_the_rest_stays(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("ann", 1), user("ann", 2, held=False)], 5)
    (pending,) = (await store.pending(5, "", 10)).pending
    await store.sent({pending.key: frozenset({pending.sendings[0].event.id}), "unknown": frozenset({"x"})}, 6)

    assert await waiting(store) == [("user ann", "disconnected")]


async def test_pending_walks_all_pages_and_shows_nothing_younger(store: Attendances) -> None:
    for number in range(7):
        await store.attend("n.1", number + 1, [user(f"u{number}", number + 1)], number)

    assert [key for key, _ in await waiting(store, limit=3)] == [f"user u{number}" for number in range(7)]
    assert len((await store.pending(2, "", 10)).pending) == 3


async def test_a_cleared_holder_is_released_page_by_page_and_tells_ends_and_leaves(store: Attendances) -> None:
    await store.attend("n.1", 1, [member("a", 1), user("ann", 2), user("bob", 3)], 5)
    await store.attend("m.1", 1, [user("bob", 1)], 5)
    await drain(store, 6)
    counts = [await store.clear("n.1", 7, 2), await store.clear("n.1", 7, 2), await store.clear("n.1", 8, 2)]

    assert counts == [2, 1, 0]
    assert sorted(await waiting(store)) == [("member a", "leave"), ("user ann", "disconnected")]
    (leave,) = [each.sendings[0] for each in (await store.pending(1 << 50, "", 10)).pending if each.key == "member a"]
    assert leave.info == INFO


async def test_several_observers_clear_a_holder_together_and_all_is_told_once(store: Attendances) -> None:
    await store.attend("n.1", 1, [user(f"u{number}", number + 1) for number in range(30)], 5)
    await drain(store, 6)

    async def observe(now: int) -> None:
        while await store.clear("n.1", now, 4) == 4:
            continue

    await asyncio.gather(*(observe(7 + each) for each in range(4)))

    assert sorted(await waiting(store)) == sorted((f"user u{number}", "disconnected") for number in range(30))


async def test_a_cleared_holder_changes_nothing_any_more_and_is_told_so(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("ann", 1)], 5)
    await store.clear("n.1", 6, 10)

    assert not await store.attend("n.1", 2, [user("bob", 2)], 7)
    assert ("user bob", "connected") not in await waiting(store)
    assert await store.holders() == [Holder("n.1", None, 6)]
    assert await store.attend("n.2", 1, [user("bob", 1)], 8), "its next life is another holder"


async def test_an_unknown_holder_begins_with_its_first_change(store: Attendances) -> None:
    assert not await store.attend("n.1", 2, [user("ann", 2)], 5)
    assert await waiting(store) == []
    assert await store.holders() == []


async def test_a_holder_that_leaves_says_from_when_on_it_may_be_cleared(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("ann", 1)], 5)
    assert await store.holders() == [Holder("n.1")]
    assert await store.attend("n.1", 2, [], 6, 9)

    assert await store.holders() == [Holder("n.1", leave_at_ms=9)]


async def test_only_what_nobody_holds_and_nothing_waits_of_is_forgotten(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("held", 1), user("gone", 2), user("gone", 3, held=False)], 5)
    await store.attend("m.1", 1, [user("other", 1)], 5)
    await store.clear("m.1", 5, 10)
    assert await store.forget(100, 10) == 0, "their events have not left"
    await drain(store, 6)

    assert await store.forget(5, 10) == 0, "not yet"
    assert await store.forget(6, 1) == 1
    assert await store.forget(6, 10) == 1
    assert await store.holders() == [Holder("n.1")]
    assert await store.attend("n.1", 4, [user("held", 4, held=False)], 20)
    assert await waiting(store) == [("user held", "disconnected")]


async def test_a_cleared_holder_is_not_forgotten_before_all_that_it_held_is_released(store: Attendances) -> None:
    await store.attend("n.1", 1, [user("ann", 1), user("bob", 2)], 5)
    await store.clear("n.1", 5, 1)
    await store.forget(100, 10)
    assert await store.holders() == [Holder("n.1", None, 5)]

    await store.clear("n.1", 6, 10)
    await store.forget(100, 10)
    assert await store.holders() == []


async def test_what_is_held_and_waits_survives_a_restart(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        await store.attend("n.1", 1, [user("ann", 1)], 5)
    async with opener(tmp_path) as store:
        assert await waiting(store) == [("user ann", "connected")]
        assert await store.clear("n.1", 6, 10) == 1
