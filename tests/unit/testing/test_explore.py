"""`explore` finds what breaks an app, and its seed replays it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from causeway_testing import AppTester, BrokenInvariantError, Faults, explore
from unit.testing.planted import Stock, app

SCHEDULES = 10_000
Scenario = Callable[[AppTester], Awaitable[None]]


async def filled(tester: AppTester) -> None:
    tester.calls["payments.create"] = {"id": "p"}
    tester.calls["shop.present"] = {}
    await tester.user("owner").call("fill", 3)


def bought_by(method: str, *users: str) -> Scenario:
    async def scenario(tester: AppTester) -> None:
        await asyncio.gather(*(tester.user(user).attempt(method) for user in users))

    return scenario


def nothing_is_lost(tester: AppTester) -> None:
    stock = tester.entity(Stock, "tea")
    assert stock.left + stock.sold == 3
    told = [call.user for call in tester.answered if call.method.startswith("buy") and call.error is None]
    assert set(told) <= set(stock.buyers)


def who_paid_has_bought(tester: AppTester) -> None:
    paid = {call.payload["payer"] for call in tester.calls.made}
    assert paid <= set(tester.entity(Stock, "tea").buyers)


def what_was_sold_was_told_in_order(tester: AppTester) -> None:
    told = [each.data["sold"] for each in tester.published("stock:tea")]
    assert told == list(range(1, tester.entity(Stock, "tea").sold + 1))


def each_buyer_is_thanked_once(tester: AppTester) -> None:
    """The peer honours keys: calls with the same one are one."""
    presents = {call.key: call.payload["user"] for call in tester.calls.to("shop.present")}
    assert sorted(presents.values()) == sorted(tester.entity(Stock, "tea").buyers)


FAULTS = {
    "a state that was read outside edit": ("buy_what_was_read_before", nothing_is_lost),
    "a call before the commit": ("pay_first", who_paid_has_bought),
    "a publish outside the commit": ("buy_and_tell", what_was_sold_was_told_in_order),
    "a task that is not idempotent": ("buy_and_thank", each_buyer_is_thanked_once),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found_and_replayed_from_its_printed_seed(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    method, invariant = FAULTS[fault]
    scenario = bought_by(method, "ann", "bob", "cem", "dan")
    with pytest.raises(BrokenInvariantError) as found:
        explore(app, scenario, invariant, setup=filled, schedules=SCHEDULES)
    seed = int(capsys.readouterr().out.partition("seed=")[2].partition(",")[0])
    with pytest.raises(BrokenInvariantError) as again:
        explore(app, scenario, invariant, setup=filled, schedules=1, seed=seed)

    assert seed == found.value.seed
    assert again.value.steps == found.value.steps
    assert str(again.value.__cause__) == str(found.value.__cause__)


RIGHT = [("buy", nothing_is_lost), ("buy", what_was_sold_was_told_in_order), ("buy_and_thank_once", each_buyer_is_thanked_once)]


@pytest.mark.parametrize(("method", "invariant"), RIGHT)
def test_the_same_done_right_stands_all_schedules(method: str, invariant: Callable[[AppTester], None]) -> None:
    explored = explore(app, bought_by(method, "ann", "bob", "cem", "dan"), invariant, setup=filled, schedules=200)

    assert explored.schedules == 200


def test_what_the_app_draws_from_random_belongs_to_the_schedule() -> None:
    drawn: list[float] = []

    async def scenario(tester: AppTester) -> None:
        drawn.append(random.random())

    for _ in range(2):
        random.random()
        before = random.getstate()
        explore(app, scenario, lambda _tester: None, schedules=3, seed=7)
        assert random.getstate() == before, "nobody else notices"

    assert drawn[:3] == drawn[3:]
    assert len(set(drawn)) == 3


def test_a_scenario_that_fails_is_told_with_its_seed_and_a_call_that_may_be_tried_again_is_none() -> None:
    async def refused(tester: AppTester) -> None:
        await tester.user("ann").call("buy")

    async def wrong(tester: AppTester) -> None:
        await asyncio.sleep(1)
        raise ValueError("the scenario's own fault")

    with pytest.raises(BrokenInvariantError, match="404"):
        explore(app, refused, lambda _tester: None, schedules=1, faults=Faults())
    with pytest.raises(BrokenInvariantError, match="own fault"):
        explore(app, wrong, lambda _tester: None, schedules=1)
    explored = explore(app, refused, lambda _tester: None, schedules=5, setup=filled, faults=Faults(kill=1.0))
    assert explored.schedules == 5


def test_of_several_schedules_that_fail_the_one_with_the_fewest_steps_is_shown() -> None:
    def seen(schedules: int) -> BrokenInvariantError:
        scenario = bought_by("buy_what_was_read_before", "ann", "bob", "cem")
        with pytest.raises(BrokenInvariantError) as found:
            explore(app, scenario, nothing_is_lost, setup=filled, schedules=schedules, seed=100)
        return found.value

    alone, shortest = seen(10), seen(60)

    assert len(shortest.steps) < len(alone.steps)
    assert "in fewer steps" in str(shortest)


def test_a_handlers_own_fault_stands_beside_the_steps() -> None:
    async def scenario(tester: AppTester) -> None:
        await tester.user("ann").attempt("stumble")

    def answered(tester: AppTester) -> None:
        assert tester.answered[0].error is None

    with pytest.raises(BrokenInvariantError, match="ZeroDivisionError: stumbled"):
        explore(app, scenario, answered, schedules=1, faults=Faults())


async def test_it_runs_within_an_async_test_too() -> None:
    explored = explore(app, bought_by("buy", "ann", "bob"), nothing_is_lost, setup=filled, schedules=3)

    assert explored.schedules == 3
    await asyncio.sleep(0)


def test_a_scenario_that_waits_for_ever_is_told() -> None:
    async def scenario(tester: AppTester) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(BrokenInvariantError, match="for ever"):
        explore(app, scenario, lambda _tester: None, schedules=1)
