"""An edit begins with what this process committed last, and never decides by it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Document
from causeway_logic import App, Context, Draft, Reject
from causeway_logic.handlers.documents import Documents
from unit.logic.fakes import Bench


class Door(BaseModel):
    open: bool = True
    passed: int = 0


app = App("doors", version="1.0.0")
runs: list[int] = []


@app.rpc
async def enter(ctx: Context, req: str) -> int:
    def change(draft: Draft[Door]) -> None:
        runs.append(draft.state.passed)
        if not draft.state.open:
            raise Reject(409, "closed")
        if draft.state.passed < 100:
            draft.state.passed += 1

    return (await ctx.entity(Door, req).edit(change)).passed


@app.rpc
async def remove(ctx: Context, req: str) -> None:
    await ctx.entity(Door, req).delete()


class Counting(Bench):
    """Counts loads."""

    def __init__(self) -> None:
        super().__init__(app)
        runs.clear()
        self.loads = 0
        get = self.storage.get

        async def counted(*arguments: Any) -> Document:
            self.loads += 1
            return await get(*arguments)

        self.storage.get = counted  # type: ignore[method-assign, assignment]
        self.storage.put("door", "1", {"open": True, "passed": 0, "newer": "kept"})


@pytest.fixture
def bench() -> Counting:
    return Counting()


def state(bench: Bench) -> Any:
    return bench.storage.entities["door", "1"].state


async def test_the_next_edit_in_the_same_process_need_not_load(bench: Counting) -> None:
    assert [await bench.call("enter", "1") for _ in range(3)] == [1, 2, 3]

    assert bench.loads == 1
    assert state(bench) == {"open": True, "passed": 3, "newer": "kept"}


async def test_a_wrong_guess_is_a_conflict_and_the_change_runs_on_what_came_first(bench: Counting) -> None:
    await bench.call("enter", "1")
    bench.storage.put("door", "1", {"open": True, "passed": 50})

    assert await bench.call("enter", "1") == 51
    assert bench.loads == 1
    assert await bench.call("enter", "1") == 52  # others edit it too: it is loaded again
    assert bench.loads == 2


async def test_a_refusal_by_a_guess_is_asked_again(bench: Counting) -> None:
    bench.dispatcher._documents.keep("door", "1", Document(version=1, state={"open": False}), bench.time_ms)

    assert await bench.call("enter", "1") == 1
    assert bench.loads == 1


async def test_a_guess_that_would_change_nothing_is_asked_again(bench: Counting) -> None:
    bench.dispatcher._documents.keep("door", "1", Document(version=1, state={"open": True, "passed": 100}), bench.time_ms)

    assert await bench.call("enter", "1") == 1
    assert runs == [100, 0]


async def test_a_refusal_that_holds_is_one(bench: Counting) -> None:
    await bench.call("enter", "1")
    bench.storage.put("door", "1", {"open": False, "passed": 1})
    with pytest.raises(CausewayError, match="closed"):
        await bench.call("enter", "1")

    assert runs == [0, 1, 1]


async def test_an_entity_that_was_deleted_here_is_not_guessed(bench: Counting) -> None:
    await bench.call("enter", "1")
    await bench.call("remove", "1")
    with pytest.raises(CausewayError, match="404"):
        await bench.call("enter", "1")


async def test_a_guess_is_good_for_ten_seconds(bench: Counting) -> None:
    await bench.call("enter", "1")
    bench.time_ms += 10_001
    await bench.call("enter", "1")
    bench.time_ms -= 60_000  # a clock that was set back
    await bench.call("enter", "1")

    assert bench.loads == 3


def test_what_is_kept_has_a_bound_and_is_the_takers_alone() -> None:
    documents = Documents(bytes_max=1000)
    for number in range(10):
        documents.keep("k", str(number), Document(version=number + 1, state={"text": "x" * 300}), 0)
    documents.keep("k", "large", Document(version=1, state={"text": "x" * 70_000}), 0)

    assert [number for number in range(10) if documents.take("k", str(number), 0)] == [7, 8, 9]
    assert documents.take("k", "large", 0) is None
    assert documents.take("k", "9", 0) is None
    assert documents._bytes == 0
