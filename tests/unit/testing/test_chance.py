"""Chance: every order can come up, and the same seed decides the same."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from causeway_testing import Faults
from causeway_testing.faults import Chance

WAITING = ["a", "b", "c", "d"]


def test_without_reordering_and_in_the_calm_the_oldest_goes_on() -> None:
    oldest, calm = Chance(1, Faults()), Chance(1, Faults(1.0, 1.0, 1.0, 1.0, 1.0))
    calm.calm = True

    assert {oldest.pick(WAITING) for _ in range(50)} == {0}
    assert ({calm.pick(WAITING) for _ in range(50)}, calm.fate(), calm.kills()) == ({0}, "arrives", False)


def test_each_one_that_waits_has_its_chance() -> None:
    for focus in (0.0, 0.9):
        picked = Counter(WAITING[Chance(seed, Faults(reorder=1.0), focus=focus).pick(WAITING)] for seed in range(400))
        assert set(picked) == set(WAITING)
        assert min(picked.values()) > 50


def test_a_focus_stays_with_one_activity_most_of_the_time() -> None:
    def changes(focus: float) -> int:
        chance = Chance(3, Faults(reorder=1.0), focus=focus)
        picks = [chance.pick(WAITING) for _ in range(200)]
        return sum(one != other for one, other in pairwise(picks))

    assert changes(0.98) < 40
    assert changes(0.0) > 100


def test_the_same_seed_decides_the_same_and_no_schedule_has_higher_rates_than_asked_for() -> None:
    most = Faults(lose=0.2, repeat=0.1, delay=0.3, reorder=1.0, kill=0.4)
    rates = [Chance.explored(seed, most).faults for seed in range(200)]

    assert rates == [Chance.explored(seed, most).faults for seed in range(200)]
    assert max(each.lose for each in rates) == 0.2
    assert max(each.kill for each in rates) == 0.4
    assert sum(each.kill == 0 for each in rates) > 60
    assert sum(each == Faults(reorder=1.0) for each in rates) > 60


def test_a_process_dies_a_few_times_at_most() -> None:
    chance = Chance(1, Faults(kill=1.0))

    assert [chance.kills() for _ in range(5)] == [True, True, True, False, False]
