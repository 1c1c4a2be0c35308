"""The figures of all processes over ten minutes: on one grid of time, in bounded memory; and what becomes of calls."""

from __future__ import annotations

from typing import Any

import pytest

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Figures, MethodFigures
from causeway_gateway.domain.calls import TOLD_MAX, CallCounts
from causeway_gateway.domain.figures import METHODS_MAX, NODES_MAX, STEP_MS, STEPS, TOGETHER_MS, WINDOW_MS, Board

START = 1_800_000_000_000
LONG_AGO = START - TOGETHER_MS - 1


class World:
    """A board, and the time of day."""

    def __init__(self) -> None:
        self.now = START
        self.board = Board(lambda: self.now)

    def tell(self, frames: int, *, node: str = "a", service: str = "gateway", **more: Any) -> None:
        """A process tells that it received so many messages since it started."""
        figures = {"version": "1", "started_ms": START, "totals": {"gateway.frames.in": frames}, "gauges": {"process.cpu": 5.0}}
        self.board.heard(service, node, Figures(**{**figures, **more}))

    def rates(self, after_ms: int = 0) -> list[float | None]:
        """Messages a second, as far as they are known."""
        first, last = self.board.span(after_ms)
        (line,) = self.board.lines(first, last, {"messages_in_per_s"}, "", "")
        return list(line.values)

    def step(self, steps: int = 1) -> None:
        self.now += steps * STEP_MS


def told(world: World, *totals: int) -> None:
    """One total each step."""
    for total in totals:
        world.tell(total)
        world.step()


def test_counters_become_rates_a_second_and_the_step_that_is_not_over_is_left_out() -> None:
    world = World()
    told(world, 0, 10, 30)
    world.tell(1000)

    assert world.rates() == [None, 5.0, 10.0]


def test_only_what_is_behind_a_time_is_told_again() -> None:
    world = World()
    told(world, 0, 10, 30, 40)

    assert world.rates(after_ms=world.now - 2 * STEP_MS) == [5.0]


def test_a_message_a_little_late_leaves_no_hole_and_a_longer_silence_does() -> None:
    world = World()
    told(world, 0, 10)
    world.step()
    world.tell(30)
    world.step(5)
    world.tell(80)
    world.step()

    assert world.rates() == [None, 5.0, 5.0, 5.0, None, None, None, None, 5.0]


def test_a_counter_that_went_back_is_no_rate() -> None:
    world = World()
    told(world, 10, 0, 10)

    assert world.rates() == [None, None, 5.0]


def test_what_is_older_than_the_window_is_forgotten_and_a_process_that_is_silent_so_long_too() -> None:
    world = World()
    told(world, *range(0, 2 * STEPS * 10, 10))
    first, last = world.board.span(0)
    assert last - first + 1 == STEPS
    assert world.rates() == [5.0] * STEPS
    (node,) = world.board.nodes()
    assert node.state(world.now) == "up"
    world.now += 20_000
    assert node.state(world.now) == "silent"
    world.now += WINDOW_MS
    assert world.board.nodes() == []


def test_a_process_that_leaves_is_told_so_and_one_that_comes_back_is_up() -> None:
    world = World()
    world.tell(0, left=True)
    assert world.board.nodes()[0].state(world.now) == "left"
    world.tell(0)
    assert world.board.nodes()[0].state(world.now) == "up"


def test_there_are_no_more_processes_than_the_board_has_room_for() -> None:
    world = World()
    for number in range(NODES_MAX + 10):
        world.tell(0, node=f"n{number}")

    assert len(world.board.nodes()) == NODES_MAX


def test_a_mean_is_of_what_happened_and_there_is_none_where_nothing_did() -> None:
    world = World()
    for total, count in ((0, 0), (9_000, 3), (9_000, 3)):
        world.tell(0, service="storage", totals={"storage.write_time": total, "storage.writes": count})
        world.step()
    first, last = world.board.span(0)
    (line,) = world.board.lines(first, last, {"write_ms"}, "storage", "a")

    assert line.values == (None, 3.0, None)


def counted(calls: int, errors: int = 0, method: str = "send") -> MethodFigures:
    return MethodFigures(app="chat", method=method, version="1", calls=calls, errors=errors, rejected=0, time_ms=2 * calls)


def test_calls_of_all_gateways_are_added_and_what_was_counted_before_this_one_listened_is_not() -> None:
    world = World()
    world.tell(0, node="old", started_ms=LONG_AGO, methods=[counted(1000)])
    world.tell(0, node="new", methods=[counted(3, 1)])
    world.tell(0, node="old", started_ms=LONG_AGO, methods=[counted(1004)])
    counts = world.board.methods("chat", WINDOW_MS)["chat", "send", "1"]

    assert (counts.calls, counts.errors, counts.time_ms) == (7, 1, 14)
    assert world.board.methods("other", WINDOW_MS) == {}
    world.now += 60_000
    assert world.board.methods("", 30_000)["chat", "send", "1"].calls == 0
    assert world.board.methods("", WINDOW_MS)["chat", "send", "1"].calls == 7


def test_what_a_gateway_that_started_together_with_this_one_counted_is_told_whole() -> None:
    """Its first word of a method may come when it was called twice already, and it may have begun a moment earlier."""
    world = World()
    world.tell(0, node="twin", started_ms=START - 1, methods=[counted(2)])
    assert world.board.methods("chat", WINDOW_MS)["chat", "send", "1"].calls == 2


def test_there_are_no_more_methods_than_the_board_has_room_for() -> None:
    world = World()
    world.tell(0, methods=[counted(1, method=f"m{number}") for number in range(METHODS_MAX + 10)])

    assert len(world.board.methods("", WINDOW_MS)) == METHODS_MAX


@pytest.mark.parametrize(
    ("error", "errors", "rejected"),
    [
        (None, 0, 0),
        (CausewayError(ErrorName.INTERNAL), 1, 0),
        (CausewayError(ErrorName.UNAVAILABLE), 1, 0),
        (CausewayError(ErrorName.REJECTED, "a higher bid stands", code=409), 0, 1),
        (CausewayError(ErrorName.BAD_REQUEST), 0, 1),
    ],
)
def test_a_fault_is_an_error_and_the_apps_own_no_is_none(error: CausewayError | None, errors: int, rejected: int) -> None:
    counts = CallCounts()
    counts.add("chat", "send", "1", error, 5)
    (told_now,) = counts.changed()

    assert (told_now.calls, told_now.errors, told_now.rejected, told_now.time_ms) == (1, errors, rejected, 5)


def test_a_message_tells_a_bounded_number_of_methods_and_the_next_one_the_others() -> None:
    counts = CallCounts()
    for number in range(TOLD_MAX + 1):
        counts.add("chat", f"m{number}", "", None, 1)

    assert [len(counts.changed()) for _ in range(3)] == [TOLD_MAX, 1, 0]
