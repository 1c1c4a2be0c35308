"""SQLite's batches: what arrives together is done together, and comes to what it would have come to one after the other."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.ids import ID_LIFETIME_MS
from causeway_common.contracts.messages import AppendItem, AppendRequest, Document, HistoryRequest, PublishItem
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteEntities, SqliteLogs, documents, heads
from causeway_storage.adapters.sqlite.writer import batches
from causeway_storage.domain.entity import COMMITS, Commit, Element, EntityKey, outbox_of, short_id
from causeway_storage.domain.packing import pack, unpack
from causeway_storage.ports import Appended, Committed, Conflicted
from support.older import back_to

T = TypeVar("T")
HOUR = 3_600_000
KEY = EntityKey("chat", "room", "1")
COUNTS = "SELECT head, floor, (SELECT count(*) FROM publications WHERE publications.number = heads.number) FROM heads"
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))


class Store:
    """An open database with its ports, and the feed that it told."""

    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(path, write_queue=1000, write_queue_bytes=1 << 28, read_queue=100)
        self.fed: list[Appended] = []
        self.logs = SqliteLogs(self.database, lambda: "abcdefgh", self.fed.append)
        self.entities = SqliteEntities(self.database)

    async def read_outbox(self, key: EntityKey) -> tuple[Element, ...]:
        """What stands in the database."""
        return await self.database.read("entities", "test", lambda connection: outbox_of(documents.read_document(connection, key)))

    async def together(self, works: Sequence[Awaitable[T]]) -> list[T | BaseException]:
        """Everything in one batch: the writer is held until all have been submitted."""
        entered, opened = threading.Event(), threading.Event()

        def gate(_connection: sqlite3.Connection) -> None:
            entered.set()
            assert opened.wait(10)

        first = asyncio.ensure_future(self.database.write("meta", "test", gate))
        assert await asyncio.to_thread(entered.wait, 10)
        running = [asyncio.ensure_future(work) for work in works]
        while self.database.depth < len(works) + 1:
            await asyncio.sleep(0)
        before = batches.total
        opened.set()
        await first
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        assert batches.total - before <= 2, "the gate's own commit, and one for all"
        return outcomes


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = Store(path)
    await store.database.start()
    try:
        yield store
    finally:
        await store.database.stop()


def append(channel: str, *ids: str, size: int = 100) -> AppendRequest:
    return AppendRequest(channel=channel, size=size, ttl_ms=HOUR, items=[AppendItem(id=each, data=b"1") for each in ids])


def commit(expected: int, id: str, *, state: Any = None, items: int = 0, now: int = 0) -> Commit:
    return Commit(expected, id, {"value": state}, 1, (ITEM,) * items, items, "ann", "trace", now)


async def offsets(store: Store, channel: str) -> list[int]:
    page = await store.logs.history(HistoryRequest(channel=channel, limit=1000))
    return [publication.offset for publication in page.publications]


async def broken(store: Store) -> None:
    """A write that fails for a reason in the code, and takes the whole batch back with it at first."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('broken', 1)")
        raise ValueError("broken")

    await store.database.write("meta", "test", work)


channels = st.sampled_from(["demo:a", "demo:b", "demo:c"])
appends = st.builds(
    lambda channel, ids, size: append(channel, *ids, size=size),
    channels,
    st.lists(st.sampled_from([f"c:{n}" for n in range(6)]), min_size=1, max_size=4),
    st.integers(1, 4),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(appends, min_size=1, max_size=8), min_size=1, max_size=3))
def test_appends_that_arrive_together_are_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[AppendRequest]]
) -> None:
    async def compare() -> None:
        directory = tmp_path_factory.mktemp("batches")
        async with opened(directory / "together") as store, opened(directory / "apart") as single:
            for now, requests in enumerate(rounds):
                got = await store.together([store.logs.append(request, now) for request in requests])
                assert got == [await single.logs.append(request, now) for request in requests]
            assert store.fed == single.fed
            for channel in ("demo:a", "demo:b", "demo:c"):
                asked = HistoryRequest(channel=channel, limit=100)
                assert await store.logs.history(asked) == await single.logs.history(asked)
            kept = await store.database.read("logs", "test", lambda connection: connection.execute(COUNTS).fetchall())
            assert all(count == head - floor for head, floor, count in kept), "what is trimmed is gone"

    asyncio.run(compare())


changes = st.one_of(
    st.builds(
        lambda expected, number, items: commit(expected, f"id{number}", state=number, items=items),
        st.integers(0, 4),
        st.integers(0, 9),
        st.integers(0, 2),
    ),
    st.just(frozenset[str]()),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(st.tuples(st.sampled_from("ab"), changes), min_size=1, max_size=8), min_size=1, max_size=3))
def test_commits_and_clearings_that_arrive_together_are_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[str, Commit | frozenset[str]]]]
) -> None:
    async def change(
        store: Store, name: str, change: Commit | frozenset[str], waiting: frozenset[str]
    ) -> Committed | Conflicted | None:
        key = EntityKey("chat", "room", name)
        if isinstance(change, Commit):
            return await store.entities.commit(key, change)
        await store.entities.clear(key, waiting)
        return None

    async def waiting(store: Store) -> frozenset[str]:
        found = [await store.entities.outbox(EntityKey("chat", "room", name)) for name in "ab"]
        return frozenset(element.id for outbox in found for element in outbox)

    async def compare() -> None:
        directory = tmp_path_factory.mktemp("batches")
        async with opened(directory / "together") as store, opened(directory / "apart") as single:
            for asked in rounds:
                ids = await waiting(store)
                got = await store.together([change(store, name, each, ids) for name, each in asked])
                assert got == [await change(single, name, each, ids) for name, each in asked]
                assert await waiting(store) == await waiting(single)
                for name in "ab":
                    key = EntityKey("chat", "room", name)
                    assert await store.entities.load(key) == await single.entities.load(key)
                    assert await store.entities.outbox(key) == await store.read_outbox(key), "what is known is what a read finds"

    asyncio.run(compare())


