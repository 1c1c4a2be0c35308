"""State machines of storage's ports: the processes they ask, and how they are run. The examples share a store; each has its own names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from support.stores import ALL_OPENERS, OPENERS, Store

T = TypeVar("T")
example_numbers = count(1)


class World:
    """The opened processes, on a loop of their own."""

    def __init__(self, name: str, directory: Path) -> None:
        opener = ALL_OPENERS[name]
        self.examples = {"memory": 50, "sqlite": 20}.get(name.partition("-")[0], 10)
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.stores: list[Store] = []
        try:
            for _ in range(1 if name.startswith("sqlite") else 2):  # SQLite has an exclusive lock
                self.stores.append(self.run(self._stack.enter_async_context(opener(directory))))
        except BaseException:
            self.close()
            raise

    def run(self, work: Awaitable[T]) -> T:
        """Wait for it."""

        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def close(self) -> None:
        """Close the processes."""
        self.run(self._stack.aclose())
        self.runner.close()


def opened_worlds(openers: Iterable[str] = OPENERS) -> Callable[..., Any]:
    """A fixture of a test module: each adapter, opened once."""

    @pytest.fixture(params=sorted(openers), scope="module")
    def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
        opened = World(request.param, tmp_path_factory.mktemp(request.param))
        yield opened
        opened.close()

    return world


class Machine(RuleBasedStateMachine):
    """An example: its names begin with `prefix`, its time of day with `now`."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.number = next(example_numbers)
        self.prefix = f"e{self.number}"
        self.now = self.number * 10**9

    def run(self, work: Awaitable[T]) -> T:
        """Wait for it."""
        return self.world.run(work)

    def store(self, which: int) -> Store:
        """One of the processes."""
        return self.world.stores[which % len(self.world.stores)]


def checked(world: World, model: type[Machine]) -> None:
    """Run the model on a world."""
    machine = type("BoundMachine", (model,), {"world": world})
    slow = [HealthCheck.too_slow]
    chosen = settings(max_examples=world.examples, stateful_step_count=30, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(machine, settings=chosen)
