"""`snapshot`: the version that is answered and the position that comes with it always agree, whoever commits and relays meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    Document,
    Head,
    HistoryRequest,
    Manifest,
    NamespaceSpec,
    PublishItem,
    SnapshotReply,
    SnapshotRequest,
)
from causeway_storage.adapters.mongo import MongoSnapshots
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.relay import plan_relay
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.snapshots import SnapshotHandlers
from causeway_storage.ports import Committed
from support.models import Machine, World, checked, opened_worlds
from support.mongo_process import Process
from support.stores import ALL_OPENERS, Opener, Store

NOW = 5


@pytest.fixture(params=sorted(ALL_OPENERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    return ALL_OPENERS[request.param]


CHAT = NamespaceSpec(name="chat", history_size=100_000, history_ttl_ms=3_600_000)


class Apps:
    """One app with one namespace."""

    manifests: Mapping[str, Manifest] = {name: Manifest(app=name, version="1", methods=[]) for name in ("chat", "auctions")}
    namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {"chat": ("chat", CHAT)}


def handlers(store: Store) -> SnapshotHandlers:
    return SnapshotHandlers(store.snapshots, store.logs, Access(Apps()), lambda _key: None, lambda: NOW)


async def snapshot(store: Store, id: str, caller: str = "chat", channel: str = "") -> SnapshotReply:
    call = Call({"caller": caller, "verb": "snapshot"}, "", Deadline.after(4))
    return await handlers(store).snapshot(SnapshotRequest(kind="room", id=id, channel=channel or f"chat:{id}"), call)


def publications(channel: str, first: int, count: int) -> tuple[dict[str, Any], ...]:
    """The next ones of an entity: each has its number."""
    items = (PublishItem(channel=channel, data=str(first + each).encode(), size=100_000, ttl_ms=3_600_000) for each in range(count))
    return tuple(map(encode_item, items))


def commit(document: Document, id: str, items: Sequence[dict[str, Any]], *, delete: bool = False) -> Commit:
    """Its state says how many publications it and all before it made."""
    count = published(document) + len(items)
    state = {} if delete else {"published": count}
    return Commit(document.version, id, state, 1, tuple(items), len(items), "ann", "trace", NOW, {}, delete)


def published(document: Document) -> int:
    count: int = (document.state or {}).get("published", 0)
    return count


async def relayed(store: Store, key: EntityKey, *, elements: int, clear: bool) -> None:
    """A relay that took only some of the outbox, and may die before it clears what it appended."""
    outbox = (await store.entities.outbox(key))[:elements]
    work = plan_relay(key, outbox)
    for each in work.appends:
        await store.logs.append(each.request, NOW)
    if clear and work.elements:
        await store.entities.clear(key, frozenset(work.elements))


async def log_of(store: Store, channel: str) -> list[int]:
    found: list[int] = []
    while True:
        page = await store.logs.history(HistoryRequest(channel=channel, since=len(found), limit=1000))
        found += [int(each.data) for each in page.publications]
        if not page.more:
            return found


class SnapshotsBetweenTheSteps(Machine):
    """Commits, relays that die anywhere, and snapshots, in every order that can be drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.key = EntityKey("chat", "room", self.prefix)
        self.channel = f"chat:{self.prefix}"
        self.document = Document()
        self.commits = 0

    @rule(which=st.integers(0, 1), count=st.integers(0, 3))
    def commit(self, which: int, count: int) -> None:
        items = publications(self.channel, published(self.document) + 1, count)
        self.commits += 1
        made = commit(self.document, str(self.commits), items)
        assert isinstance(self.run(self.store(which).entities.commit(self.key, made)), Committed)
        self.document = Document(version=self.document.version + 1, state={"published": published(self.document) + count})

    @rule(which=st.integers(0, 1), elements=st.integers(1, 4), clear=st.booleans())
    def relay(self, which: int, elements: int, clear: bool) -> None:
        self.run(relayed(self.store(which), self.key, elements=elements, clear=clear))

    @rule(which=st.integers(0, 1))
    def snapshot(self, which: int) -> None:
        found = self.run(snapshot(self.store(which), self.prefix))
        assert found.document == self.document
        assert found.head.head == published(self.document)

    @invariant()
    def no_publication_is_doubled_or_out_of_order(self) -> None:
        log = self.run(log_of(self.store(0), self.channel))
        assert log == list(range(1, len(log) + 1))


world = opened_worlds(ALL_OPENERS)


