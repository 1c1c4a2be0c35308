"""Which shards a process serves as others come and go, over a stand-in for the subscriptions."""

from __future__ import annotations

import pytest

from causeway_common.contracts.errors import CausewayError, unavailable
from causeway_common.contracts.shards import SHARDS, shards_of
from causeway_storage.handlers.ownership import BEAT_SECONDS, LOOK_SECONDS, SILENT_MS, Ownership

EVERY = frozenset(range(SHARDS))


class PlayedShards:
    def __init__(self) -> None:
        self.held: frozenset[int] = frozenset()
        self.failing = False
        self.steps: list[str] = []

    async def take(self, shards: frozenset[int]) -> None:
        self.steps.append("take")
        if self.failing:
            raise unavailable("away")
        self.held |= shards

    async def release(self, shards: frozenset[int]) -> None:
        self.steps.append("release")
        self.held -= shards


class World:
    def __init__(self) -> None:
        self.shards, self.living, self.gains = PlayedShards(), {"me"}, 0
        self.ownership = Ownership(self.shards, "me", lambda: self.living)
        self.ownership.on_gain(self.gained)

    def gained(self) -> None:
        self.gains += 1

    async def sees(self, *living: str) -> frozenset[int]:
        self.living = set(living)
        await self.ownership.step()
        return self.shards.held


def test_a_process_that_died_is_replaced_within_two_heartbeats() -> None:
    """Of its last beat it is heard for so long, and the others look so often."""
    assert SILENT_MS / 1000 + LOOK_SECONDS <= 2 * BEAT_SECONDS
    assert SILENT_MS / 1000 > BEAT_SECONDS, "one beat that comes late moves nothing"


async def test_a_lone_process_serves_every_shard() -> None:
    world = World()

    assert await world.sees("me") == EVERY
    assert world.ownership.owns(0)


async def test_shards_move_when_another_joins_and_come_back_when_it_goes() -> None:
    world = World()

    await world.sees("me")
    assert await world.sees("me", "other") == EVERY - shards_of("other", {"me", "other"})
    assert not world.ownership.owns(next(iter(shards_of("other", {"me", "other"}))))
    assert await world.sees("me") == EVERY
    assert world.gains == 2, "what the dead left is looked for at once; giving away needs no such look"


async def test_what_is_gained_is_served_before_the_rest_is_given_away() -> None:
    world = World()

    await world.sees("me", "a")
    await world.sees("me", "b")

    assert world.shards.steps[-2:] == ["take", "release"]


async def test_a_process_that_does_not_hear_itself_draws_no_conclusion_from_the_others_silence() -> None:
    world = World()
    share = await world.sees("me", "other")

    assert await world.sees() == share
    assert await world.sees("other") == share


async def test_a_process_owns_nothing_before_it_was_heard() -> None:
    assert await World().sees("other") == frozenset()


async def test_a_step_that_fails_is_done_again() -> None:
    world = World()
    world.shards.failing = True
    with pytest.raises(CausewayError):
        await world.sees("me")
    world.shards.failing = False

    assert await world.sees("me") == EVERY


async def test_a_leaving_process_serves_no_shard() -> None:
    world = World()
    await world.sees("me")

    await world.ownership.leave()

    assert world.shards.held == frozenset()
