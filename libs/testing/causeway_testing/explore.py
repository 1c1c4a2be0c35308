"""The search for a schedule that breaks an invariant: in which order concurrent handlers go on, what is lost, and where a process dies.

Each schedule is a run of the whole scenario in a world of its own, every decision of which comes from one seed. No time passes in it
but virtual one, so that the same seed is the same run, step by step.
"""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from structlog.testing import capture_logs

from causeway_logic import App
from causeway_testing.errors import BrokenInvariantError, CallError
from causeway_testing.faults import Chance, Faults
from causeway_testing.tester import AppTester

EVERYTHING: Final = Faults(lose=0.25, repeat=0.25, delay=0.25, reorder=1.0, kill=0.5)
"""The highest rates that a schedule may have; most have lower ones, and half have none."""
SETTLED_AFTER: Final = timedelta(hours=1)
STEPS_TOLD: Final = 200
LOGGED_TOLD: Final = 10
SIMPLER: Final = 50
"""So many more schedules are looked at once one is broken: another one may show the same in fewer steps."""

Scenario = Callable[[AppTester], Awaitable[None]]
Invariant = Callable[[AppTester], Awaitable[None] | None]
Services = Mapping[type[Any], Any] | Callable[[], Mapping[type[Any], Any]]


@dataclass(frozen=True, slots=True)
class Explored:
    """What was looked at without finding anything: so many schedules, and steps in them."""

    schedules: int
    steps: int


def explore(
    app: App,
    scenario: Scenario,
    invariant: Invariant,
    *,
    schedules: int = 10_000,
    seed: int = 0,
    setup: Scenario | None = None,
    services: Services | None = None,
    faults: Faults = EVERYTHING,
    replicas: int = 2,
    settle: timedelta = SETTLED_AFTER,
) -> Explored:
    """Run a scenario under many schedules and check what must hold after each.

    Args:
        app: the app.
        scenario: what users do; those that act at the same time in one `asyncio.gather`. Where a process dies or a message is lost a
            call ends in a temporary CallError: `user.attempt` returns it; one that is raised ends the scenario, and no more.
        invariant: raises (a plain `assert`) where something is broken. Asked after all is at rest and so much time has passed that
            everything durable was tried again.
        schedules: how many at most.
        seed: of the first; the others have the numbers after it.
        setup: what comes before, in order and without faults.
        services: fakes of the app's services, or a function that makes them anew for each schedule.
        faults: the highest rates of what goes wrong.
        replicas: processes of the app.
        settle: how much time passes before the invariant is asked.

    Returns:
        What was looked at.

    Raises:
        BrokenInvariantError: with the seed that replays it, `explore(…, seed=that, schedules=1)`, and the steps that led there.
    """
    steps, manifest, before = 0, app.manifest(), random.getstate()

    def run(number: int) -> _Run:
        random.seed(number)  # what the app draws from it belongs to the schedule too
        made = services() if callable(services) else services
        chance = Chance.explored(number, faults)
        with (
            capture_logs() as lines,  # those of ten thousand schedules are of no use to anybody
            AppTester(app, seed=number, services=made, replicas=replicas, chance=chance, manifest=manifest) as tester,
        ):
            failed = _failure(tester, setup, scenario, lambda: _checked(tester, invariant, settle))
        return _Run(number, failed, tester.steps, lines)

    try:
        for number in range(seed, seed + schedules):
            found = run(number)
            if found.error is not None:
                others = (run(other) for other in range(number + 1, min(number + 1 + SIMPLER, seed + schedules)))
                raise _told(found, min((found, *filter(found.alike, others)), key=_Run.length), number - seed + 1)
            steps += len(found.steps)
    finally:
        random.setstate(before)
    return Explored(schedules, steps)


@dataclass(frozen=True, slots=True)
class _Run:
    """One schedule: what it failed with, what happened in it, what was logged."""

    seed: int
    error: Exception | None
    steps: tuple[str, ...]
    lines: Sequence[Mapping[str, Any]]

    def length(self) -> int:
        """How many steps it has."""
        return len(self.steps)

    def alike(self, other: _Run) -> bool:
        """Whether another one fails in the same way."""
        return type(other.error) is type(self.error)


def _failure(
    tester: AppTester, setup: Scenario | None, scenario: Scenario, check: Callable[[], Coroutine[Any, Any, None]]
) -> Exception | None:
    """One schedule; what it fails with."""
    try:
        tester.run(_prepared(tester, setup))
        tester.run(_schedule(tester, scenario))
        tester.run(check())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        return error
    return None


async def _prepared(tester: AppTester, setup: Scenario | None) -> None:
    with tester.undisturbed():
        if setup is not None:
            await setup(tester)


async def _schedule(tester: AppTester, scenario: Scenario) -> None:
    try:
        await scenario(tester)
    except CallError as error:
        if not error.temporary:
            raise


async def _checked(tester: AppTester, invariant: Invariant, settle: timedelta) -> None:
    with tester.undisturbed():
        await tester.settle(settle)
        checked = invariant(tester)
        if inspect.isawaitable(checked):
            await checked


def _told(first: _Run, shown: _Run, count: int) -> BrokenInvariantError:
    """What is raised: the schedule with the fewest steps of those that were looked at."""
    error, steps = shown.error, [f"  {number:3} {step}" for number, step in enumerate(shown.steps[:STEPS_TOLD], 1)]
    if len(shown.steps) > STEPS_TOLD:
        steps.append(f"  … and {len(shown.steps) - STEPS_TOLD} more")
    logged = [f"  logged: {_logged(line)}" for line in shown.lines if line["log_level"] in ("warning", "error")]
    simpler = "" if shown is first else f", {shown.seed - first.seed} schedules later one in fewer steps"
    head = f"schedule {count} breaks it{simpler} ({type(error).__name__}: {error}); replay it with seed={shown.seed}, schedules=1"
    sys.stdout.write(f"explore: broken, replay it with seed={shown.seed}, schedules=1\n")
    raised = BrokenInvariantError("\n".join([head, *steps, *logged[:LOGGED_TOLD]]), shown.seed, shown.steps)
    raised.__cause__ = error
    return raised


def _logged(line: Mapping[str, Any]) -> str:
    error = line.get("exc_info")
    return f"{line['event']}" + (f" ({type(error).__name__}: {error})" if isinstance(error, BaseException) else "")
