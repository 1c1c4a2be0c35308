"""The verb of the timers that operators look through: who may, what is wanted of all, pages that go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Manifest, NamespaceSpec, TimersRequest
from causeway_storage.adapters.memory import MemoryDatabase, MemoryTimers
from causeway_storage.domain.stored import Timer
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.timers import PAGE_BYTES, PAGES_LOOKED_AT, TIMERS_PAGE, TimerHandlers


class NoApps:
    """No manifests."""

    manifests: Mapping[str, Manifest] = {}
    namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {}


class World:
    """Timers, and who asks for them."""

    def __init__(self) -> None:
        self.timers = MemoryTimers(MemoryDatabase())
        self.handlers = TimerHandlers(self.timers, Access(NoApps()))

    async def put(self, entity: str, at: int, *, app: str = "chat", size: int = 0) -> None:
        payload = {"text": "x" * size}
        await self.timers.put(
            [Timer(app=app, kind="room", entity=entity, name="n", version=1, set_ms=0, at_ms=at, task="shut", payload=payload)]
        )

    async def ask(self, caller: str = "gateway", **asked: object) -> tuple[list[str], str]:
        call = Call({"caller": caller}, "", Deadline.after(4))
        reply = await self.handlers.timers(TimersRequest(**asked), call)  # type: ignore[arg-type]  # fields of the case
        return [each.entity for each in reply.timers], reply.cursor


async def test_timers_are_told_in_pages_with_what_they_call() -> None:
    world = World()
    for entity, at in (("b", 20), ("a", 10), ("c", 30)):
        await world.put(entity, at)
    first, cursor = await world.ask(limit=2)
    second = await world.ask(after=cursor, limit=2)

    assert (first, second) == (["a", "b"], (["c"], ""))


async def test_those_of_an_app_a_kind_and_an_entity_are_found_among_all() -> None:
    world = World()
    await world.put("a", 10)
    await world.put("b", 20)
    await world.put("a", 30, app="auctions")

    assert await world.ask(app="auctions") == (["a"], "")
    assert await world.ask(app="chat", kind="room", entity="b") == (["b"], "")
    assert await world.ask(kind="other") == ([], "")


async def test_a_rare_one_among_very_many_is_looked_for_page_by_page_in_bounded_steps() -> None:
    world = World()
    for number in range(PAGES_LOOKED_AT * TIMERS_PAGE + 1):
        await world.put(f"{number:06}", 1 + number)
    await world.put("rare", 10**6, app="auctions")
    found, cursor = await world.ask(app="auctions")
    assert found == []
    assert cursor
    assert await world.ask(app="auctions", after=cursor) == (["rare"], "")


async def test_large_ones_make_a_short_page() -> None:
    world = World()
    for number in range(4):
        await world.put(str(number), 1 + number, size=PAGE_BYTES // 2)
    found, cursor = await world.ask(limit=10)

    assert len(found) < 4
    assert (await world.ask(after=cursor))[0] == [str(each) for each in range(len(found), 4)]


async def test_only_operators_look() -> None:
    world = World()
    for caller in ("chat", "integrations"):
        with pytest.raises(CausewayError) as caught:
            await world.ask(caller)
        assert caught.value.name is ErrorName.PERMISSION_DENIED
    assert await world.ask("operator") == ([], "")


@pytest.mark.parametrize("after", ["x", "x:k", "-1:k", "99999999999999999:k", "1"])
async def test_a_cursor_that_is_none_is_refused(after: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await World().ask(after=after)
    assert caught.value.name is ErrorName.BAD_REQUEST


@pytest.mark.parametrize("limit", [0, 257])
async def test_a_page_has_a_bound(limit: int) -> None:
    with pytest.raises(CausewayError):
        await asyncio.wait_for(World().ask(limit=limit), 4)
