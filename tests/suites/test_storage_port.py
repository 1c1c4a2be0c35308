"""The behaviour suite of storage's ports: every adapter passes it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from msgspec.structs import replace

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.epochs import DAY_MS, QUIET_DAYS, continues, unwritten
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.ids import KEY_LIFETIME_MS
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    Attempt,
    ClaimRequest,
    Document,
    Head,
    HistoryRequest,
    NewRecord,
    PublishItem,
    RecordsRequest,
    SettleRequest,
)
from causeway_storage.adapters.sqlite import raise_generation
from causeway_storage.domain.entity import OUTBOX_MAX_ITEMS, Commit, EntityKey
from causeway_storage.domain.log import PAGE_MAX_BYTES
from causeway_storage.domain.record import TASK
from causeway_storage.domain.relay import ParkedItem
from causeway_storage.ports import Appended, Committed, Conflicted, DueRecord, PendingEntity
from support.stores import Opener, Store, open_sqlite

T = TypeVar("T")
KEY = EntityKey("chat", "room", "1")
HOUR = 3_600_000
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))


def append(channel: str, *ids: str, size: int = 100, ttl: int = HOUR, data: bytes = b"1") -> AppendRequest:
    return AppendRequest(channel=channel, size=size, ttl_ms=ttl, items=[AppendItem(id=each, data=data) for each in ids])


def commit(expected: int, id: str, *, state: Any = None, items: int = 0, now: int = 0) -> Commit:
    return Commit(expected, id, {"value": state}, 1, (ITEM,) * items, items, "ann", "trace", now)


def record(id: str) -> NewRecord:
    return NewRecord(id=id, app="chat", connector="webhook", op="event", payload={"id": id}, traceparent="trace")


async def head(store: Store, channel: str) -> Head:
    return (await store.logs.heads([channel]))[0]


async def offsets(store: Store, channel: str) -> list[int]:
    page = await store.logs.history(HistoryRequest(channel=channel, limit=1000))
    return [publication.offset for publication in page.publications]


# --- logs ---------------------------------------------------------------------------------------------------------------


async def test_a_log_begins_with_an_epoch_and_counts_from_one(store: Store) -> None:
    appended = await store.logs.append(append("demo:a", "c:1", "c:2"), 7)

    assert appended.offsets == (1, 2)
    assert await head(store, "demo:a") == Head(epoch=appended.epoch, head=2, floor=0)
    page = await store.logs.history(HistoryRequest(channel="demo:a", limit=10))
    assert [(each.offset, each.data, each.time_ms) for each in page.publications] == [(1, b"1", 7), (2, b"1", 7)]


async def test_a_log_that_was_never_written_has_the_epoch_that_its_first_publication_continues(store: Store) -> None:
    unwritten = await head(store, "demo:a")
    assert unwritten == Head(epoch=unwritten.epoch)
    assert (await store.logs.history(HistoryRequest(channel="demo:a", limit=1))).head == unwritten
    assert await store.logs.remove("demo:a") == unwritten
    written = await store.logs.append(append("demo:a", "c:1"), 7)

    assert unwritten.epoch.startswith("-")
    assert continues(unwritten.epoch, written.epoch)


async def test_a_repeat_gets_its_first_offset_also_after_its_publication_was_trimmed(store: Store) -> None:
    first = await store.logs.append(append("demo:a", "c:1", size=2), 1)
    await store.logs.append(append("demo:a", "c:2", "c:3", "c:4", size=2), 1)

    again = await store.logs.append(append("demo:a", "c:1", "c:5", size=2), 2)

    assert (again.epoch, again.offsets, again.repeats) == (first.epoch, (1, 5), (True, False))
    assert await offsets(store, "demo:a") == [4, 5]
    assert await head(store, "demo:a") == Head(epoch=first.epoch, head=5, floor=3)


MONTH = QUIET_DAYS * DAY_MS


async def test_an_emptied_log_goes_after_thirty_quiet_days_and_one_that_holds_something_does_not(store: Store) -> None:
    before = await store.logs.append(append("demo:a", "c:1", ttl=1), 0)
    await store.logs.append(append("demo:a", "c:2", ttl=1), 9)
    await store.logs.append(append("demo:b", "c:1", ttl=10 * MONTH), 0)
    await store.logs.append(append("demo:c", "c:1"), 0)
    await store.logs.remove("demo:c")
    await store.logs.remove_expired(20, 10)
    await store.logs.remove_expired(3 * MONTH, 10)
    assert (await head(store, "demo:a")).head == 2, "its ids are not forgotten: an outbox may hold them"
    while await store.logs.forget_ids(100, 100):
        pass

    await store.logs.remove_expired(4 * MONTH, 10)

    store.clock.now_ms = 4 * MONTH
    gone = await head(store, "demo:a")
    assert gone == Head(epoch=unwritten(1, 4 * MONTH))
    assert (await head(store, "demo:b")).head == 1
    assert (await head(store, "demo:c")).head == 0
    after = await store.logs.append(append("demo:a", "c:1"), 4 * MONTH)
    assert (after.offsets, after.repeats) == ((1,), (False,))
    assert after.epoch != before.epoch
    assert not continues(before.epoch, after.epoch)
    assert not continues(before.epoch, gone.epoch)


async def test_whoever_saw_a_channel_before_a_log_that_came_and_went_is_told_and_whoever_saw_it_after_goes_on(store: Store) -> None:
    """P4: the position of before the first log is none of the second one."""
    first = await head(store, "demo:a")
    await store.logs.append(append("demo:a", "c:1", ttl=1), 0)
    await store.logs.remove_expired(10, 10)
    await store.logs.forget_ids(10, 10)
    at = store.clock.now_ms = MONTH + DAY_MS
    await store.logs.remove_expired(at, 10)

    between = await head(store, "demo:a")
    assert between.head == 0
    assert not continues(first.epoch, between.epoch)
    second = await store.logs.append(append("demo:a", "c:2"), at)
    assert not continues(first.epoch, second.epoch)
    assert continues(between.epoch, second.epoch)


async def test_a_quiet_log_that_is_appended_to_again_stays(store: Store) -> None:
    before = await store.logs.append(append("demo:a", "c:1", ttl=1), 0)
    await store.logs.append(append("demo:a", "c:2", ttl=1), MONTH)
    await store.logs.remove_expired(MONTH + 10, 10)
    while await store.logs.forget_ids(2 * MONTH, 10):
        pass
    await store.logs.remove_expired(2 * MONTH, 10)

    assert (await head(store, "demo:a")).epoch == before.epoch


async def test_ids_of_one_channel_mean_nothing_in_another(store: Store) -> None:
    await store.logs.append(append("demo:a", "c:1"), 1)

    assert (await store.logs.append(append("demo:b", "c:1"), 1)).repeats == (False,)


async def test_a_callers_key_may_be_used_anew_after_five_minutes(store: Store) -> None:
    await store.logs.append(append("demo:a", "k:1"), 0)

    assert (await store.logs.append(append("demo:a", "k:1"), KEY_LIFETIME_MS - 1)).offsets == (1,)
    assert (await store.logs.append(append("demo:a", "k:1"), KEY_LIFETIME_MS)).offsets == (2,)
    assert (await store.logs.append(append("demo:a", "k:1"), KEY_LIFETIME_MS + 1)).offsets == (2,)


async def test_ids_are_forgotten_by_age_alone(store: Store) -> None:
    await store.logs.append(append("demo:a", "c:1"), 10)
    await store.logs.append(append("demo:a", "c:2"), 20)

    assert await store.logs.forget_ids(20, 100) == 1
    again = await store.logs.append(append("demo:a", "c:1", "c:2"), 30)
    assert again.repeats == (False, True)


async def test_what_is_too_old_goes_and_epoch_and_head_survive_an_emptied_log(store: Store) -> None:
    appended = await store.logs.append(append("demo:a", "c:1", ttl=100), 0)
    await store.logs.append(append("demo:a", "c:2", ttl=100), 50)
    await store.logs.append(append("demo:b", "c:1", ttl=1000), 0)

    assert await store.logs.remove_expired(99, 10) == 0
    await store.logs.remove_expired(100, 10)
    assert await offsets(store, "demo:a") == [2]
    await store.logs.remove_expired(150, 10)
    assert await head(store, "demo:a") == Head(epoch=appended.epoch, head=2, floor=2)
    assert await store.logs.remove_expired(500, 10) == 0, "an emptied log is not looked at any more"
    assert (await store.logs.append(append("demo:a", "c:3", ttl=100), 500)).offsets == (3,)
    assert await offsets(store, "demo:a") == [3]
    await store.logs.remove_expired(600, 10)
    assert await offsets(store, "demo:a") == []
    assert await offsets(store, "demo:b") == [1]


def versioned(id: str, version: int, epoch: str = "", *, delta: bool = False) -> AppendRequest:
    item = AppendItem(id=id, data=b"1", version=version, version_epoch=epoch, delta=delta)
    return AppendRequest(channel="demo:a", size=100, ttl_ms=HOUR, items=[item])


async def test_a_version_seen_before_is_left_out_unless_its_epoch_is_another(store: Store) -> None:
    async def offset_of(id: str, version: int, epoch: str = "") -> tuple[int, bool]:
        appended = await store.logs.append(versioned(id, version, epoch), 1)
        return appended.offsets[0], any(appended.skipped)

    assert await offset_of("c:1", 5, "x") == (1, False)
    assert await offset_of("c:2", 5, "x") == (1, True)
    assert await offset_of("c:3", 4) == (1, True)
    assert await offset_of("c:4", 6, "x") == (2, False)
    assert await offset_of("c:5", 1, "y") == (3, False)
    assert await offset_of("c:6", 1, "y") == (3, True)
    assert await offset_of("c:1", 5, "x") == (1, False), "a repeat gets its first answer"
    await store.logs.append(append("demo:a", "c:7"), 1)
    assert await offset_of("c:8", 1, "y") == (4, True), "publications without a version change nothing"
    assert await offsets(store, "demo:a") == [1, 2, 3, 4]


async def test_the_feed_learns_which_publications_may_be_patches(store: Store) -> None:
    await store.logs.append(versioned("c:1", 0, delta=True), 1)
    await store.logs.append(versioned("c:2", 0), 1)

    assert [each.deltas for each in store.fed] == [{1}, frozenset()]


async def test_a_removed_log_is_empty_and_goes_on_where_it_was(store: Store) -> None:
    appended = await store.logs.append(append("demo:a", "c:1", "c:2"), 1)
    await store.logs.append(append("demo:b", "c:1"), 1)

    for _ in range(2):
        assert await store.logs.remove("demo:a") == Head(epoch=appended.epoch, head=2, floor=2)
    assert await offsets(store, "demo:a") == []
    assert await offsets(store, "demo:b") == [1]
    again = await store.logs.append(append("demo:a", "c:1", "c:3"), 2)
    assert (again.epoch, again.offsets, again.repeats) == (appended.epoch, (1, 3), (True, False))
    assert await offsets(store, "demo:a") == [3]


async def test_a_shorter_ttl_holds_for_what_is_there_already(store: Store) -> None:
    await store.logs.append(append("demo:a", "c:1", ttl=HOUR), 0)
    await store.logs.append(append("demo:a", "c:2", ttl=100), 50)

    await store.logs.remove_expired(100, 10)

    assert await offsets(store, "demo:a") == [2]


async def test_pages_are_bounded_by_count_and_bytes_and_walk_both_ways(store: Store) -> None:
    big = b'"' + b"x" * (PAGE_MAX_BYTES // 2) + b'"'
    await store.logs.append(append("demo:a", "c:1", "c:2", "c:3", data=big), 1)

    async def page(since: int, limit: int, *, reverse: bool = False) -> tuple[list[int], bool]:
        reply = await store.logs.history(HistoryRequest(channel="demo:a", since=since, limit=limit, reverse=reverse))
        return [each.offset for each in reply.publications], reply.more

    assert await page(0, 0) == ([], False)
    assert await page(0, 10) == ([1], True)
    assert await page(1, 10) == ([2], True)
    assert await page(2, 10) == ([3], False)
    assert await page(3, 10) == ([], False)
    assert await page(0, 10, reverse=True) == ([3], True)
    assert await page(2, 10, reverse=True) == ([1], False)


async def test_the_feed_is_told_once_in_order_and_before_the_answer_also_when_nobody_waits(store: Store) -> None:
    waiting = [asyncio.ensure_future(store.logs.append(append("demo:a", f"c:{n}"), 1)) for n in range(50)]
    await asyncio.sleep(0)
    for each in waiting[::2]:
        each.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)

    answered = {each.offsets[0] for each in done if isinstance(each, Appended)}
    fed = [publication.offset for told in store.fed for publication in told.publications]
    assert fed == list(range(1, len(fed) + 1)), "in offset order, each once"
    assert answered <= set(fed)
    assert (await head(store, "demo:a")).head == len(fed), "what was written was fed, whoever waited"
    await store.logs.append(append("demo:a", "c:1"), 1)
    assert len(store.fed) == len(fed), "a repeat is not fed again"


# --- entities -----------------------------------------------------------------------------------------------------------


async def test_an_entity_that_is_not_there_has_version_zero(store: Store) -> None:
    assert await store.entities.load(KEY) == Document()
    assert await store.entities.outbox(KEY) == ()


async def test_of_many_commits_on_one_version_one_wins_and_the_others_get_its_document(store: Store) -> None:
    outcomes = await asyncio.gather(*(store.entities.commit(KEY, commit(0, f"id{n}", state=n, items=1)) for n in range(20)))

    winners = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    current = await store.entities.load(KEY)
    assert winners == [Committed(1)]
    assert [outcome.document for outcome in outcomes if isinstance(outcome, Conflicted)] == [current] * 19
    assert len(await store.entities.outbox(KEY)) == 1, "a conflict leaves nothing behind"


async def test_a_repeated_commit_is_answered_as_the_first_time_with_the_current_document(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", state="a", items=1))
    await store.entities.commit(KEY, commit(1, "b", state="b"))

    again = await store.entities.commit(KEY, commit(0, "a", state="a", items=1))

    assert again == Committed(1, repeat=True, document=Document(version=2, state={"value": "b"}))
    assert len(await store.entities.outbox(KEY)) == 1


async def test_apps_kinds_and_ids_keep_entities_apart(store: Store) -> None:
    for key in (KEY, EntityKey("auctions", "room", "1"), EntityKey("chat", "user", "1"), EntityKey("chat", "room", "2")):
        assert await store.entities.commit(key, commit(0, "a", state=key.app)) == Committed(1)


async def test_clearing_takes_elements_and_leaves_version_and_state(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", items=2, now=1))
    await store.entities.commit(KEY, commit(1, "b", state="b", items=1, now=2))
    first, second = await store.entities.outbox(KEY)

    await store.entities.clear(KEY, frozenset({first.id, "not there"}))
    await store.entities.clear(EntityKey("chat", "room", "none"), frozenset({first.id}))

    assert await store.entities.outbox(KEY) == (second,)
    assert (first.items, second.at_ms, second.traceparent) == ((ITEM, ITEM), 2, "trace")
    assert await store.entities.load(KEY) == Document(version=2, state={"value": "b"})


async def test_an_outbox_at_its_bound_is_busy_and_nothing_is_written(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", items=OUTBOX_MAX_ITEMS))

    with pytest.raises(CausewayError, match="busy") as caught:
        await store.entities.commit(KEY, commit(1, "b", items=1))

    assert caught.value.name is ErrorName.OVERLOADED
    assert (await store.entities.load(KEY)).version == 1


async def test_the_sweep_finds_every_waiting_outbox_once_oldest_first(store: Store) -> None:
    keys = [EntityKey("chat", "room", str(n)) for n in range(7)]
    for n, key in enumerate(keys):
        await store.entities.commit(key, commit(0, "a", items=1, now=5 - n // 2))
    await store.entities.commit(EntityKey("chat", "room", "empty"), commit(0, "a", now=1))
    await store.entities.clear(keys[6], frozenset({(await store.entities.outbox(keys[6]))[0].id}))

    found: list[PendingEntity] = []
    cursor = ""
    while True:
        page = await store.entities.pending(4, cursor, 1)
        found += page.entities
        cursor = page.cursor
        if not cursor:
            break

    assert [each.oldest_ms for each in found] == [3, 3, 4, 4]
    assert {each.key for each in found} == set(keys[2:6])


# --- records ------------------------------------------------------------------------------------------------------------


async def put(store: Store, *ids: str, now: int = 0, next_at: int = 30) -> frozenset[str]:
    return await store.records.put([record(each) for each in ids], (), now_ms=now, next_at_ms=next_at)


def settle(attempt: int, outcome: Literal["done", "retry", "dead"], delay: int = 0, id: str = "a") -> SettleRequest:
    return SettleRequest(id=id, attempt=attempt, outcome=outcome, delay_ms=delay, note=outcome)


async def test_a_record_put_again_is_left_as_it_is(store: Store) -> None:
    assert await put(store, "a", "b") == {"a", "b"}
    await store.records.claim(ClaimRequest(id="a", node="n", lease_ms=10), 0)

    assert await put(store, "a", "c", now=5, next_at=99) == {"c"}
    assert (await store.records.claim(ClaimRequest(id="a", node="n", lease_ms=10), 5)).outcome == "leased"


async def test_a_record_is_due_at_its_own_time_where_that_is_later(store: Store) -> None:
    made = [replace(record(name), due_ms=due) for name, due in (("past", 4), ("now", 5), ("later", 70))]
    await store.records.put(made, (), now_ms=5, next_at_ms=20)

    page = await store.records.due(20, 10)

    assert {(each.id, each.next_at_ms) for each in page.records} == {("past", 20), ("now", 20)}
    assert page.next_ms == 70
    assert [each.id for each in (await store.records.due(70, 10)).records][-1] == "later"


async def test_a_claim_hands_the_whole_record_to_one_at_a_time(store: Store) -> None:
    await put(store, "a", now=3)
    request = ClaimRequest(id="a", node="n", lease_ms=10)

    claims = await asyncio.gather(*(store.records.claim(request, 5) for _ in range(10)))

    assert sorted(claim.outcome for claim in claims) == ["leased"] * 9 + ["run"]
    (claimed,) = (claim.record for claim in claims if claim.record)
    assert (claimed.payload, claimed.attempts, claimed.created_ms, claimed.traceparent) == ({"id": "a"}, 1, 3, "trace")
    assert (await store.records.claim(request, 15)).outcome == "run"
    assert (await store.records.claim(ClaimRequest(id="none", node="n", lease_ms=1), 0)).outcome == "missing"


async def test_only_the_current_attempt_settles_and_a_repeat_is_answered_as_the_first_time(store: Store) -> None:
    await put(store, "a")
    request = ClaimRequest(id="a", node="n", lease_ms=10)
    await store.records.claim(request, 0)
    await store.records.claim(request, 10)

    assert not await store.records.settle(settle(1, "done"), 11)
    assert await store.records.settle(settle(2, "retry", 100), 11)
    assert await store.records.settle(settle(2, "retry", 100), 50)
    assert (await store.records.due(111, 10)).records == (DueRecord("a", "webhook", "event", 111, "trace", "chat"),)
    await store.records.claim(request, 111)
    assert await store.records.settle(settle(3, "dead"), 112)
    assert (await store.records.claim(request, 999)).outcome == "dead"


async def test_a_record_tells_what_became_of_each_attempt(store: Store) -> None:
    """An attempt that was given back is told once, however often it was; who claims the record next reads it all."""
    await put(store, "a")
    told: tuple[Literal["postponed", "retry"], ...] = ("postponed", "postponed", "retry", "postponed")
    for claim, outcome in enumerate(told, 1):
        await store.records.claim(ClaimRequest(id="a", node="n", lease_ms=10), claim * 100)
        entry = Attempt(
            number=1, claim=claim, at_ms=claim * 100, duration_ms=5, outcome=outcome, status=503, answer="busy", trace_id="f" * 32
        )
        request = SettleRequest(id="a", attempt=claim, outcome="retry", delay_ms=1, attempt_log=entry)
        for _ in range(2):
            assert await store.records.settle(request, claim * 100 + 5)
    record = (await store.records.claim(ClaimRequest(id="a", node="n", lease_ms=10), 900)).record

    assert record is not None
    assert [(entry.claim, entry.outcome) for entry in record.log] == [(3, "retry"), (4, "postponed")]
    assert record.log[0] == Attempt(
        number=1, claim=3, at_ms=300, duration_ms=5, outcome="retry", status=503, answer="busy", trace_id="f" * 32
    )


async def test_operators_see_the_records_of_one_app_and_one_connector_a_task_by_that_name(store: Store) -> None:
    made = [
        NewRecord(id="a", app="chat", connector="webhook", op="event", payload={}),
        NewRecord(id="b", app="chat", connector="", op="report", payload={}),
        NewRecord(id="c", app="auctions", connector="webhook", op="event", payload={}),
    ]
    await store.records.put(made, (), now_ms=100, next_at_ms=100)

    async def listed(app: str = "", connector: str = "") -> list[str]:
        page = await store.desk.page(RecordsRequest(state="", app=app, connector=connector))
        return [each.record.id for each in page.records]

    assert await listed("chat") == ["a", "b"]
    assert await listed(connector="webhook") == ["a", "c"]
    assert await listed("chat", "webhook") == ["a"]
    assert await listed(connector="task") == ["b"]
    assert await listed("nobody") == []


async def test_operators_see_records_by_state_and_have_dead_ones_delivered_again(store: Store) -> None:
    """A record that is dead is not lost: it comes back under its own id, its tries counted anew."""
    for name in ("a", "b", "c", "d", "e"):
        await put(store, name)
    for name, outcome in (("b", "retry"), ("c", "done"), ("d", "dead"), ("e", "dead")):
        await store.records.claim(ClaimRequest(id=name, node="n", lease_ms=10), 100)
        entry = Attempt(number=7, claim=1, at_ms=100, duration_ms=5, outcome=outcome, answer="x")  # type: ignore[arg-type]
        request = SettleRequest(id=name, attempt=1, outcome=outcome, delay_ms=900, note="x", attempt_log=entry)  # type: ignore[arg-type]
        assert await store.records.settle(request, 100)

    async def listed(
        state: Literal["", "pending", "retrying", "done", "dead"], after: str = "", limit: int = 10
    ) -> tuple[list[str], bool]:
        page = await store.desk.page(RecordsRequest(state=state, after=after, limit=limit))
        assert all(each.record.payload == {} and each.record.log == [] for each in page.records)
        return [each.record.id for each in page.records], page.more

    assert await listed("") == (["a", "b", "c", "d", "e"], False)
    assert await listed("pending") == (["a"], False)
    assert await listed("retrying") == (["b"], False)
    assert await listed("done") == (["c"], False)
    assert await listed("dead", limit=1) == (["d"], True)
    assert await listed("dead", after="d", limit=1) == (["e"], False)
    found = await store.desk.find("d")
    assert found is not None
    assert (found.record.state, found.record.note, found.ended_ms, found.next_at_ms) == ("dead", "x", 100, 0)
    assert [entry.number for entry in found.record.log] == [7]
    assert (found.tries, found.told) == (7, True)
    assert await store.desk.find("nobody") is None

    assert [await store.desk.redrive(name, 500) for name in ("a", "b", "c", "d", "nobody")] == [False, False, False, True, False]
    assert not await store.desk.redrive("d", 501)
    assert "d" in [each.id for each in (await store.records.due(500, 10)).records]
    record = (await store.records.claim(ClaimRequest(id="d", node="n", lease_ms=10), 500)).record
    assert record is not None
    assert (record.attempts, record.log[-1].number, record.log[-1].claim) == (2, 0, 1)
    assert not await store.records.settle(SettleRequest(id="d", attempt=1, outcome="dead"), 501), (
        "an attempt of before counts no more"
    )
    assert await store.records.settle(SettleRequest(id="d", attempt=2, outcome="done"), 501)
    assert await listed("dead") == (["e"], False)


async def test_integrations_run_jobs_and_an_app_its_own_tasks_and_a_refusal_changes_nothing(store: Store) -> None:
    task = NewRecord(id="t", app="chat", connector=TASK, op="report", payload={})
    job = NewRecord(id="j", app="chat", connector="webhook", op="event", payload={})
    await store.records.put([task, job], (), now_ms=1, next_at_ms=1)

    for name, runner in (("t", ""), ("t", "auctions"), ("j", "chat"), ("j", "auctions")):
        for attempt in (
            store.records.claim(ClaimRequest(id=name, node="n", lease_ms=10), 2, runner),
            store.records.settle(settle(1, "done", id=name), 2, runner),
        ):
            with pytest.raises(CausewayError, match="permission denied") as caught:
                await attempt
            assert caught.value.code == 103
    claims = [
        await store.records.claim(ClaimRequest(id=each, node="n", lease_ms=10), 2, of) for each, of in (("t", "chat"), ("j", ""))
    ]
    assert [(each.outcome, each.record and each.record.attempts) for each in claims] == [("run", 1)] * 2
    assert await store.records.settle(settle(1, "done", id="t"), 3, "chat")
    due = (await store.records.due(12, 10)).records
    assert due == (DueRecord("j", "webhook", "event", 12, "", "chat"),)


async def test_what_is_due_comes_longest_first_with_the_time_of_the_next(store: Store) -> None:
    await put(store, "c", next_at=30)
    await put(store, "a", next_at=10)
    await put(store, "b", next_at=20)

    page = await store.records.due(20, 10)
    assert ([each.id for each in page.records], page.next_ms) == (["a", "b"], 30)
    assert ([each.id for each in (await store.records.due(20, 1)).records]) == ["a"]
    assert (await store.records.due(9, 10)).next_ms == 10


async def test_a_postponement_counts_only_where_nothing_else_moved_the_record(store: Store) -> None:
    await put(store, "a", "b", next_at=10)
    due = (await store.records.due(10, 10)).records
    await store.records.claim(ClaimRequest(id="a", node="n", lease_ms=100), 10)

    await store.records.postpone(due, 50)

    page = await store.records.due(200, 10)
    assert [(each.id, each.next_at_ms) for each in page.records] == [("b", 50), ("a", 110)]


async def test_done_records_go_after_their_time_and_dead_ones_and_parked_items_stay(store: Store) -> None:
    await put(store, "a", "b")
    parked = ParkedItem("p", "chat", {"kind": "publish", "data": b"1"}, "why", "trace")
    await store.records.put((), [parked], now_ms=0, next_at_ms=0)
    for name, outcome in (("a", "done"), ("b", "dead")):
        await store.records.claim(ClaimRequest(id=name, node="n", lease_ms=10), 0)
        request = SettleRequest(id=name, attempt=1, outcome="done" if outcome == "done" else "dead")
        assert await store.records.settle(request, 100)

    assert await store.records.remove_done(100, 10) == 0
    assert await store.records.remove_done(101, 10) == 1
    outcomes = [(await store.records.claim(ClaimRequest(id=each, node="n", lease_ms=10), 0)).outcome for each in ("a", "b", "p")]
    assert outcomes == ["missing", "dead", "dead"]
    assert (await store.records.due(10**9, 10)).records == ()


# --- all together -------------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_opening_again(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        appended = await store.logs.append(append("demo:a", "c:1", "c:2"), 1)
        await store.entities.commit(KEY, commit(0, "a", state="x", items=1))
        await put(store, "a", next_at=5)

    async with opener(tmp_path) as store:
        assert await head(store, "demo:a") == Head(epoch=appended.epoch, head=2, floor=0)
        assert (await store.logs.append(append("demo:a", "c:1"), 2)).repeats == (True,)
        assert await store.entities.load(KEY) == Document(version=1, state={"value": "x"})
        assert len(await store.entities.outbox(KEY)) == 1
        assert isinstance(await store.entities.commit(KEY, commit(0, "a")), Committed)
        assert [each.id for each in (await store.records.due(5, 10)).records] == ["a"]


async def test_a_restored_database_has_new_epochs_and_the_same_logs(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path) as store:
        before = await store.logs.append(append("demo:a", "c:1"), 1)
    raise_generation(tmp_path / "s.sqlite3", 0)

    async with open_sqlite(tmp_path) as store:
        after = await head(store, "demo:a")
        assert after.head == 1
        assert after.epoch != before.epoch
        assert (await store.logs.append(append("demo:a", "c:1"), 1)).epoch == after.epoch
