"""State machines of storage's ports against simple models: any calls in any order, on each adapter, by two processes where it has two.

The examples share a store; each has names and a time of its own.
"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.epochs import unwritten
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    ClaimRequest,
    Document,
    HistoryRequest,
    NewRecord,
    PublishItem,
    SettleRequest,
)
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.record import Claimed, NotClaimed, RecordLife, Settled, Waits, new_life, plan_claim, plan_settle
from causeway_storage.ports import Committed, Conflicted, DueRecord
from support.models import Machine, World, checked, opened_worlds

TTL = 100
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))


world = opened_worlds()
which = st.integers(0, 1)


class LogsAgainstAModel(Machine):
    """Appends, repeats, trims by size and age, removal, forgetting of ids; history both ways with paging, heads, epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.log: dict[str, list[tuple[int, int]]] = {f"{self.prefix}:{name}": [] for name in "ab"}
        self.heads = dict.fromkeys(self.log, 0)
        self.epochs: dict[str, str] = {}
        self.first: dict[tuple[str, str], tuple[int, int]] = {}

    @rule(
        which=which,
        channel=st.sampled_from("ab"),
        ids=st.lists(st.integers(0, 60), min_size=1, max_size=20),
        size=st.integers(1, 60),
        elapsed=st.integers(0, 40),
    )
    def append(self, which: int, channel: str, ids: list[int], size: int, elapsed: int) -> None:
        self.now += elapsed
        channel = f"{self.prefix}:{channel}"
        items = [AppendItem(id=f"c:{each}", data=b"1") for each in ids]
        request = AppendRequest(channel=channel, size=size, ttl_ms=TTL, items=items)
        appended = self.run(self.store(which).logs.append(request, self.now))
        expected, wrote = [], False
        for item in items:
            if (channel, item.id) not in self.first:
                wrote = True
                self.heads[channel] += 1
                self.first[channel, item.id] = (self.heads[channel], self.now)
                self.log[channel].append((self.heads[channel], self.now))
            expected.append(self.first[channel, item.id][0])
        if wrote:
            self.log[channel] = [each for each in self.log[channel] if each[0] > self.heads[channel] - size]
        assert list(appended.offsets) == expected
        assert self.epochs.setdefault(channel, appended.epoch) == appended.epoch

    @rule(which=which, elapsed=st.integers(0, 200))
    def expire(self, which: int, elapsed: int) -> None:
        self.now += elapsed
        while self.run(self.store(which).logs.remove_expired(self.now, 100)) == 100:
            pass
        self.log = {channel: [each for each in log if each[1] + TTL > self.now] for channel, log in self.log.items()}

    @rule(which=which, channel=st.sampled_from("ab"))
    def remove(self, which: int, channel: str) -> None:
        channel = f"{self.prefix}:{channel}"
        head = self.run(self.store(which).logs.remove(channel))
        assert (head.head, head.floor) == (self.heads[channel],) * 2
        self.log[channel] = []

    @rule(age=st.integers(0, 300))
    def forget(self, age: int) -> None:
        before = self.now - age
        for store in self.world.stores:  # each remembers for itself
            while self.run(store.logs.forget_ids(before, 1000)):
                pass
        forgotten = [key for key, (_, time_ms) in self.first.items() if time_ms < before]
        if len(self.world.stores) > 1 and forgotten:
            self.run(self._reopened())
        for key in forgotten:
            del self.first[key]

    async def _reopened(self) -> None:
        """What one process made the database forget another one may still remember: a repeat is answered for longer, by design."""
        for store in self.world.stores:
            heads = getattr(store.logs, "_heads", None)
            for channel in self.log:
                if heads is not None:
                    heads.stale(channel)

    @rule(which=which, limit=st.integers(1, 70), reverse=st.booleans(), since=st.integers(0, 80))
    def page(self, which: int, limit: int, reverse: bool, since: int) -> None:
        for channel, log in self.log.items():
            request = HistoryRequest(channel=channel, limit=limit, reverse=reverse, since=since)
            reply = self.run(self.store(which).logs.history(request))
            if reverse:
                wanted = [each for each in reversed(log) if not since or each[0] < since]
            else:
                wanted = [each for each in log if each[0] > since]
            assert [(each.offset, each.time_ms) for each in reply.publications] == wanted[:limit]
            assert reply.more == (len(wanted) > limit)

    @invariant()
    def heads_are_the_models(self) -> None:
        for store in self.world.stores:
            store.clock.now_ms = self.now
            told = self.run(store.logs.heads(list(self.log)))
            for head, (channel, log) in zip(told, self.log.items(), strict=True):
                assert (head.head, head.floor) == (self.heads[channel], self.heads[channel] - len(log))
                assert head.epoch == self.epochs.get(channel, unwritten(1, self.now))


