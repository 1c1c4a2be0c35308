"""SQLite: a commit's publications are appended in its own transaction, and everything stays as if the relay had taken them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.ids import outbox_id
from causeway_common.contracts.messages import AppendItem, AppendRequest, CommitRequest, HistoryRequest, JobItem, PublishItem
from causeway_storage.adapters.sqlite import SqliteDatabase, SqliteEntities, SqliteLogs
from causeway_storage.adapters.sqlite.writer import batches
from causeway_storage.domain.checks import check_commit
from causeway_storage.domain.entity import Commit, EntityKey, element_id
from causeway_storage.domain.relay import plan_relay
from causeway_storage.ports import Appended, Committed, Conflicted
from support.models import Machine, World, checked, opened_worlds
from support.stores import Store, open_sqlite

T = TypeVar("T")
HOUR = 3_600_000
KEY = EntityKey("chat", "room", "1")
STRANGE = {"kind": "hologram"}


def publish(channel: str, number: int) -> dict[str, Any]:
    return encode_item(PublishItem(channel=channel, data=str(number).encode(), size=100_000, ttl_ms=HOUR))


def job(number: int = 0) -> dict[str, Any]:
    return encode_item(JobItem(connector="webhook", op="event", payload={"n": number}))


def commit(expected: int, *items: dict[str, Any], id: str = "") -> Commit:
    request = CommitRequest(
        kind="room", id="1", expected=expected, commit_id=id or f"c{expected}", state={"n": expected}, items=list(items)
    )
    return check_commit(request, traceparent="trace", now_ms=1)


async def log_of(store: Store, channel: str) -> list[int]:
    page = await store.logs.history(HistoryRequest(channel=channel, limit=1000))
    return [int(each.data) for each in page.publications]


@pytest.fixture
async def direct(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_sqlite(tmp_path, direct=True) as store:
        yield store


async def relayed(store: Store, key: EntityKey, *, clear: bool = True, elements: int = 1000) -> list[str]:
    """What a relay does; the ids of the records that it makes."""
    work = plan_relay(key, (await store.entities.outbox(key))[:elements])
    for each in work.appends:
        await store.logs.append(each.request, 1)
    await store.records.put(work.records, work.parked, now_ms=1, next_at_ms=1)
    if clear and work.elements:
        await store.entities.clear(key, frozenset(work.elements))
    return [record.id for record in work.records]


async def test_a_commit_with_a_publication_is_one_transaction_and_is_fed_before_it_is_answered(direct: Store) -> None:
    before = batches.total
    assert await direct.entities.commit(KEY, commit(0, publish("chat:1", 1))) == Committed(1, left=True)

    assert batches.total == before + 1
    assert [(each.channel, each.offsets) for each in direct.fed] == [("chat:1", (1,))]
    assert await direct.entities.outbox(KEY) == ()
    assert (await direct.entities.pending(10, "", 10)).entities == ()
    assert await log_of(direct, "chat:1") == [1]


async def test_an_item_that_stays_behind_keeps_the_id_of_its_place(direct: Store) -> None:
    made = commit(0, publish("chat:1", 1), job(), publish("chat:2", 1), job(1))
    assert await direct.entities.commit(KEY, made) == Committed(1)

    (element,) = await direct.entities.outbox(KEY)
    assert (element.items, element.places) == ((job(), job(1)), (1, 3))
    name = element_id(KEY, made)
    assert await relayed(direct, KEY) == [outbox_id(name, 1), outbox_id(name, 3)]
    assert [len(await log_of(direct, channel)) for channel in ("chat:1", "chat:2")] == [1, 1]


async def test_a_conflict_and_a_repeat_publish_nothing(direct: Store) -> None:
    await direct.entities.commit(KEY, commit(0, publish("chat:1", 1)))

    assert isinstance(await direct.entities.commit(KEY, commit(0, publish("chat:1", 2), id="other")), Conflicted)
    again = await direct.entities.commit(KEY, commit(0, publish("chat:1", 1)))

    assert isinstance(again, Committed)
    assert again.repeat
    assert await log_of(direct, "chat:1") == [1]
    assert len(direct.fed) == 1


async def test_what_waits_for_a_channel_goes_first_and_other_channels_do_not_wait(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path) as older:
        await older.entities.commit(KEY, commit(0, publish("chat:1", 1)))
    async with open_sqlite(tmp_path, direct=True) as store:
        await store.entities.commit(KEY, commit(1, publish("chat:1", 2), publish("chat:2", 1)))

        assert [(each.items, each.places) for each in await store.entities.outbox(KEY)] == [
            ((publish("chat:1", 1),), ()),
            ((publish("chat:1", 2),), (0,)),
        ]
        assert (await log_of(store, "chat:1"), await log_of(store, "chat:2")) == ([], [1])
        await relayed(store, KEY)
        assert await store.entities.commit(KEY, commit(2, publish("chat:1", 3))) == Committed(3, left=True)
        assert await log_of(store, "chat:1") == [1, 2, 3]


async def test_nothing_passes_an_item_of_a_kind_that_is_unknown_here(direct: Store) -> None:
    await direct.entities.commit(KEY, commit(0, publish("chat:1", 1), STRANGE))
    await direct.entities.commit(KEY, commit(1, publish("chat:1", 2)))
    await direct.entities.commit(KEY, commit(2, publish("chat:2", 1)))

    assert [each.version for each in await direct.entities.outbox(KEY)] == [1, 2, 3]
    assert (await log_of(direct, "chat:1"), await log_of(direct, "chat:2")) == ([], [])


async def test_a_deletion_publishes_with_its_tombstone(direct: Store) -> None:
    await direct.entities.commit(KEY, commit(0, publish("chat:1", 1)))
    request = CommitRequest(kind="room", id="1", expected=1, commit_id="d", state={}, items=[publish("chat:1", 2)], delete=True)
    gone = check_commit(request, traceparent="t", now_ms=5)

    assert await direct.entities.commit(KEY, gone) == Committed(2, left=True)
    assert await log_of(direct, "chat:1") == [1, 2]
    assert await direct.entities.remove_tombstones(6, 10) == 1


class Held:
    """A database whose writer is held until all have been submitted, and the feed that it told."""

    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(path, write_queue=1000, write_queue_bytes=1 << 28, read_queue=100)
        self.fed: list[Appended] = []
        self.logs = SqliteLogs(self.database, lambda: "abcdefgh", self.fed.append)
        self.entities = SqliteEntities(self.database, self.logs)

    async def together(self, works: Sequence[Awaitable[Any]]) -> list[Any]:
        entered, opened = threading.Event(), threading.Event()

        def gate(_connection: sqlite3.Connection) -> None:
            entered.set()
            assert opened.wait(10)

        first = asyncio.ensure_future(self.database.write("meta", "test", gate))
        assert await asyncio.to_thread(entered.wait, 10)
        running = [asyncio.ensure_future(work) for work in works]
        while self.database.depth < len(works) + 1:
            await asyncio.sleep(0)
        opened.set()
        await first
        return await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    made = Held(tmp_path / "s.sqlite3")
    await made.database.start()
    yield made
    await made.database.stop()


def append(channel: str, id: str) -> AppendRequest:
    return AppendRequest(channel=channel, size=100, ttl_ms=HOUR, items=[AppendItem(id=id, data=b"0")])


async def test_what_one_batch_appends_by_itself_and_with_commits_is_fed_in_the_order_of_the_offsets(held: Held) -> None:
    other = EntityKey("chat", "room", "2")
    await held.together(
        [
            held.logs.append(append("chat:1", "c:1"), 1),
            held.entities.commit(KEY, commit(0, publish("chat:1", 1))),
            held.logs.append(append("chat:1", "c:2"), 1),
            held.entities.commit(other, commit(0, publish("chat:1", 2), publish("chat:1", 3))),
            held.entities.commit(KEY, commit(1, publish("chat:1", 4))),
        ]
    )

    fed = [each.offset for appended in held.fed for each in appended.publications]
    assert fed == [1, 2, 3, 4, 5, 6]


async def test_a_write_of_the_batch_that_fails_takes_neither_commit_nor_publication_with_it(held: Held) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('broken', 1)")
        raise ValueError("broken")

    done = await held.together(
        [
            held.entities.commit(KEY, commit(0, publish("chat:1", 1))),
            held.database.write("meta", "test", broken),
            held.entities.commit(KEY, commit(1, publish("chat:1", 2))),
            held.entities.commit(KEY, commit(1, publish("chat:1", 9), id="late")),
        ]
    )

    assert (done[0], done[2]) == (Committed(1, left=True), Committed(2, left=True))
    assert isinstance(done[3], Conflicted)
    fed = [each for appended in held.fed for each in appended.publications]
    assert [(each.offset, each.data) for each in fed] == [(1, b"1"), (2, b"2")]


async def test_a_commit_whose_publication_cannot_be_written_is_not_there(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON publications BEGIN SELECT RAISE(ABORT, 'no'); END")

    await held.database.write("meta", "test", full)
    (failed,) = await held.together([held.entities.commit(KEY, commit(0, publish("chat:1", 1)))])
    assert isinstance(failed, Exception)
    await held.database.write("meta", "test", lambda connection: connection.execute("DROP TRIGGER full").fetchall())

    assert (await held.entities.load(KEY)).version == 0
    assert await held.entities.commit(KEY, commit(0, publish("chat:1", 1))) == Committed(1, left=True)
    assert [each.offsets for each in held.fed] == [(1,)]


class CommitsThatPublish(Machine):
    """Commits of all kinds of items over two channels, relays that die anywhere: in the end each took effect once, in version order."""

    def __init__(self) -> None:
        super().__init__()
        self.key = EntityKey("chat", "room", self.prefix)
        self.channels = [f"chat:{self.prefix}a", f"chat:{self.prefix}b"]
        self.version = 0
        self.published: dict[str, list[int]] = {channel: [] for channel in self.channels}
        self.jobs = 0
        self.records: set[str] = set()

    @rule(items=st.lists(st.sampled_from(["a", "b", "job", "outside"]), max_size=4))
    def commit(self, items: list[str]) -> None:
        made = []
        for item in items:
            if item == "job":
                self.jobs += 1
                made.append(job(self.jobs))
                continue
            channel = self.channels[item == "b"]
            self.published[channel].append(len(self.published[channel]) + 1)
            made.append(publish(channel, len(self.published[channel])))
        request = commit(self.version, *made, id=f"{self.version}")
        if "outside" in items:  # as an older process or another store would have left it
            request = Commit(**{name: getattr(request, name) for name in request.__slots__} | {"publications": ()})
        done = self.run(self.store(0).entities.commit(self.key, request))
        self.version += 1
        assert isinstance(done, Committed)
        assert done.version == self.version

    @rule(elements=st.integers(1, 3), clear=st.booleans())
    def relay(self, elements: int, clear: bool) -> None:
        self.records |= set(self.run(relayed(self.store(0), self.key, clear=clear, elements=elements)))

    def teardown(self) -> None:
        store = self.store(0)
        self.records |= set(self.run(relayed(store, self.key)))
        for channel in self.channels:
            assert self.run(log_of(store, channel)) == self.published[channel]
            fed = [each.offset for appended in store.fed if appended.channel == channel for each in appended.publications]
            assert all(after == before + 1 for before, after in pairwise(fed))
        assert len(self.records) == self.jobs


world = opened_worlds(["sqlite-direct"])


def test_whatever_leaves_with_a_commit_and_whatever_later_takes_effect_once_and_in_version_order(world: World) -> None:
    checked(world, CommitsThatPublish)