@pytest.mark.timeout(120)
def test_whatever_a_dead_relay_left_the_position_is_that_of_the_version(world: World) -> None:
    checked(world, SnapshotsBetweenTheSteps)


COMMITS = 60


@pytest.mark.timeout(60)
async def test_a_reader_of_any_snapshot_goes_on_with_the_next_publication_while_commits_and_relays_race(store: Store) -> None:
    """It applies what comes after the position: exactly the later states, none missing and none twice."""
    key, done = EntityKey("chat", "room", "1"), asyncio.Event()

    async def write() -> None:
        document = Document()
        for number in range(COMMITS):
            items = publications("chat:1", published(document) + 1, number % 3)
            made = commit(document, f"c{number}", items)
            await store.entities.commit(key, made)
            document = Document(version=number + 1, state=made.state)
        done.set()

    async def relay() -> None:
        while not done.is_set():
            await relayed(store, key, elements=4, clear=True)
            await asyncio.sleep(0)

    async def look() -> list[SnapshotReply]:
        taken = [await snapshot(store, "1")]
        while not done.is_set():
            taken.append(await snapshot(store, "1"))
            await asyncio.sleep(0)
        return taken

    _, _, _, first, second = await asyncio.gather(write(), relay(), relay(), look(), look())
    await relayed(store, key, elements=COMMITS, clear=True)

    log = await log_of(store, "chat:1")
    assert log == list(range(1, COMMITS + 1)), "each commit made 0, 1 or 2 of them"
    for each in (*first, *second):
        state = published(each.document)
        for number in log[each.head.head :]:
            assert number == state + 1
            state = number
        assert state == COMMITS
    assert max(each.document.version for each in (*first, *second)) > 0


async def test_an_entity_that_is_not_there_or_was_deleted_has_a_position_too(store: Store) -> None:
    key = EntityKey("chat", "room", "1")
    absent = await snapshot(store, "1")
    assert (absent.document, absent.head.head) == (Document(), 0)
    await store.entities.commit(key, commit(Document(), "a", publications("chat:1", 1, 2)))
    await store.entities.commit(key, commit(Document(version=1), "b", publications("chat:1", 3, 1), delete=True))

    deleted = await snapshot(store, "1")

    assert (deleted.document, deleted.head.head) == (Document(), 3)


async def test_what_waits_for_another_channel_does_not_matter(store: Store) -> None:
    key = EntityKey("chat", "room", "1")
    await store.entities.commit(key, commit(Document(), "a", publications("chat:other", 1, 2)))

    assert (await snapshot(store, "1")).head.head == 0
    assert (await store.logs.heads(["chat:other"]))[0].head in {0, 2}


async def test_a_publication_behind_an_item_of_a_later_version_makes_the_snapshot_wait_for_that_process(store: Store) -> None:
    key = EntityKey("chat", "room", "1")
    items = ({"kind": "hologram"}, *publications("chat:1", 1, 1))
    await store.entities.commit(key, commit(Document(), "a", items))

    with pytest.raises(CausewayError, match="newer process") as caught:
        await snapshot(store, "1")
    assert caught.value.name is ErrorName.UNAVAILABLE
    assert (await snapshot(store, "1", channel="chat:2")).document.version == 1


@pytest.mark.parametrize(("caller", "channel"), [("auctions", "chat:1"), ("gateway", "chat:1"), ("chat", "other:1")])
async def test_only_the_app_that_owns_the_channel_is_answered(store: Store, caller: str, channel: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await snapshot(store, "1", caller, channel)
    assert caught.value.name is ErrorName.PERMISSION_DENIED


async def test_on_mongodb_a_commit_that_comes_and_leaves_between_the_reads_is_seen(
    one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, heads = EntityKey("chat", "room", "1"), one.logs.heads
    store = Process(one.database)
    await one.entities.commit(key, commit(Document(), "a", ()))

    async def meanwhile(channels: Sequence[str]) -> list[Head]:
        monkeypatch.undo()
        await store.entities.commit(key, commit(Document(version=1), "b", publications("chat:1", 1, 2)))
        outbox = await store.entities.outbox(key)
        await store.logs.append(plan_relay(key, outbox).appends[0].request, NOW)
        await store.entities.clear(key, frozenset(each.id for each in outbox))
        return await heads(channels)

    monkeypatch.setattr(one.logs, "heads", meanwhile)
    look = await MongoSnapshots(one.entities, one.logs).look(key, "chat:1")

    assert look.head
    assert (look.document.version, published(look.document), look.head.head) == (2, 2, 2)
