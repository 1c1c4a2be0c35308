"""What an app appends and enqueues by itself, over the bus, to a real storage process that may die meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.bus import Deadline
from causeway_common.contracts import messages as m
from causeway_common.contracts import subjects, verbs
from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import now_ms
from support.storage_process import APP, World, world_in
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]
LOT = m.NamespaceSpec(name="lot", history_size=1000, history_ttl_ms=3_600_000)


def task(id: str, due_ms: int = 0, app: str = APP) -> m.EnqueueRequest:
    return m.EnqueueRequest(records=[m.NewRecord(id=id, app=app, connector="", op="tidy", payload={"id": id}, due_ms=due_ms)])


def append(channel: str, id: str) -> m.AppendRequest:
    return m.AppendRequest(channel=channel, size=1000, ttl_ms=3_600_000, items=[m.AppendItem(id=id, data=b"1")])


async def done(world: World, id: str) -> str:
    claimed = await world.ask(verbs.CLAIM, m.ClaimRequest(id=id, node="n", lease_ms=60_000))
    if claimed.record:
        await world.ask(verbs.SETTLE, m.SettleRequest(id=id, attempt=claimed.record.attempts, outcome="done"))
    return claimed.outcome


async def test_an_app_appends_to_its_own_namespaces_and_enqueues_for_itself(tmp_path: Path) -> None:
    async with world_in(tmp_path) as world:
        await world.announce(LOT)
        assert (await world.ask(verbs.APPEND, append("lot:7", "k:1"))).offsets == [1]
        assert (await world.ask(verbs.APPEND, append("lot:7", "k:1"))).repeats == [True]
        assert (await world.ask(verbs.ENQUEUE, task("t1"))).created == 1
        assert (await world.ask(verbs.ENQUEUE, task("t1"))).created == 0

        with pytest.raises(CausewayError, match="permission denied"):
            await world.ask(verbs.APPEND, append("chat:7", "k:1"))
        with pytest.raises(CausewayError, match="begins with c: or k:"):
            await world.ask(verbs.APPEND, append("lot:7", "o:1"))
        with pytest.raises(CausewayError, match="enqueues for itself alone"):
            await world.ask(verbs.ENQUEUE, task("t2", app="chat"))
        await until(lambda: bool(world.ids))
        assert world.ids == {f"a:{APP}:t1"}
        assert await done(world, f"a:{APP}:t1") == "run"


@pytest.mark.parametrize("point", ["storage.delivery.before", "storage.delivery.after"])
async def test_a_task_of_later_is_run_once_at_its_time_wherever_storage_dies_and_whatever_the_stream_lost(
    tmp_path: Path, point: str
) -> None:
    async with world_in(tmp_path, f"{point}:1") as world:
        await world.announce(LOT)  # storage serves
        due = now_ms() + 1500
        for request in (task("later", due), task("much_later", due + 3_600_000)):
            await world.ask(verbs.ENQUEUE, request)
        await world.bus.ask(f"$JS.API.STREAM.PURGE.{subjects.TASKS_STREAM}", b"", Deadline.after(2))

        await until(lambda: world.deaths() == 1)
        await until(lambda: bool(world.ids), seconds=30)

        assert now_ms() >= due
        assert await done(world, f"a:{APP}:later") == "run"
        assert (await world.ask(verbs.ENQUEUE, task("later"))).created == 0
        assert await done(world, f"a:{APP}:later") == "done"
        assert world.ids == {f"a:{APP}:later"}
