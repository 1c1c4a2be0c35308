"""What only the MongoDB adapter promises of logs: the fence, segments, several processes at once, outcomes that nobody knows."""

from __future__ import annotations

import asyncio

import pytest

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_storage.adapters.mongo import (
    MongoLogs,
)
from causeway_storage.adapters.mongo import batches as batches_module
from support.mongo_process import Process, append, appended, offsets
from support.stores import letters


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
