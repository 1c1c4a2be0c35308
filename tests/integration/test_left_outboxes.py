"""What stands in an outbox on SQLite although publications leave with their commits there: of an older storage, or of an import.

A real storage process picks it up, dies by SIGKILL anywhere in it, and each publication and job takes effect once, in version order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import encode_item
from causeway_storage.domain.checks import check_commit
from causeway_storage.domain.entity import EntityKey
from support.storage_process import APP, World, world_in
from support.stores import open_sqlite
from support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]
LOT = m.NamespaceSpec(name="lot", history_size=1000, history_ttl_ms=3_600_000)
LEFT, MORE = 3, 3
POINTS = (
    "storage.relay.before_append",
    "storage.append.before_write",
    "storage.append.after_write",
    "storage.feed.after",
    "storage.relay.before_record",
    "storage.relay.after_record",
    "storage.relay.before_clear",
    "storage.relay.after_clear",
)


def commit(version: int) -> m.CommitRequest:
    """Version n publishes the number n, and makes a task."""
    publish = m.PublishItem(channel="lot:7", data=str(version).encode(), size=1000, ttl_ms=3_600_000)
    items = [encode_item(publish), encode_item(m.TaskItem(task="tidy", payload={"n": version}))]
    return m.CommitRequest(kind="lot", id="7", expected=version - 1, commit_id=f"c{version}", state={"n": version}, items=items)


async def whole_log(world: World) -> list[int]:
    page = await world.ask(verbs.HISTORY, m.HistoryRequest(channel="lot:7", limit=1000))
    return [int(each.data) for each in page.publications]


@pytest.mark.parametrize("point", POINTS)
async def test_an_outbox_that_was_left_leaves_once_and_before_what_comes_later(tmp_path: Path, point: str) -> None:
    async with open_sqlite(tmp_path) as older:  # its file is the one that the process serves
        for version in range(1, LEFT + 1):
            checked = check_commit(commit(version), traceparent="", now_ms=1)
            await older.entities.commit(EntityKey(APP, "lot", "7"), checked)
        assert len(await older.entities.outbox(EntityKey(APP, "lot", "7"))) == LEFT

    async with world_in(tmp_path, f"{point}:1") as world:
        await world.announce(LOT)
        for version in range(LEFT + 1, LEFT + MORE + 1):
            assert (await world.ask(verbs.COMMIT, commit(version))).version == version
        await until(lambda: world.deaths() == 1)
        await until(lambda: len(world.ids) == LEFT + MORE, seconds=30)

        assert await whole_log(world) == list(range(1, LEFT + MORE + 1))
        numbers = set()
        for name in world.ids:
            claimed = await world.ask(verbs.CLAIM, m.ClaimRequest(id=name, node="n", lease_ms=60_000))
            assert claimed.record
            numbers.add(claimed.record.payload["n"])
        assert numbers == set(range(1, LEFT + MORE + 1)), "each task once"
