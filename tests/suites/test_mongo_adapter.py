"""What only the MongoDB adapter promises: the fence, segments, several processes at once, outcomes that nobody knows, the schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    ClaimRequest,
    HistoryRequest,
    NewRecord,
    PublishItem,
    SettleRequest,
)
from causeway_common.runtime import StartError
from causeway_storage.adapters.mongo import (
    MongoDatabase,
    MongoEntities,
    MongoLogs,
    MongoOptions,
    MongoRecords,
    migrate,
    open_database,
    plan,
    raise_generation,
)
from causeway_storage.adapters.mongo import batches as batches_module
from causeway_storage.adapters.mongo.database import Collection, Fields
from causeway_storage.adapters.mongo.faults import OutcomeUnknownError
from causeway_storage.adapters.mongo.probe import require_atomic_updates
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.ports import Appended, Committed
from support.mongo import SERVERS
from support.stores import letters, mongo_uri

T = TypeVar("T")
HOUR = 3_600_000
KEY = EntityKey("chat", "room", "1")
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))


class FaultyDatabase(MongoDatabase):
    """Loses the answers, or the writes themselves, of the operations named."""

    def __init__(self, options: MongoOptions) -> None:
        super().__init__(options)
        self.lost_answers: list[str] = []
        self.lost_writes: list[str] = []

    async def write(self, collection: str, operation: str, work: Callable[[Collection], Awaitable[T]], size: int = 0) -> T:
        if operation in self.lost_writes:
            self.lost_writes.remove(operation)
            raise OutcomeUnknownError("test")
        done = await super().write(collection, operation, work, size)
        if operation in self.lost_answers:
            self.lost_answers.remove(operation)
            raise OutcomeUnknownError("test")
        return done


class Process:
    """One storage process, as far as the database is concerned."""

    def __init__(self, database: FaultyDatabase) -> None:
        self.database = database
        self.fed: list[Appended] = []
        self.logs = MongoLogs(database, letters(), self.fed.append, forget_slack_ms=0)
        self.entities = MongoEntities(database)
        self.records = MongoRecords(database)

    async def documents(self, collection: str) -> list[Fields]:
        return [each async for each in self.database.database.get_collection(collection).find({})]


@asynccontextmanager
async def process(uri: str) -> AsyncIterator[Process]:
    database = FaultyDatabase(MongoOptions(uri))
    await open_database(database, apply=True)
    try:
        yield Process(database)
    finally:
        await database.stop()


@pytest.fixture(params=sorted(SERVERS))
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return mongo_uri(request.param, tmp_path)


@pytest.fixture
async def one(uri: str) -> AsyncIterator[Process]:
    async with process(uri) as opened:
        yield opened


@pytest.fixture
async def two(uri: str, one: Process) -> AsyncIterator[Process]:
    async with process(uri) as opened:
        yield opened


def append(channel: str, *ids: str, size: int = 1000, ttl: int = HOUR, data: bytes = b"1") -> AppendRequest:
    return AppendRequest(channel=channel, size=size, ttl_ms=ttl, items=[AppendItem(id=each, data=data) for each in ids])


def commit(expected: int, id: str, items: int = 1, now: int = 0) -> Commit:
    return Commit(expected, id, {"value": expected}, 1, (ITEM,) * items, items, "ann", "trace", now)


async def appended(log: Process, count: int, *, first: int = 1, channel: str = "demo:a", size: int = 1000, now: int = 1) -> None:
    for number in range(first, first + count):
        await log.logs.append(append(channel, f"c:{number}", size=size), now)


async def offsets(log: Process, *, reverse: bool = False, since: int = 0, channel: str = "demo:a") -> list[int]:
    found: list[int] = []
    while True:
        page = await log.logs.history(HistoryRequest(channel=channel, since=since, limit=50, reverse=reverse))
        found += [each.offset for each in page.publications]
        if not page.more:
            return found
        since = found[-1]


async def test_older_publications_are_in_segments_and_pages_go_through_both(one: Process, two: Process) -> None:
    await appended(one, 100)

    (head,) = await one.documents("heads")
    segments = sorted(await one.documents("segments"), key=lambda each: int(each["first"]))
    assert len(head["pubs"]) <= 32
    assert [each["first"] for each in segments] == [1, *(each["last"] + 1 for each in segments[:-1])], "without holes"
    assert segments[-1]["last"] >= head["base"], "nothing left the head document before it was in a segment"
    for reader in (one, two):
        assert await offsets(reader) == list(range(1, 101))
        assert await offsets(reader, reverse=True) == list(range(100, 0, -1))
        assert await offsets(reader, since=37) == list(range(38, 101))
        assert await offsets(reader, reverse=True, since=61) == list(range(60, 0, -1))


async def test_ids_in_segments_make_repeats_harmless_for_the_process_that_wrote_them_and_for_another(
    one: Process, two: Process
) -> None:
    await appended(one, 90)

    for log in (one, two):
        again = await log.logs.append(append("demo:a", "c:1", "c:45", "c:90"), 2)
        assert (again.offsets, again.repeats) == ((1, 45, 90), (True,) * 3)
    assert await offsets(two) == list(range(1, 91))


async def test_ids_are_looked_up_where_a_log_has_more_segments_than_memory_takes(
    one: Process, two: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causeway_storage.adapters.mongo.segments.IDS_FROM_SEGMENTS", 2)
    await appended(one, 120)

    assert (await two.logs.append(append("demo:a", "c:3", "c:new"), 2)).repeats == (True, False)
    assert (await two.logs.append(append("demo:a", "c:4", "c:new"), 2)).repeats == (True, True)


async def test_a_large_append_is_one_document_and_then_leaves_it(one: Process) -> None:
    big = [f"c:{number}" for number in range(100)]
    await one.logs.append(append("demo:a", *big, data=b"x" * 1000), 1)
    assert len((await one.documents("heads"))[0]["pubs"]) == 100, "all or none: one update"

    await one.logs.append(append("demo:a", "c:a"), 1)

    (head,) = await one.documents("heads")
    assert len(head["pubs"]) == 1
    assert await offsets(one) == list(range(1, 102))


async def test_two_processes_that_append_to_one_channel_lose_nothing_and_repeat_nothing(one: Process, two: Process) -> None:
    async def publisher(log: Process, name: str) -> list[int]:
        return [(await log.logs.append(append("demo:a", f"c:{name}:{number}"), 1)).offsets[0] for number in range(40)]

    told = await asyncio.gather(publisher(one, "a"), publisher(two, "b"), publisher(one, "c"), publisher(two, "d"))

    assert sorted(offset for each in told for offset in each) == list(range(1, 161))
    assert all(each == sorted(each) for each in told), "in the order of each publisher"
    assert await offsets(one) == list(range(1, 161))
    for log in (one, two):
        fed = [each.offset for each_append in log.fed for each in each_append.publications]
        assert fed == sorted(set(fed)), "fed in order, each once"
    assert len(one.fed) + len(two.fed) == 160


async def test_a_process_that_slept_through_appends_and_a_trim_is_refused_and_reads_again(one: Process, two: Process) -> None:
    await appended(one, 30, size=10)
    await appended(two, 200, first=100, size=10)
    await two.logs.remove_expired(100_000, 100)
    await two.logs.forget_ids(100_000, 1000)
    await two.logs.remove_expired(200_000, 100)

    woken = await one.logs.append(append("demo:a", "c:woken", size=10), 2)

    assert woken.offsets == (231,)
    assert await offsets(one) == list(range(222, 232))


async def test_trimmed_segments_go_once_their_ids_may_be_forgotten(one: Process) -> None:
    await appended(one, 100, size=5)
    await one.logs.remove_expired(100_000, 100)
    kept = await one.documents("segments")
    assert all(not each["pubs"] for each in kept if each["last"] <= 95), "the publications are gone"
    assert (await one.logs.append(append("demo:a", "c:1", size=5), 2)).repeats == (True,), "their ids are not"

    await one.logs.forget_ids(1000, 1000)

    assert [each["_id"] for each in await one.documents("segments") if each["last"] <= 95] == []
    assert await offsets(one) == list(range(96, 101))
    assert (await one.logs.append(append("demo:a", "c:1", size=5), 2)).repeats == (False,)


async def test_an_emptied_log_goes_after_thirty_quiet_days_and_one_that_holds_something_does_not(one: Process) -> None:
    month = 30 * 86_400_000
    before = await one.logs.append(append("demo:a", "c:1", ttl=1), 0)
    await one.logs.append(append("demo:b", "c:1", ttl=10 * month), 0)
    await one.logs.remove_expired(10, 10)

    await one.logs.remove_expired(month, 10)
    assert len(await one.documents("heads")) == 2
    await one.logs.remove_expired(2 * month, 10)

    assert [each["_id"] for each in await one.documents("heads")] == ["demo:b"]
    after = await one.logs.append(append("demo:a", "c:1"), 2 * month)
    assert (after.offsets, after.repeats) == ((1,), (False,))
    assert after.epoch != before.epoch


@pytest.mark.parametrize("at", [1, 2, 30])
async def test_an_append_whose_answer_is_lost_is_answered_and_fed_as_if_it_had_come(one: Process, at: int) -> None:
    await appended(one, at - 1)
    one.database.lost_answers.append("append")
    done = await one.logs.append(append("demo:a", "c:lost"), 5)

    assert (done.offsets, done.repeats) == ((at,), (False,))
    assert [each.offset for each in one.fed[-1].publications] == [at]
    assert await offsets(one) == list(range(1, at + 1))
    assert (await one.logs.append(append("demo:a", "c:lost"), 6)).repeats == (True,)


async def test_an_append_that_was_lost_is_tried_again(one: Process, two: Process) -> None:
    one.database.lost_writes += ["append", "append"]

    assert (await one.logs.append(append("demo:a", "c:1"), 1)).offsets == (1,)
    two.database.lost_writes.append("append")
    assert (await two.logs.append(append("demo:a", "c:2"), 1)).offsets == (2,)
    assert await offsets(one) == [1, 2]


async def test_a_lost_answer_of_a_segment_loses_nothing(one: Process) -> None:
    for number in range(1, 80):
        one.database.lost_answers.append("insert")
        await one.logs.append(append("demo:a", f"c:{number}"), 1)

    assert await offsets(one) == list(range(1, 80))


async def test_an_outcome_that_stays_unknown_is_told_as_unavailable_and_a_repeat_tells_the_truth(
    one: Process, two: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "PATIENCE_S", 0.1)
    one.database.lost_writes += ["append"] * 1000

    with pytest.raises(CausewayError) as caught:
        await one.logs.append(append("demo:a", "c:1"), 1)

    assert caught.value.name is ErrorName.UNAVAILABLE
    assert (await two.logs.append(append("demo:a", "c:1"), 1)).offsets == (1,)


async def test_the_queue_of_appends_is_bounded(uri: str, one: Process) -> None:
    small = MongoLogs(one.database, letters(), one.fed.append, write_queue=4)
    outcomes = await asyncio.gather(
        *(small.append(append(f"demo:{number}", "c:1"), 1) for number in range(6)), return_exceptions=True
    )

    refused = [each for each in outcomes if isinstance(each, CausewayError)]
    assert [each.name for each in refused] == [ErrorName.OVERLOADED] * 2
    assert small.depth == 0


async def test_a_document_over_the_limit_is_refused_before_it_is_sent(one: Process) -> None:
    with pytest.raises(CausewayError) as caught:
        await one.logs.append(append("demo:a", *(f"c:{n}" for n in range(60)), data=b"x" * (256 * 1024)), 1)

    assert caught.value.name is ErrorName.BAD_REQUEST
    assert await one.documents("heads") == []


async def test_what_the_driver_refuses_to_send_is_an_internal_error_and_no_unknown_outcome(one: Process) -> None:
    with pytest.raises(CausewayError) as caught:
        await one.database.write("heads", "test", lambda collection: collection.insert_one({"_id": "a", "x": b"x" * (17 << 20)}))

    assert caught.value.name is ErrorName.INTERNAL


async def test_the_appends_of_many_channels_share_bulk_writes(one: Process) -> None:
    before = batches_module._batches.total
    await asyncio.gather(*(one.logs.append(append(f"demo:{number}", "c:1"), 1) for number in range(200)))
    await asyncio.gather(*(one.logs.append(append(f"demo:{number}", "c:2"), 1) for number in range(200)))

    assert batches_module._batches.total - before <= 4


async def test_a_commit_whose_answer_is_lost_is_answered_as_the_first_time(one: Process) -> None:
    for version in range(2):
        one.database.lost_answers.append("commit")
        assert await one.entities.commit(KEY, commit(version, f"id{version}")) == Committed(version + 1)
        assert isinstance(await one.entities.commit(KEY, commit(version, f"id{version}")), Committed)
    assert len(await one.entities.outbox(KEY)) == 2


async def test_a_commit_that_was_lost_is_tried_again(one: Process) -> None:
    one.database.lost_writes += ["commit", "commit"]

    assert await one.entities.commit(KEY, commit(0, "a")) == Committed(1)


async def test_fields_of_a_newer_version_survive_a_commit_and_a_clearing_of_this_one(one: Process) -> None:
    await one.entities.commit(KEY, commit(0, "a"))
    collection = one.database.database.get_collection("entities")
    await collection.update_one({}, {"$set": {"newer": {"field": 1}}})

    await one.entities.commit(KEY, commit(1, "b"))
    await one.entities.clear(KEY, frozenset(each.id for each in await one.entities.outbox(KEY)))

    (document,) = await one.documents("entities")
    assert document["newer"] == {"field": 1}
    assert "oldest" not in document


async def test_a_clearing_between_commits_leaves_every_waiting_outbox_to_be_found(one: Process, two: Process) -> None:
    async def commits() -> None:
        for version in range(30):
            assert await one.entities.commit(KEY, commit(version, f"id{version}", now=version + 1)) == Committed(version + 1)

    async def clearings() -> None:
        cleared: set[str] = set()
        while len(cleared) < 29:
            if found := (await two.entities.outbox(KEY))[:3]:
                gone = frozenset(each.id for each in found)
                await asyncio.gather(two.entities.clear(KEY, gone), one.entities.clear(KEY, frozenset([found[0].id])))
                cleared |= gone
            if len(cleared) < 29 or await two.entities.outbox(KEY):
                continue
            return

    await asyncio.gather(commits(), clearings())

    left = await one.entities.outbox(KEY)
    page = await one.entities.pending(10**9, "", 10)
    assert [each.key for each in page.entities] == ([KEY] if left else [])


async def test_a_claim_whose_answer_is_lost_runs_and_nobody_else_gets_the_record(one: Process, two: Process) -> None:
    new = NewRecord(id="a", app="chat", connector="webhook", op="event", payload={"$set": {"a.b": "\0"}})
    one.database.lost_answers.append("put")
    assert await one.records.put([new], (), now_ms=0, next_at_ms=0) == {"a"}, "it is this call's, although the answer was lost"
    one.database.lost_answers.append("claim")
    request = ClaimRequest(id="a", node="n", lease_ms=10)

    claims = await asyncio.gather(one.records.claim(request, 0), two.records.claim(request, 0))

    assert sorted(each.outcome for each in claims) == ["leased", "run"]
    (record,) = (each.record for each in claims if each.record)
    assert record.payload == {"$set": {"a.b": "\0"}}
    one.database.lost_answers.append("settle")
    assert await one.records.settle(SettleRequest(id="a", attempt=1, outcome="done"), 5)


async def test_names_and_states_that_look_like_operators_are_data(one: Process) -> None:
    strange = EntityKey("chat", "$set", "a.b\0$where")
    state = {"$inc": {"a.b": 1}, "\0": [{"$gt": ""}], "": b"\0\xff"}
    made = Commit(0, "$id", state, 1, ({"kind": "x", "$a": {".": 1}},), 1, "$by", "trace", 1)

    assert await one.entities.commit(strange, made) == Committed(1)
    assert (await one.entities.load(strange)).state == state
    assert (await one.entities.outbox(strange))[0].items == made.items
    await one.logs.append(append("$a.b:\0c", "c:$x.\0"), 1)
    assert (await one.logs.append(append("$a.b:\0c", "c:$x.\0"), 1)).repeats == (True,)
    assert await offsets(one, channel="$a.b:\0c") == [1]


async def test_migrate_says_what_it_would_do_does_it_once_and_a_serving_process_does_nothing(uri: str) -> None:
    async def serving() -> int:
        database = MongoDatabase(MongoOptions(uri))
        await open_database(database, apply=False)
        await database.stop()
        return database.generation

    with pytest.raises(StartError, match="causeway-storage migrate"):
        await serving()
    database = MongoDatabase(MongoOptions(uri))
    await database.connect()
    try:
        planned = [step.what for step in await plan(database)]
        assert "create the collection heads" in planned
        assert await migrate(database) == planned
        assert await plan(database) == []
        assert (await serving(), await raise_generation(database, 7), await serving()) == (1, 7, 7)
        await database.database.get_collection("meta").update_one({"_id": "schema"}, {"$set": {"value": 2}})
        assert await serving() == 7, "the next version's schema is served"
        await database.database.get_collection("meta").update_one({"_id": "schema"}, {"$set": {"value": 9}})
        with pytest.raises(StartError, match="schema 9"):
            await serving()
        with pytest.raises(StartError, match="schema 9"):
            await migrate(database)
    finally:
        await database.stop()


async def test_a_server_whose_conditional_update_is_not_atomic_is_refused(one: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acted: a server that reads, then writes the whole document by its id, as FerretDB 1.x does."""
    await require_atomic_updates(one.database)
    real = one.database.database.get_collection("probe")

    class Careless:
        find_one, insert_one, delete_one = real.find_one, real.insert_one, real.delete_one

        async def update_one(self, fence: Fields, change: Fields) -> object:
            if await real.find_one(fence) is None:
                return await real.update_one({"_id": "none"}, change)
            await asyncio.sleep(0)
            return await real.update_one({"_id": fence["_id"]}, change)

    class Database:
        def get_collection(self, _name: str) -> Careless:
            return Careless()

    monkeypatch.setattr(FaultyDatabase, "database", Database())
    with pytest.raises(StartError, match="not atomic"):
        await require_atomic_updates(one.database)


async def test_a_database_that_does_not_answer_is_told_at_start() -> None:
    database = MongoDatabase(MongoOptions("mongodb://127.0.0.1:1/", connect_ms=200))

    with pytest.raises(StartError, match="does not answer"):
        await database.connect()
    await database.stop()


async def test_secrets_of_the_connection_are_not_shown() -> None:
    options = MongoOptions("mongodb://ann:secret@host/", username="bob", password="hidden")

    assert "secret" not in repr(options)
    assert "hidden" not in repr(options)
