"""Lines of records: those of one line one after the other, in their order, whatever comes, ends, dies or is put behind; on each adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, NewRecord, RecordsRequest, SettleRequest
from causeway_storage.domain.record import LOOK_AGAIN_MIN_MS
from causeway_storage.ports import Ending
from support.models import Machine, World, checked, opened_worlds
from support.stores import Store

LEASE = 20
world = opened_worlds()
which = st.integers(0, 1)


@dataclass
class Kept:
    """A record as the model has it: whether it waits for others, and until when an attempt of it runs."""

    record: NewRecord
    turn: int
    state: str = "pending"
    attempts: int = 0
    settled: int = 0
    free_at: int = 0

    @property
    def place(self) -> tuple[int, str]:
        return self.turn, self.record.id


class LinesAgainstAModel(Machine):
    """Events that only have a place, what is made of them and waits in a line of its own behind them, and tasks in one line."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Kept] = {}
        self.count = 0

    def line(self, name: str) -> str:
        return f"{self.prefix}:{name}"

    def put(self, which: int, record: NewRecord) -> None:
        store = self.store(which)
        assert self.run(store.records.put([record], (), now_ms=self.now, next_at_ms=self.now)) == {record.id}
        found = self.run(store.desk.find(record.id))
        assert found is not None
        turn = found.record.turn
        assert turn == record.turn or turn > max((each.turn for each in self.kept.values()), default=0), "behind all that is there"
        self.kept[record.id] = Kept(record, turn)

    def new(self, op: str, line: str, behind: str = "", turn: int = 0) -> NewRecord:
        self.count += 1
        name = f"{self.prefix}-{self.count:04}"
        return NewRecord(
            id=name,
            app="chat",
            connector="webhook",
            op=op,
            payload={},
            line=self.line(line),
            turn=turn,
            behind=behind and self.line(behind),
        )

    @rule(which=which, key=st.sampled_from("ab"))
    def event(self, which: int, key: str) -> None:
        self.put(which, self.new("event", key))

    @rule(which=which, key=st.sampled_from("ab"))
    def task(self, which: int, key: str) -> None:
        self.put(which, self.new("task", f"task {key}", f"task {key}"))

    @precondition(lambda self: any(each.record.op == "event" and each.state == "pending" for each in self.kept.values()))
    @rule(which=which, data=st.data(), endpoint=st.sampled_from("xy"))
    def delivery(self, which: int, data: st.DataObject, endpoint: str) -> None:
        """As a fan-out makes it, in whatever order the events are run, and late ones too."""
        names = sorted(name for name, each in self.kept.items() if each.record.op == "event" and each.state == "pending")
        event = self.kept[data.draw(st.sampled_from(names))]
        key = event.record.line.removeprefix(self.line(""))
        self.put(which, self.new("deliver", f"{endpoint} of {key}", key, event.turn))

    def must_wait(self, kept: Kept) -> bool:
        its = kept.record
        if not its.behind:
            return False
        pending = [each for each in self.kept.values() if each.state == "pending" and each is not kept]
        own = [each for each in pending if each.record.line == its.line]
        before = [each for each in pending if its.behind != its.line and each.record.line == its.behind and each.turn < kept.turn]
        return bool(before) or any(
            each.place < kept.place or (each.attempts > each.settled and each.free_at > self.now) for each in own
        )

    @precondition(lambda self: self.kept)
    @rule(which=which, data=st.data(), elapsed=st.integers(0, LEASE))
    def claim(self, which: int, data: st.DataObject, elapsed: int) -> None:
        self.now += elapsed
        names = data.draw(st.lists(st.sampled_from(sorted(self.kept)), min_size=1, max_size=1 if self.by_many else 4, unique=True))
        requests = [ClaimRequest(id=name, node="n", lease_ms=LEASE) for name in names]
        replies = self.run(self.store(which).records.claims(requests, self.now))
        for name, reply in zip(names, replies, strict=True):
            assert isinstance(reply, ClaimReply)
            kept = self.kept[name]
            if kept.state != "pending":
                assert reply.outcome == kept.state
            elif kept.free_at > self.now or self.must_wait(kept):
                assert reply.outcome == "leased"
            else:
                assert (reply.outcome, reply.record and (reply.record.line, reply.record.turn)) == (
                    "run",
                    (kept.record.line, kept.turn),
                )
                kept.attempts += 1
                kept.free_at = self.now + LEASE

    @property
    def by_many(self) -> bool:
        """Several processes: what is claimed at once there may overtake (as the port says)."""
        return len(self.world.stores) > 1

    @precondition(lambda self: any(each.attempts > each.settled for each in self.kept.values()))
    @rule(which=which, data=st.data(), outcome=st.sampled_from(["done", "retry", "dead"]), delay=st.integers(0, 30))
    def settle(self, which: int, data: st.DataObject, outcome: Literal["done", "retry", "dead"], delay: int) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, each in self.kept.items() if each.attempts > each.settled)))
        kept = self.kept[name]
        self.end(self.store(which), kept, outcome, delay)

    def end(self, store: Store, kept: Kept, outcome: Literal["done", "retry", "dead"], delay: int) -> None:
        request = SettleRequest(id=kept.record.id, attempt=kept.attempts, outcome=outcome, delay_ms=delay)
        (ending,) = self.run(store.records.settles([request], self.now))
        assert isinstance(ending, Ending)
        assert ending.settled
        kept.settled = kept.attempts
        if outcome == "retry":
            kept.free_at = self.now + delay
        else:
            kept.state = outcome
        if outcome != "retry":
            free = [
                each
                for each in self.kept.values()
                if each.state == "pending" and each.record.behind == kept.record.line and each.free_at <= self.now
            ]
            ready = {each.record.id for each in free if not self.must_wait(each)}
            assert ready <= {each.id for each in ending.woken}, "whose turn it is now is told"

    @precondition(lambda self: any(each.state == "dead" for each in self.kept.values()))
    @rule(which=which, data=st.data())
    def redrive(self, which: int, data: st.DataObject) -> None:
        """It goes to the end of its line: whoever went on without it is not held."""
        name = data.draw(st.sampled_from(sorted(name for name, each in self.kept.items() if each.state == "dead")))
        store, kept = self.store(which), self.kept[name]
        assert self.run(store.desk.redrive(name, self.now))
        found = self.run(store.desk.find(name))
        assert found is not None
        assert found.record.turn > max(each.turn for each in self.kept.values())
        kept.turn, kept.state, kept.settled, kept.free_at = found.record.turn, "pending", kept.attempts, self.now

    def teardown(self) -> None:
        """Whatever happened, everything comes to its end, each line in its order."""
        store = self.world.stores[0]
        self.now += 10 * LOOK_AGAIN_MIN_MS
        ended: list[Kept] = []
        while pending := [each for each in self.kept.values() if each.state == "pending"]:
            before = len(ended)
            for kept in pending:
                reply = self.run(store.records.claim(ClaimRequest(id=kept.record.id, node="n", lease_ms=LEASE), self.now))
                assert (reply.outcome == "run") == (not self.must_wait(kept))
                if reply.outcome == "run":
                    kept.attempts += 1
                    kept.free_at = self.now + LEASE
                    self.end(store, kept, "done", 0)
                    ended.append(kept)
            assert len(ended) > before, "a line stands still"
        for line in {each.record.line for each in ended if each.record.behind}:
            own = [each.place for each in ended if each.record.line == line]
            assert own == sorted(own)


