"""The small structures: timers fire once and never early, lanes keep order, rooms know who gets what."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from causeway_gateway.domain.lanes import Lanes
from causeway_gateway.domain.wheel import Wheel


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=30),
    st.lists(st.integers(0, 120), min_size=1, max_size=20),
)
def test_every_timer_fires_once_never_early_and_at_most_a_tick_late(
    tick: int, timers: list[tuple[int, bool]], steps: list[int]
) -> None:
    wheel = Wheel(tick, 0)
    fired: list[int] = []
    entries = [
        (index, when, wheel.at(when, partial(fired.append, index)), cancelled) for index, (when, cancelled) in enumerate(timers)
    ]
    for _, _, entry, cancelled in entries:
        if cancelled:
            entry.cancel()
    now = 0
    for step in steps:
        now += step
        for callback in wheel.advance(now):
            callback()
        for index, when, _, cancelled in entries:
            assert not (index in fired and (cancelled or when > now))
            if not cancelled and max(when, 1) + tick <= now:
                assert index in fired
    assert len(fired) == len(set(fired))


def test_a_time_that_has_passed_fires_with_the_next_tick() -> None:
    wheel = Wheel(25, 1000)
    wheel.at(3, lambda: None)

    assert len(wheel.advance(1025)) == 1


@given(st.lists(st.sampled_from(["a", "b", "leave a", "leave b"]), max_size=60))
def test_a_lane_runs_one_at_a_time_in_order(steps: list[str]) -> None:
    lanes: Lanes[int] = Lanes()
    running: dict[str, int] = {}
    came: dict[str, list[int]] = {"a": [], "b": []}
    ran: dict[str, list[int]] = {"a": [], "b": []}
    for number, step in enumerate(steps):
        lane = step[-1]
        if step.startswith("leave"):
            if lane in running:
                following = lanes.leave(lane)
                del running[lane]
                if following is not None:
                    running[lane] = following
                    ran[lane].append(following)
        else:
            came[lane].append(number)
            if lanes.enter(lane, number):
                assert lane not in running
                running[lane] = number
                ran[lane].append(number)
    for lane in ("a", "b"):
        assert ran[lane] == came[lane][: len(ran[lane])]
        assert bool(running.get(lane) is not None) == (len(ran[lane]) > 0 and lane in running)
