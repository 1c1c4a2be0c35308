"""Silence is death only for who has heard itself all the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from causeway_common.bus.nodes import MET_MAX, Judge

SILENT = 1000


def beating(judge: Judge, start: int, end: int) -> None:
    for now in range(start, end + 1, 400):
        judge.own_beat(now)


def test_a_process_that_was_not_heard_for_long_is_dead_and_not_before() -> None:
    judge = Judge(SILENT)
    beating(judge, 0, 2000)

    assert not judge.silent("n", 1001, 2000)
    assert judge.silent("n", 1000, 2000)


def test_without_its_own_beats_nobody_is_dead() -> None:
    judge = Judge(SILENT)
    assert not judge.silent("n", 0, 10_000)
    judge.own_beat(10_000)

    assert not judge.silent("n", 0, 10_600), "its own beat is late"


def test_a_gap_of_its_own_starts_the_count_anew() -> None:
    judge = Judge(SILENT)
    beating(judge, 0, 2000)
    beating(judge, 10_000, 10_800)

    assert not judge.silent("n", 0, 10_999)
    assert judge.silent("n", 0, 11_000)


def test_a_lost_connection_starts_the_count_anew() -> None:
    judge = Judge(SILENT)
    beating(judge, 0, 2000)
    judge.interrupted()
    assert not judge.silent("n", 0, 2010)
    beating(judge, 2100, 2900)

    assert not judge.silent("n", 0, 2999)
    assert judge.silent("n", 0, 3100)


def test_a_process_never_heard_of_is_given_the_whole_time_from_the_first_question_on() -> None:
    judge = Judge(SILENT)
    beating(judge, 0, 2000)
    assert not judge.silent("n", None, 2000)
    beating(judge, 2400, 3200)

    assert not judge.silent("n", None, 2999)
    assert judge.silent("n", None, 3000)


def test_the_memory_of_those_never_heard_of_is_bounded() -> None:
    judge = Judge(SILENT)
    judge.own_beat(0)
    for number in range(MET_MAX + 10):
        judge.silent(str(number), None, 0)

    assert len(judge._met) == MET_MAX


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 900)), max_size=40), st.integers(0, 499))
def test_nobody_who_beats_in_time_is_ever_dead(gaps: list[tuple[bool, int]], shift: int) -> None:
    """Its beats are heard whenever ours are; where `gaps` says so this process hears nothing for a while, then its own beat first."""
    judge, now, heard = Judge(SILENT), 0, None
    for stopped, gap in gaps:
        end = now + (gap * 5 if stopped else 400)
        if stopped:
            now = end
        judge.own_beat(now)
        assert not judge.silent("n", heard, now)
        if stopped:
            heard = max(heard or 0, now - shift)  # what waited for us is read next
        while now < end:
            now = min(now + 400, end)
            judge.own_beat(now)
            heard = max(heard or 0, now - shift)
            assert not judge.silent("n", heard, now)