@pytest.mark.timeout(120)
def test_the_records_of_a_line_run_one_after_the_other_in_its_order(world: World) -> None:
    """Property: never two of a line at once, never one before its turn, and none is left."""
    checked(world, LinesAgainstAModel)


async def test_an_answer_to_many_claims_stays_below_what_the_bus_takes(store: Store) -> None:
    """What would be too much is told to be asked for again, and is still free."""
    records = [NewRecord(id=str(n), app="chat", connector="webhook", op="event", payload={"x": "x" * 200_000}) for n in range(3)]
    await store.records.put(records, (), now_ms=1, next_at_ms=1)
    asked = [ClaimRequest(id=str(n), node="n", lease_ms=LEASE) for n in (0, 1, 2, 3)]

    replies = await store.records.claims(asked, 1)

    assert [isinstance(each, ClaimReply) and each.outcome for each in replies] == ["run", "later", "later", "missing"]
    assert [(await store.records.claim(each, 1)).outcome for each in asked[:3]] == ["leased", "run", "run"]


async def test_of_many_claims_and_ends_a_foreign_one_is_refused_alone(store: Store) -> None:
    records = [
        NewRecord(id=name, app="chat", connector=connector, op="event", payload={}) for name, connector in (("1", "x"), ("2", ""))
    ]
    await store.records.put(records, (), now_ms=1, next_at_ms=1)

    first, second = await store.records.claims([ClaimRequest(id=name, node="n", lease_ms=LEASE) for name in ("1", "2")], 1)
    assert isinstance(first, ClaimReply)
    assert (first.outcome, isinstance(second, CausewayError)) == ("run", True)
    ends = await store.records.settles([SettleRequest(id=name, attempt=1, outcome="done") for name in ("2", "1")], 1)

    assert (isinstance(ends[0], CausewayError), ends[1]) == (True, Ending(settled=True))


async def test_records_are_told_by_their_time_for_one_app_and_operation(store: Store) -> None:
    """In the order in which they were made, those of one moment by their turn; a page goes on behind the cursor of the one before."""
    for at, name in enumerate("dcba"):
        made = [
            NewRecord(id=f"{name}{n}", app=app, connector="webhook", op=op, payload={}, line="l")
            for n, (app, op) in enumerate((("chat", "event"), ("chat", "deliver"), ("shop", "event"), ("chat", "event")))
        ]
        await store.records.put(made[:3], (), now_ms=at + 10, next_at_ms=1)
        await store.records.put(made[3:], (), now_ms=at + 10, next_at_ms=1)
    found: list[str] = []
    after, more = "", True
    while more:
        request = RecordsRequest(
            state="", app="chat", operation="webhook.event", since_ms=11, until_ms=12, by_time=True, limit=3, after=after
        )
        page = await store.desk.page(request)
        found += [each.record.id for each in page.records]
        after, more = page.cursor, page.more

    assert found == ["c0", "c3", "b0", "b3"]
    byid = await store.desk.page(RecordsRequest(state="pending", app="shop", since_ms=12))
    assert [each.record.id for each in byid.records] == ["a2", "b2"]
