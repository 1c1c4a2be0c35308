"""`snapshot` over the bus, of a real storage process that dies by SIGKILL between a commit and the end of its relay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError
from support.mongo import SERVERS
from support.storage_process import World, world_in
from support.stores import mongo_uri

pytestmark = [pytest.mark.stack, pytest.mark.timeout(90)]
LOT = m.NamespaceSpec(name="lot", history_size=1000, history_ttl_ms=3_600_000)
POINTS = (
    "storage.commit.before_write",
    "storage.commit.after_write",
    "storage.append.before_write",
    "storage.feed.after",
    "storage.relay.before_clear",
    "storage.relay.after_clear",
)
WITH_A_RELAY = (
    "storage.relay.before_append",
    "storage.append.after_write",
    "storage.relay.before_clear",
    "storage.relay.after_clear",
    "storage.snapshot.after_append",
)
"""On MongoDB, where every publication of a commit goes through its outbox."""
COMMITS = 12


async def committed(world: World, version: int) -> None:
    """Version n of the entity publishes the number n; a job beside it keeps something for the relay."""
    publish = m.PublishItem(channel="lot:7", data=str(version).encode(), size=1000, ttl_ms=3_600_000)
    job = m.JobItem(connector="webhook", op="event", payload={})
    items = [encode_item(publish), *([encode_item(job)] if version % 2 else [])]
    request = m.CommitRequest(
        kind="lot", id="7", expected=version - 1, commit_id=f"c{version}", state={"published": version}, items=items
    )
    reply = await world.ask(verbs.COMMIT, request)
    assert (reply.outcome, reply.version) == ("committed", version)


async def taken(world: World) -> m.SnapshotReply:
    return await world.ask(verbs.SNAPSHOT, m.SnapshotRequest(kind="lot", id="7", channel="lot:7"))


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_storage_dies_a_reader_goes_on_from_a_snapshot_without_gap_or_repeat(tmp_path: Path, point: str) -> None:
    await dies_at(tmp_path, point)


@pytest.mark.parametrize("point", WITH_A_RELAY)
async def test_wherever_the_relay_dies_a_reader_goes_on_from_a_snapshot_without_gap_or_repeat(tmp_path: Path, point: str) -> None:
    await dies_at(tmp_path, point, uri=mongo_uri(min(SERVERS), tmp_path))


async def dies_at(tmp_path: Path, point: str, uri: str = "") -> None:
    async with world_in(tmp_path, f"{point}:{1 if 'snapshot' in point else 3}", uri) as world:
        await world.announce(LOT)
        snapshots: list[m.SnapshotReply] = []
        done = asyncio.Event()

        async def look() -> None:
            while not done.is_set():
                snapshots.append(await taken(world))

        looking = asyncio.ensure_future(look())
        for version in range(1, COMMITS + 1):
            await committed(world, version)
        done.set()
        await looking
        assert world.deaths() == 1, "it died there"
        snapshots.append(await taken(world))

        page = await world.ask(verbs.HISTORY, m.HistoryRequest(channel="lot:7", limit=1000))
        assert [int(each.data) for each in page.publications] == list(range(1, COMMITS + 1))
        for each in snapshots:
            state = each.document.state or {"published": 0}
            assert (each.head.head, each.document.version) == (state["published"], state["published"])
        assert snapshots[-1].document.version == COMMITS


async def test_a_snapshot_of_another_apps_channel_is_refused(tmp_path: Path) -> None:
    async with world_in(tmp_path) as world:
        await world.announce(LOT)
        await committed(world, 1)
        with pytest.raises(CausewayError, match="declares no namespace with history"):
            await world.ask(verbs.SNAPSHOT, m.SnapshotRequest(kind="lot", id="7", channel="chat:7"))