async def test_one_that_fails_takes_nothing_of_the_others_with_it_nor_their_places(tmp_path: Path) -> None:
    async with opened(tmp_path / "s") as store:
        await store.logs.append(append("demo:a", "c:0"), 1)
        works: list[Awaitable[Any]] = [
            store.logs.append(append("demo:a", "c:1"), 1),
            store.entities.commit(KEY, commit(0, "a", items=1)),
            broken(store),
            store.logs.append(append("demo:a", "c:2"), 1),
        ]
        first, committed, failed, second = await store.together(works)

        assert isinstance(failed, CausewayError)
        assert failed.name is ErrorName.INTERNAL
        assert committed == Committed(1)
        assert [each.offsets for each in (first, second) if isinstance(each, Appended)] == [(2,), (3,)]
        assert (await store.logs.append(append("demo:a", "c:3"), 1)).offsets == (4,)
        assert await offsets(store, "demo:a") == [1, 2, 3, 4]
        assert [each.publications[0].offset for each in store.fed] == [1, 2, 3, 4]


class FailingCommit(sqlite3.Connection):
    """A connection one of whose COMMITs fails, before or after it took effect: a fault that is played, the rest is real."""

    fails_after: bool | None = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        after = FailingCommit.fails_after
        if sql == "COMMIT" and after is not None:
            FailingCommit.fails_after = None
            if after:
                super().execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


@pytest.mark.parametrize("after", [False, True])
async def test_after_a_commit_of_unknown_outcome_nothing_kept_in_memory_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=FailingCommit, **options))
    async with opened(tmp_path / "s") as store:
        await store.logs.append(append("demo:a", "c:1"), 1)
        await store.entities.commit(KEY, commit(0, "a", state="a"))
        assert await store.entities.outbox(KEY) == ()
        FailingCommit.fails_after = after
        works: list[Awaitable[Any]] = [
            store.logs.append(append("demo:a", "c:2", "c:3"), 1),
            store.entities.commit(KEY, commit(1, "b", state="b", items=1)),
        ]
        running = [asyncio.ensure_future(work) for work in works]
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        assert any(isinstance(each, CausewayError) for each in outcomes)

        again = await store.logs.append(append("demo:a", "c:2", "c:3"), 1)
        assert again.offsets == (2, 3)
        durable = after or not isinstance(outcomes[1], CausewayError)
        assert (await store.entities.load(KEY)).version == (2 if durable else 1)
        assert len(await store.entities.outbox(KEY)) == (1 if durable else 0)
        assert await store.entities.commit(KEY, commit(1, "b", state="b", items=1)) in (
            Committed(2),
            Committed(2, repeat=True, document=Document(version=2, state={"value": "b"})),
        )
        assert len(await store.entities.outbox(KEY)) == 1
        assert await offsets(store, "demo:a") == [1, 2, 3]


async def test_memory_that_is_too_small_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "CACHED_MAX", 1)
    monkeypatch.setattr(documents, "CACHED_MAX_BYTES", 1)
    async with opened(tmp_path / "s") as store:
        for turn in range(3):
            names = [f"demo:{n}" for n in range(5)]
            got = await store.together([store.logs.append(append(name, f"c:{turn}"), 1) for name in names])
            assert [each.offsets for each in got if isinstance(each, Appended)] == [(turn + 1,)] * 5
            keys = [EntityKey("chat", "room", str(n)) for n in range(5)]
            done = await store.together([store.entities.commit(key, commit(turn, f"{turn}")) for key in keys])
            assert done == [Committed(turn + 1)] * 5


async def test_ids_kept_by_an_older_schema_in_the_document_go_on_counting_and_leave_it_with_the_next_commit(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with opened(path) as store:
        await store.entities.commit(KEY, commit(0, "new", state="new"))
    with closing(sqlite3.connect(path)) as connection:
        (packed,) = connection.execute("SELECT document FROM entities").fetchone()
        assert COMMITS not in unpack(packed)
        older = {**unpack(packed), COMMITS: [[short_id("old"), 1, 0]]}
        connection.execute("UPDATE entities SET document = ?", (pack(older),))
        connection.executescript(back_to(3))

    async with opened(path) as store:
        repeated = Committed(1, repeat=True, document=Document(version=1, state={"value": "new"}))
        assert await store.entities.commit(KEY, commit(0, "old")) == repeated
        assert await store.entities.commit(KEY, commit(1, "next")) == Committed(2)
        again = await store.entities.commit(KEY, commit(0, "old"))
        assert isinstance(again, Committed)
        assert (again.version, again.repeat) == (1, True)
    with closing(sqlite3.connect(path)) as connection:
        assert COMMITS not in unpack(connection.execute("SELECT document FROM entities").fetchone()[0])


async def test_commit_ids_are_forgotten_once_they_are_too_old(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with opened(path) as store:
        await store.entities.commit(KEY, commit(0, "a", now=1))
        await store.entities.commit(KEY, commit(1, "b", now=ID_LIFETIME_MS))
        assert isinstance(await store.entities.commit(KEY, commit(0, "a", now=ID_LIFETIME_MS)), Committed)
        await store.entities.commit(KEY, commit(2, "c", now=ID_LIFETIME_MS + 2))
        assert isinstance(await store.entities.commit(KEY, commit(0, "a", now=ID_LIFETIME_MS + 2)), Conflicted)
        assert isinstance(await store.entities.commit(KEY, commit(1, "b", now=ID_LIFETIME_MS + 2)), Committed)
