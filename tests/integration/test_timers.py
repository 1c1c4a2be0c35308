"""A timer over real processes: committed over the bus as an app, fired by storage, delivered on CW_TASKS, run by that app alone.

Also with a storage process that dies by SIGKILL at each point between the commit and the task: it is made once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError
from causeway_common.runtime import FAULT_POINTS, now_ms
from support.storage_process import APP, world_in
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]
POINTS = [point for point in FAULT_POINTS if point.startswith("storage.timers") or point.endswith("_timer")]


def close_at(at_ms: int, version: int) -> m.ScheduleItem:
    return m.ScheduleItem(name="close", at_ms=at_ms, task="close_lot", payload={"version": version})


async def test_a_timer_that_a_commit_sets_is_delivered_and_run_by_its_app_alone(tmp_path: Path) -> None:
    async with world_in(tmp_path) as world:
        await world.commit(
            1,
            close_at(now_ms() + 3_600_000, 1),
            m.ScheduleItem(name="never", at_ms=1, task="no", payload={}),
            m.CancelItem(name="never"),
        )
        await world.commit(2, close_at(now_ms() + 300, 2), m.TaskItem(task="announce", payload={"now": True}))
        await until(lambda: len(world.ids) == 2)

        task = {subject.rsplit(".", 1)[1]: name for name, subject in world.delivered}
        assert {subject for _, subject in world.delivered} == {"cw.v1.task.auctions.close_lot", "cw.v1.task.auctions.announce"}
        claim = m.ClaimRequest(id=task["close_lot"], node="n1", lease_ms=60_000)
        for other in ("chat", "integrations"):
            with pytest.raises(CausewayError, match="permission denied"):
                await world.ask(verbs.CLAIM, claim, other)
            with pytest.raises(CausewayError, match="permission denied"):
                await world.ask(verbs.SETTLE, m.SettleRequest(id=claim.id, attempt=1, outcome="done"), other)
        claimed = await world.ask(verbs.CLAIM, claim)
        assert claimed.outcome == "run"
        assert claimed.record
        assert (claimed.record.app, claimed.record.op, claimed.record.payload) == (APP, "close_lot", {"version": 2})
        assert (await world.ask(verbs.SETTLE, m.SettleRequest(id=claim.id, attempt=1, outcome="done"))).settled
        assert (await world.ask(verbs.CLAIM, claim)).outcome == "done"


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_storage_dies_between_a_commit_and_its_timers_task_it_is_made_once(tmp_path: Path, point: str) -> None:
    async with world_in(tmp_path, f"{point}:1") as world:
        await world.commit(1, close_at(now_ms() + 200, 1))
        await until(lambda: world.deaths() == 1)
        await until(lambda: bool(world.ids))
        await world.commit(2, m.TaskItem(task="last", payload={}))
        await until(lambda: any(subject.endswith(".last") for _, subject in world.delivered))

        closing = {name for name, subject in world.delivered if subject.endswith(".close_lot")}
        assert len(closing) == 1
        claimed = await world.ask(verbs.CLAIM, m.ClaimRequest(id=closing.pop(), node="n1", lease_ms=60_000))
        assert claimed.record
        assert (claimed.record.payload, claimed.record.attempts) == ({"version": 1}, 1)