class EntitiesAgainstAModel(Machine):
    """Commits, conflicts, repeats, clearing, and the sweep's walk."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [EntityKey("chat", "room", f"{self.prefix}-{number}") for number in range(3)]
        self.versions = dict.fromkeys(self.keys, 0)
        self.states: dict[EntityKey, Any] = {}
        self.commits: dict[tuple[EntityKey, str], int] = {}
        self.outboxes: dict[EntityKey, list[tuple[str, int]]] = {key: [] for key in self.keys}

    @rule(
        which=which,
        number=st.integers(0, 2),
        name=st.integers(0, 30),
        behind=st.sampled_from([0, 0, 0, 1]),
        items=st.integers(0, 3),
        elapsed=st.integers(0, 5),
    )
    def commit(self, which: int, number: int, name: int, behind: int, items: int, elapsed: int) -> None:  # noqa: PLR0917 - hypothesis names them
        self.now += elapsed
        key, expected = self.keys[number], max(self.versions[self.keys[number]] - behind, 0)
        commit = Commit(expected, f"id{name}", {"n": name}, 8, (ITEM,) * items, items, "ann", "trace", self.now)
        outcome = self.run(self.store(which).entities.commit(key, commit))
        if (key, commit.id) in self.commits:
            assert isinstance(outcome, Committed)
            assert (outcome.version, outcome.repeat) == (self.commits[key, commit.id], True)
        elif expected != self.versions[key]:
            assert outcome == Conflicted(self.document(key))
        else:
            self.versions[key] += 1
            self.states[key] = commit.state
            self.commits[key, commit.id] = self.versions[key]
            assert outcome == Committed(self.versions[key])
            if items:
                self.outboxes[key].append((self.run(self.store(which).entities.outbox(key))[-1].id, self.now))

    def document(self, key: EntityKey) -> Document:
        return Document(version=self.versions[key], state=self.states[key]) if self.versions[key] else Document()

    @rule(which=which, number=st.integers(0, 2), keep=st.integers(0, 2), stranger=st.booleans())
    def clear(self, which: int, number: int, keep: int, stranger: bool) -> None:
        key = self.keys[number]
        gone = self.outboxes[key][keep:]
        ids = {name for name, _ in gone} | ({"stranger"} if stranger else set())
        self.run(self.store(which).entities.clear(key, frozenset(ids)))
        self.outboxes[key] = self.outboxes[key][:keep]

    @rule(which=which, limit=st.integers(1, 4), age=st.integers(0, 5))
    def sweep(self, which: int, limit: int, age: int) -> None:
        found: list[tuple[EntityKey, int]] = []
        cursor = ""
        while True:
            page = self.run(self.store(which).entities.pending(self.now - age, cursor, limit))
            found += [(each.key, each.oldest_ms) for each in page.entities if each.key in self.versions]
            cursor = page.cursor
            if not cursor:
                break
        oldest = {key: min(at for _, at in outbox) for key, outbox in self.outboxes.items() if outbox}
        assert [at for _, at in found] == sorted(at for _, at in found)
        assert dict(found) == {key: at for key, at in oldest.items() if at <= self.now - age}
        assert len(found) == len(dict(found))

    @invariant()
    def entities_are_the_models(self) -> None:
        for store in self.world.stores:
            for key in self.keys:
                assert self.run(store.entities.load(key)) == self.document(key)
                outbox = self.run(store.entities.outbox(key))
                assert [(each.id, each.at_ms) for each in outbox] == self.outboxes[key]

    def teardown(self) -> None:
        for key in self.keys:  # the next example's sweeps need not walk over these
            ids = frozenset(name for name, _ in self.outboxes[key])
            self.run(self.world.stores[0].entities.clear(key, ids))


class RecordsAgainstAModel(Machine):
    """Records from their creation until they are removed. What a claim or an end comes to is the domain's own plan."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, RecordLife] = {}

    def record(self, number: int) -> NewRecord:
        name = f"{self.prefix}-{number}"
        return NewRecord(id=name, app="chat", connector="webhook", op="event", payload={"n": number}, traceparent="trace")

    @rule(which=which, numbers=st.sets(st.integers(0, 5), min_size=1), delay=st.integers(0, 30), elapsed=st.integers(0, 10))
    def put(self, which: int, numbers: set[int], delay: int, elapsed: int) -> None:
        self.now += elapsed
        records = [self.record(number) for number in sorted(numbers)]
        new = self.run(self.store(which).records.put(records, (), now_ms=self.now, next_at_ms=self.now + delay))
        assert new == {each.id for each in records} - self.lives.keys()
        self.lives |= {name: new_life(self.now + delay) for name in new}

    @rule(which=which, number=st.integers(0, 5), lease=st.integers(1, 20), elapsed=st.integers(0, 30))
    def claim(self, which: int, number: int, lease: int, elapsed: int) -> None:
        self.now += elapsed
        name = self.record(number).id
        reply = self.run(self.store(which).records.claim(ClaimRequest(id=name, node="n", lease_ms=lease), self.now))
        match plan_claim(self.lives.get(name), now_ms=self.now, lease_ms=lease):
            case Claimed(life):
                self.lives[name] = life
                assert (reply.outcome, reply.record and reply.record.attempts) == ("run", life.attempts)
            case NotClaimed(outcome):
                assert (reply.outcome, reply.record) == (outcome, None)
            case Waits():
                raise AssertionError("these stand in no line")

    @rule(
        which=which,
        number=st.integers(0, 5),
        behind=st.sampled_from([0, 0, 0, 1]),
        outcome=st.sampled_from(["done", "retry", "dead"]),
        delay=st.integers(0, 20),
    )
    def settle(self, which: int, number: int, behind: int, outcome: Literal["done", "retry", "dead"], delay: int) -> None:
        name = self.record(number).id
        attempts = self.lives[name].attempts if name in self.lives else 1
        request = SettleRequest(id=name, attempt=max(attempts - behind, 1), outcome=outcome, delay_ms=delay, note=outcome)
        settled = self.run(self.store(which).records.settle(request, self.now))
        plan = plan_settle(self.lives.get(name), request, now_ms=self.now)
        assert settled == isinstance(plan, Settled)
        if isinstance(plan, Settled):
            self.lives[name] = plan.life

    @precondition(lambda self: self.lives)
    @rule(which=which, delay=st.integers(1, 20), stale=st.booleans(), data=st.data())
    def postpone(self, which: int, delay: int, stale: bool, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.lives)))
        life = self.lives[name]
        read = DueRecord(name, "webhook", "event", life.next_at_ms - stale, "trace", "chat")
        self.run(self.store(which).records.postpone([read], self.now + delay))
        if life.state == "pending" and not stale:
            self.lives[name] = RecordLife(
                life.state, life.attempts, life.settled, life.free_at_ms, self.now + delay, life.note, life.ended_ms
            )

    @rule(which=which, age=st.integers(0, 20))
    def remove_done(self, which: int, age: int) -> None:
        while self.run(self.store(which).records.remove_done(self.now - age, 100)) == 100:
            pass
        self.lives = {name: life for name, life in self.lives.items() if life.state != "done" or life.ended_ms >= self.now - age}

    @rule(which=which, elapsed=st.integers(0, 30))
    def due(self, which: int, elapsed: int) -> None:
        self.now += elapsed
        page = self.run(self.store(which).records.due(self.now, 1000))
        found = [(each.next_at_ms, each.id) for each in page.records if each.id.startswith(f"{self.prefix}-")]
        pending = sorted((life.next_at_ms, name) for name, life in self.lives.items() if life.state == "pending")
        assert sorted(found) == [each for each in pending if each[0] <= self.now]
        assert [at for at, _ in found] == sorted(at for at, _ in found)
        assert page.next_ms == next((at for at, _ in pending if at > self.now), None)

    def teardown(self) -> None:
        """Nothing of this example waits when the next one asks what is due."""
        for name, life in self.lives.items():
            if life.state == "pending":
                at = self.now + 10**6
                claimed = self.run(self.world.stores[0].records.claim(ClaimRequest(id=name, node="n", lease_ms=1), at))
                assert claimed.record is not None
                request = SettleRequest(id=name, attempt=claimed.record.attempts, outcome="dead")
                assert self.run(self.world.stores[0].records.settle(request, at))


@pytest.mark.parametrize("model", [LogsAgainstAModel, EntitiesAgainstAModel, RecordsAgainstAModel])
@pytest.mark.timeout(120)
def test_a_port_behaves_as_its_model(world: World, model: type[Machine]) -> None:
    checked(world, model)
