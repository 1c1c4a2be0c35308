"""The log's rules: no holes, no doubles, repeats get their first answer, pages are consecutive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.epochs import DAY_MS, epoch_of
from causeway_common.contracts.ids import ID_LIFETIME_MS, KEY_LIFETIME_MS
from causeway_common.contracts.messages import AppendItem, AppendRequest, HistoryRequest, StoredPublication
from causeway_storage.domain.log import (
    PAGE_MAX_BYTES,
    KnownId,
    LogHead,
    cut_page,
    head_message,
    ids_forgotten_before,
    in_force,
    page_range,
    plan_append,
    plan_expiry,
)

IDS = st.sampled_from([f"{prefix}:{n}" for prefix in "ock" for n in range(6)])
BATCH = st.tuples(st.lists(IDS, min_size=1, max_size=8), st.integers(1, 12), st.integers(0, KEY_LIFETIME_MS))


def append(ids: list[str], size: int = 1000) -> AppendRequest:
    items = [AppendItem(id=each, data=f'"{each}"'.encode()) for each in ids]
    return AppendRequest(channel="demo:a", size=size, ttl_ms=60_000, items=items)


@given(st.lists(BATCH, max_size=30))
def test_appends_make_no_hole_and_no_double_and_a_repeat_gets_its_first_offset(batches: list[tuple[list[str], int, int]]) -> None:
    """Whatever comes in whatever order: the log is 1, 2, 3…, and an id in force has one offset for ever."""
    head: LogHead | None = None
    known: dict[str, KnownId] = {}
    log: list[int] = []
    now = 1_000_000
    for ids, size, elapsed in batches:
        now += elapsed
        before = {each: seen.offset for each, seen in known.items() if in_force(each, seen.time_ms, now)}
        plan = plan_append(
            head, {each: known[each] for each in ids if each in known}, append(ids, size), now_ms=now, letters="abcdefgh"
        )

        log += [publication.offset for publication in plan.publications]
        assert log == list(range(1, len(log) + 1))
        assert plan.head.head == len(log)
        assert plan.head.floor >= (head.floor if head else 0)
        assert plan.head.letters == "abcdefgh"
        answers = dict(before)
        for each, offset, repeat in zip(ids, plan.offsets, plan.repeats, strict=True):
            assert repeat == (each in answers)
            assert answers.setdefault(each, offset) == offset
        assert set(plan.new_ids) == set(answers) - set(before)
        known |= {each: KnownId(offset, now) for each, offset in plan.new_ids.items()}
        head = plan.head


def test_a_batch_that_repeats_an_id_of_its_own_appends_it_once() -> None:
    plan = plan_append(None, {}, append(["c:1", "c:1", "c:2"]), now_ms=5, letters="abcdefgh")

    assert (plan.offsets, plan.repeats) == ((1, 1, 2), (False, True, False))
    assert [publication.offset for publication in plan.publications] == [1, 2]


def test_only_repeats_change_nothing_not_even_the_floor() -> None:
    head = LogHead("abcdefgh", 9, 0)

    plan = plan_append(head, {"c:1": KnownId(3, 5)}, append(["c:1"], size=1), now_ms=9, letters="zzzzzzzz")

    assert (plan.head, plan.publications, plan.offsets) == (head, (), (3,))


def test_the_floor_follows_the_size_and_a_batch_larger_than_the_size_keeps_its_newest() -> None:
    plan = plan_append(None, {}, append(["c:1", "c:2", "c:3"], size=2), now_ms=5, letters="abcdefgh")

    assert plan.head == LogHead("abcdefgh", 3, 1)
    assert len(plan.publications) == 3, "all of them are fed, also those that are not kept"


def test_a_callers_key_is_a_repeat_for_five_minutes_and_other_ids_as_long_as_they_are_there() -> None:
    assert in_force("k:1", 0, KEY_LIFETIME_MS - 1)
    assert not in_force("k:1", 0, KEY_LIFETIME_MS)
    assert in_force("c:1", 0, 100 * KEY_LIFETIME_MS)


def test_ids_outlive_fifteen_minutes_and_every_outbox_item_that_may_be_appended_again() -> None:
    now = 100 * ID_LIFETIME_MS

    assert ids_forgotten_before(now, now) == now - ID_LIFETIME_MS
    assert ids_forgotten_before(now, 7) == 7


def test_a_restored_database_has_another_epoch_for_the_same_log() -> None:
    head = LogHead("abcdefgh", 4, 2)

    assert head_message(head, 1, 5).epoch == "abcdefgh.1"
    assert head_message(head, 2, 5).epoch == epoch_of("abcdefgh", 2) == "abcdefgh.2"
    assert head_message(None, 2, 3 * DAY_MS).epoch == "-3.2"


@given(
    st.lists(st.integers(0, 100), max_size=20),
    st.integers(1, 50),
    st.integers(0, 150),
    st.booleans(),
)
def test_expiry_takes_a_prefix_of_what_is_too_old_and_says_when_to_look_again(
    times: list[int], ttl: int, now: int, complete: bool
) -> None:
    oldest = [(offset, time) for offset, time in enumerate(times, 4)]

    plan = plan_expiry(3, oldest, ttl_ms=ttl, now_ms=now, complete=complete)

    gone, kept = oldest[: plan.floor - 3], oldest[plan.floor - 3 :]
    assert all(time + ttl <= now for _, time in gone)
    if kept:
        assert plan.next_ms == kept[0][1] + ttl > now
    else:
        assert plan.next_ms == (None if complete else now)


def publications(*offsets: int, size: int = 10) -> list[tuple[StoredPublication, int]]:
    return [(StoredPublication(offset=offset, data=b"1", time_ms=1), size) for offset in offsets]


@given(
    head=st.integers(0, 30),
    kept=st.integers(0, 30),
    since=st.integers(0, 40),
    limit=st.integers(0, 40),
    reverse=st.booleans(),
    size=st.sampled_from([1, PAGE_MAX_BYTES // 3, PAGE_MAX_BYTES, 2 * PAGE_MAX_BYTES]),
)
def test_pages_walk_the_whole_log_without_hole_or_double(
    *, head: int, kept: int, since: int, limit: int, reverse: bool, size: int
) -> None:
    """Asking on from the last offset while `more` is true yields everything above the floor, each once, in order."""
    at = LogHead("abcdefgh", head, max(head - kept, 0))
    everything = list(range(at.floor + 1, head + 1))
    expected = (
        [offset for offset in reversed(everything) if not since or offset < since]
        if reverse
        else [offset for offset in everything if offset > since]
    )
    seen: list[int] = []
    more = limit > 0
    while more:
        request = HistoryRequest(channel="demo:a", since=since, limit=limit, reverse=reverse)
        asked = page_range(at, request)
        step = -1 if reverse else 1
        rows = publications(*(asked.first + step * n for n in range(asked.count)), size=size)
        page, more = cut_page(at, request, rows)
        assert len(page) <= limit
        assert len(page) <= max(PAGE_MAX_BYTES // size, 1)
        seen += [publication.offset for publication in page]
        since = seen[-1] if seen else since

    assert seen == (expected if limit else [])


@pytest.mark.parametrize("offsets", [(2, 3), (1, 3), ()])
def test_a_damaged_log_is_not_served_as_if_it_were_whole(offsets: tuple[int, ...]) -> None:
    request = HistoryRequest(channel="demo:a", limit=3)

    with pytest.raises(LookupError, match="is missing"):
        cut_page(LogHead("abcdefgh", 3, 0), request, publications(*offsets))
