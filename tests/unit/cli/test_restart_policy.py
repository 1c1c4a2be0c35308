"""When a process that died is started again."""

from hypothesis import given
from hypothesis import strategies as st

from causeway_cli.dev.policy import LAST_DELAY_SECONDS, WINDOW_SECONDS, RestartPolicy


def delays(*lives: float) -> list[float]:
    """The delays of a process that lived this long each time, its deaths as far apart as lives and delays make them."""
    policy, now, found = RestartPolicy(), 0.0, []
    for life in lives:
        found.append(policy.died(now, now + life))
        now += life + found[-1]
    return found


def test_the_first_two_deaths_restart_at_once_and_from_the_third_it_waits_doubling_to_five_seconds() -> None:
    assert delays(*[0.1] * 9) == [0, 0, 0.5, 1, 2, 4, 5, 5, 5]


def test_ten_seconds_of_life_reset_it() -> None:
    assert delays(0.1, 0.1, 0.1, 0.1, 10, 0.1, 0.1) == [0, 0, 0.5, 1, 0, 0, 0.5]


def test_a_life_just_under_ten_seconds_resets_nothing_once_it_waits() -> None:
    assert delays(0.1, 0.1, 0.1, 9.9) == [0, 0, 0.5, 1]


def test_deaths_more_than_ten_seconds_apart_do_not_add_up() -> None:
    assert delays(9, 9, 9, 9) == [0, 0, 0, 0]


def test_three_deaths_within_ten_seconds_wait_however_long_each_lived() -> None:
    assert delays(4, 4, 1.9) == [0, 0, 0.5]


@given(st.lists(st.floats(0, 30, allow_nan=False), max_size=60))
def test_delays_are_bounded_and_a_long_life_is_always_followed_by_a_start_at_once(lives: list[float]) -> None:
    found = delays(*lives)

    assert all(0 <= delay <= LAST_DELAY_SECONDS for delay in found)
    assert all(delay == 0 for life, delay in zip(lives, found, strict=True) if life > WINDOW_SECONDS + 0.001)
