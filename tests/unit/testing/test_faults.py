"""Faults on demand: what goes wrong goes wrong as in the real system, and the same way for the same seed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from causeway_testing import AppTester, CallError, Faults, HarnessError
from unit.testing.shop import Item, app, done

EVERYTHING = Faults(lose=0.15, repeat=0.15, delay=0.15, reorder=1.0, kill=0.05)


@asynccontextmanager
async def bought(seed: int, faults: Faults) -> AsyncIterator[AppTester]:
    """Four users buy twice at the same time, while two watch; then everything comes to rest."""
    async with AppTester(app, seed=seed, faults=faults, replicas=2) as tester:
        with tester.undisturbed():
            await tester.user("owner").call("open_item", {"id": "tea", "left": 99})
            for watcher in ("eve", "fay"):
                await tester.user(watcher).subscribe("item:tea")
        users = [tester.user(name) for name in ("ann", "bob", "cem", "dan")]
        await asyncio.gather(*(user.attempt("buy", {"id": "tea"}) for user in users for _ in range(2)))
        with tester.undisturbed():
            await tester.settle()
        yield tester


async def steps_of(seed: int) -> tuple[str, ...]:
    async with bought(seed, EVERYTHING) as tester:
        return tester.steps


async def test_the_same_seed_makes_the_same_run_and_another_one_another() -> None:
    first, again, other = [await steps_of(seed) for seed in (7, 7, 8)]

    assert len(first) > 30
    assert first == again
    assert first != other


def test_a_run_is_the_same_in_another_process() -> None:
    """The order of sets and maps, which differs between processes, decides nothing."""
    code = (
        "import asyncio, hashlib; from unit.testing.test_faults import steps_of; "
        "steps = [asyncio.run(steps_of(seed)) for seed in range(5)]; print(hashlib.sha256(repr(steps).encode()).hexdigest())"
    )
    tests = Path(__file__).parents[2]

    def digest(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tests)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    assert digest("1") == digest("2")


@pytest.mark.parametrize("seed", range(24))
async def test_whatever_is_lost_doubled_late_or_killed_each_sale_is_told_once_and_in_order(seed: int) -> None:
    async with bought(seed, EVERYTHING) as tester:
        sold = tester.entity(Item, "tea").sold
        watched = [user.subscriptions["item:tea"] for user in tester.users if user.name in ("eve", "fay")]
        answered = [call for call in tester.answered if call.method == "buy"]
        accepted = [call.value for call in answered if call.error is None]

        assert len(answered) == 8
        assert len(accepted) <= sold <= 8
        assert len(set(accepted)) == len(accepted), "two buyers were told the same sale"
        assert {call.error.code for call in answered if call.error} <= {100}
        assert all(call.error.temporary for call in answered if call.error)
        for subscription in watched:
            assert [each["left"] for each in subscription.messages] == [99 - number for number in range(1, sold + 1)]
        assert len(tester.jobs) == sold


async def test_a_lost_answer_is_asked_for_again_and_the_commit_happens_once() -> None:
    """Storage's questions may be sent again: only what is lost between client and app is told to the client."""
    again = 0
    for seed in range(30):
        async with AppTester(app, seed=seed, faults=Faults(lose=0.3)) as tester:
            with tester.undisturbed():
                await tester.user("owner").call("open_item", {"id": "tea", "left": 9})
            answer = await tester.user("ann").attempt("buy", {"id": "tea"})
            between = [step for step in tester.steps if step.startswith(("  the question", "  the answer"))]
            assert isinstance(answer, CallError) == bool(between), tester.steps
            assert tester.entity(Item, "tea").sold <= 1
            again += not between and any("lost" in step and "commit" in step for step in tester.steps)

    assert again > 2, "no commit was asked for again in all these runs"


async def test_who_comes_back_while_the_feed_is_behind_gets_each_message_once() -> None:
    for seed in range(30):
        async with AppTester(app, seed=seed, faults=Faults(lose=0.4, delay=0.2, reorder=1.0)) as tester:
            eve, ann = tester.user("eve"), tester.user("ann")
            with tester.undisturbed():
                await tester.user("owner").call("open_item", {"id": "tea", "left": 9})
                await tester.user("fay").subscribe("item:tea")
                watched = await eve.subscribe("item:tea")
            for _ in range(4):
                await ann.attempt("buy", {"id": "tea"})
                eve.disconnect()
                with tester.undisturbed():
                    assert await watched.recover()
            with tester.undisturbed():
                await tester.settle(timedelta(minutes=5))
            assert [each.offset for each in watched.publications] == list(range(1, tester.entity(Item, "tea").sold + 1))


async def test_a_process_that_dies_does_nothing_more() -> None:
    """Not even what needs nothing from outside."""
    died = 0
    for seed in range(20):
        done.clear()
        async with AppTester(app, seed=seed, faults=Faults(kill=0.4)) as tester:
            await tester.user("ann").attempt("linger")
            await tester.advance(seconds=10)
            if any("dies" in step and "get item" in step for step in tester.steps):
                assert done == [], "it died in the middle"
                died += 1

    assert died >= 3


async def test_subscribers_get_what_the_feed_lost() -> None:
    found = False
    for seed in range(20):
        async with bought(seed, Faults(lose=0.3, reorder=1.0)) as tester:
            for user in tester.users:
                for subscription in user.subscriptions.values():
                    offsets = [each.offset for each in subscription.publications]
                    assert offsets == list(range(1, tester.entity(Item, "tea").sold + 1))
            found |= any("feed of item:tea" in step for step in tester.steps)

    assert found, "no feed message was lost in all these runs"


async def test_who_is_answered_by_a_process_that_dies_is_told_for_now_and_the_next_one_answers() -> None:
    async with AppTester(app, seed=1, faults=Faults(kill=1.0), replicas=1) as tester:
        ann = tester.user("ann")
        told = [await ann.attempt("now") for _ in range(4)]

    assert [isinstance(each, CallError) and each.temporary for each in told] == [True, True, True, False]
    assert sum("dies" in step for step in tester.steps) == 3


async def test_services_are_made_anew_in_a_process_that_takes_over() -> None:
    async with AppTester(app, seed=1, faults=Faults(kill=1.0), replicas=1) as tester:
        ann = tester.user("ann")
        await asyncio.gather(*(ann.attempt("now") for _ in range(3)))
        assert await ann.call("rate", "EUR") == 3


async def test_faults_need_a_seed_and_rates_are_rates() -> None:
    with pytest.raises(HarnessError, match="seed"):
        AppTester(app, faults=Faults(lose=0.1))
    with pytest.raises(ValueError, match="kill"):
        Faults(kill=2)
