"""Deletion, queries and the audit trail of entities, on every adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.messages import Condition, Document, IndexValue, PublishItem, QueryRequest, Trace
from causeway_storage.domain.entity import TRAIL_MAX, Commit, EntityKey
from causeway_storage.domain.query import cursor_after, encoded, plan_query
from causeway_storage.ports import Committed, Conflicted
from support.models import Machine, World, checked, opened_worlds
from support.stores import Store

KEY = EntityKey("chat", "room", "1")
ITEM = encode_item(PublishItem(channel="chat:1", data=b"1", size=10, ttl_ms=1000))
SECRET = bytes(32)


def commit(
    expected: int,
    id: str,
    *,
    items: int = 0,
    now: int = 0,
    delete: bool = False,
    by: str = "ann",
    indexes: Mapping[str, IndexValue] | None = None,
    remember: int = 0,
) -> Commit:
    state = {} if delete else {"n": id, **(indexes or {})}
    return Commit(
        expected, id, state, 1, (ITEM,) * items, items, by, f"trace-{id}", now, indexes or {}, delete, remember_ms=remember
    )


async def test_the_id_of_a_commit_that_may_come_again_for_hours_is_known_for_hours(store: Store) -> None:
    """A task's last try is made long after the fifteen minutes of a request."""
    hour = 3_600_000
    await store.entities.commit(KEY, commit(0, "task", remember=3 * hour))
    await store.entities.commit(KEY, commit(1, "call"))
    for number in range(2, 6):
        await store.entities.commit(KEY, commit(number, f"id{number}", now=number * hour // 2))

    again = await store.entities.commit(KEY, commit(0, "task", now=5 * hour // 2 + 1))
    assert isinstance(again, Committed)
    assert (again.version, again.repeat) == (1, True)
    forgotten = await store.entities.commit(KEY, commit(1, "call", now=5 * hour // 2 + 1))
    assert isinstance(forgotten, Conflicted)


async def test_a_deleted_entity_is_absent_and_its_outbox_still_leaves(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", items=1))
    assert await store.entities.commit(KEY, commit(1, "b", items=1, delete=True, now=5)) == Committed(2)

    assert await store.entities.load(KEY) == Document()
    assert [each.version for each in await store.entities.outbox(KEY)] == [1, 2]
    assert [each.key for each in (await store.entities.pending(10, "", 10)).entities] == [KEY]
    assert await store.entities.commit(KEY, commit(2, "c")) == Conflicted(Document()), "nothing is there to be changed"
    again = await store.entities.commit(KEY, commit(1, "b", items=1, delete=True, now=5))
    assert again == Committed(2, repeat=True, document=Document())


async def test_an_entity_made_anew_goes_on_with_the_versions_of_its_tombstone(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", items=1))
    await store.entities.commit(KEY, commit(1, "b", delete=True))

    assert await store.entities.commit(KEY, commit(0, "c", items=1)) == Committed(3)
    assert (await store.entities.load(KEY)).version == 3
    assert [each.version for each in await store.entities.outbox(KEY)] == [1, 3]
    assert await store.entities.remove_tombstones(10**9, 10) == 0


async def test_a_tombstone_goes_when_it_is_old_and_its_outbox_is_empty(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", items=1))
    await store.entities.commit(KEY, commit(1, "b", delete=True, now=100))

    assert await store.entities.remove_tombstones(101, 10) == 0, "its outbox waits"
    await store.entities.clear(KEY, frozenset(each.id for each in await store.entities.outbox(KEY)))
    assert await store.entities.remove_tombstones(100, 10) == 0, "a repeat may come"
    assert await store.entities.remove_tombstones(101, 10) == 1
    assert await store.entities.commit(KEY, commit(0, "c")) == Committed(1)


async def test_who_made_the_last_versions_is_kept(store: Store) -> None:
    await store.entities.commit(KEY, commit(0, "a", now=1))
    await store.entities.commit(KEY, commit(1, "b", now=2, delete=True, by="bob"))

    assert await store.entities.trail(KEY) == (
        Trace(version=1, by="ann", at_ms=1, traceparent="trace-a"),
        Trace(version=2, by="bob", at_ms=2, traceparent="trace-b", deleted=True),
    )
    other = EntityKey("chat", "room", "2")
    assert await store.entities.trail(other) == ()
    for version in range(TRAIL_MAX + 3):
        await store.entities.commit(other, commit(version, str(version)))
    assert [each.version for each in await store.entities.trail(other)] == list(range(4, TRAIL_MAX + 4))


async def found(store: Store, request: QueryRequest) -> list[str]:
    """All pages."""
    names: list[str] = []
    key = await store.entities.cursor_key()
    while True:
        query = plan_query("chat", request, key)
        page = await store.entities.query(query)
        names += [each.id for each in page]
        if len(page) < query.limit:
            return names
        request = QueryRequest(
            kind=request.kind,
            where=request.where,
            order=request.order,
            descending=request.descending,
            limit=request.limit,
            cursor=cursor_after(page[-1].entry, query, key),
        )


def ask(*where: Condition, order: str = "", descending: bool = False, limit: int = 2, kind: str = "lot") -> QueryRequest:
    return QueryRequest(kind=kind, where=list(where), order=order, descending=descending, limit=limit)


@pytest.fixture
async def lots(store: Store) -> Store:
    values: Sequence[dict[str, IndexValue]] = (
        {"price": 3, "name": "b"},
        {"price": 1.5, "name": "a"},
        {"price": -2, "name": "ab"},
        {"price": 10, "name": "$gt"},
        {"price": 3, "name": ""},
        {"price": None, "name": "a\0.b"},
        {"price": True},
    )
    for number, each in enumerate(values):
        await store.entities.commit(EntityKey("chat", "lot", str(number)), commit(0, "a", indexes=each))
    await store.entities.commit(EntityKey("chat", "room", "9"), commit(0, "a", indexes={"price": 3}))
    await store.entities.commit(EntityKey("auctions", "lot", "9"), commit(0, "a", indexes={"price": 3}))
    return store


async def test_queries_find_by_equality_ranges_and_lists_in_order(lots: Store) -> None:
    def price(op: str, value: IndexValue | list[IndexValue]) -> Condition:
        assert op in {"eq", "lt", "lte", "gt", "gte", "in"}
        return Condition(index="price", op=op, value=value)  # type: ignore[arg-type] # checked above

    assert await found(lots, ask()) == ["0", "1", "2", "3", "4", "5", "6"]
    assert await found(lots, ask(order="price")) == ["5", "6", "2", "1", "0", "4", "3"]
    assert await found(lots, ask(order="price", descending=True)) == ["3", "4", "0", "1", "2", "6", "5"]
    assert await found(lots, ask(order="name")) == ["4", "3", "1", "5", "2", "0"], "6 has no name"
    assert await found(lots, ask(price("eq", 3.0))) == ["0", "4"]
    assert await found(lots, ask(price("lt", 3), order="price")) == ["2", "1"]
    assert await found(lots, ask(price("lte", 3), order="price")) == ["2", "1", "0", "4"]
    assert await found(lots, ask(price("gt", 3))) == ["3"]
    assert await found(lots, ask(price("gt", 1), price("lt", 10), order="price", descending=True)) == ["4", "0", "1"]
    assert await found(lots, ask(price("in", [10, None, 99]))) == ["3", "5"]
    assert await found(lots, ask(price("in", []))) == []
    assert await found(lots, ask(price("eq", True))) == ["6"]
    assert await found(lots, ask(price("gte", 3), Condition(index="name", op="eq", value="$gt"))) == ["3"]
    assert await found(lots, ask(Condition(index="name", op="eq", value="a\0.b"))) == ["5"]
    assert await found(lots, ask(Condition(index="name", op="gt", value="a"), order="name")) == ["5", "2", "0"]
    assert await found(lots, ask(Condition(index="id", op="gte", value="5"), descending=True)) == ["6", "5"]
    assert await found(lots, ask(Condition(index="none", op="eq", value=1))) == []


async def test_an_entity_is_found_by_its_newest_values_alone_and_not_when_it_is_deleted(lots: Store) -> None:
    key = EntityKey("chat", "lot", "0")
    await lots.entities.commit(key, commit(1, "b", indexes={"price": 77}))
    assert await found(lots, ask(Condition(index="price", op="eq", value=3))) == ["4"]
    assert await found(lots, ask(Condition(index="price", op="eq", value=77))) == ["0"]
    assert await found(lots, ask(Condition(index="name", op="eq", value="b"))) == []

    await lots.entities.commit(key, commit(2, "c", delete=True))

    assert await found(lots, ask(Condition(index="price", op="eq", value=77))) == []
    assert "0" not in await found(lots, ask())


async def test_the_key_of_cursors_is_the_same_for_every_process(store: Store) -> None:
    assert await store.entities.cursor_key() == await store.entities.cursor_key()
    assert len(await store.entities.cursor_key()) == 32


class QueriesAgainstAModel(Machine):
    """Entities that come, change and go, and queries over them."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = f"kind-{self.prefix}"
        self.values: dict[str, dict[str, IndexValue]] = {}
        self.versions: dict[str, int] = {}

    values_drawn = st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, -0.0, 1e300]), st.text("ab\0é", max_size=2)
    )

    @rule(which=st.integers(0, 1), name=st.sampled_from("xyz"), values=st.dictionaries(st.sampled_from(["p", "q"]), values_drawn))
    def commit(self, which: int, name: str, values: dict[str, IndexValue]) -> None:
        self._commit(which, name, commit(self._expected(name), str(self.versions.get(name, 0)), indexes=values))
        self.values[name] = values

    @rule(which=st.integers(0, 1), name=st.sampled_from("xyz"))
    def delete(self, which: int, name: str) -> None:
        if name in self.values:
            self._commit(which, name, commit(self._expected(name), str(self.versions[name]), delete=True))
            del self.values[name]

    def _expected(self, name: str) -> int:
        return self.versions[name] if name in self.values else 0

    def _commit(self, which: int, name: str, made: Commit) -> None:
        self.versions[name] = self.versions.get(name, 0) + 1
        key = EntityKey("chat", self.kind, name)
        assert self.run(self.store(which).entities.commit(key, made)) == Committed(self.versions[name])

    @rule(
        which=st.integers(0, 1),
        index=st.sampled_from(["p", "q", "id"]),
        op=st.sampled_from(["eq", "lt", "lte", "gt", "gte"]),
        value=values_drawn,
        order=st.sampled_from(["", "p", "q"]),
        descending=st.booleans(),
        limit=st.integers(1, 4),
    )
    def ask(self, which: int, index: str, op: str, value: IndexValue, order: str, descending: bool, limit: int) -> None:  # noqa: PLR0917 - hypothesis names them
        condition = Condition(index=index, op=op, value=value)  # type: ignore[arg-type] # as drawn
        request = ask(condition, order=order, descending=descending, limit=limit, kind=self.kind)
        everything = {name: {**values, "id": name} for name, values in self.values.items()}
        meeting = [
            (encoded(values[order or "id"]), name)
            for name, values in everything.items()
            if index in values and (order or "id") in values and _meets(values[index], op, value)
        ]
        assert self.run(found(self.store(which), request)) == [name for _, name in sorted(meeting, reverse=descending)]


def _meets(have: IndexValue, op: str, value: IndexValue) -> bool:
    """Only values of the same type are compared."""
    if _kind(have) != _kind(value):
        return False
    if have is None or value is None:
        return op in {"eq", "lte", "gte"}
    less, equal = have < value, have == value  # type: ignore[operator] # of one type
    return {"eq": equal, "lt": less, "lte": less or equal, "gt": not less and not equal, "gte": not less}[op]


def _kind(value: IndexValue) -> str:
    return "number" if type(value) in {int, float} else type(value).__name__


world = opened_worlds()


@pytest.mark.timeout(120)
def test_queries_behave_as_their_model(world: World) -> None:
    checked(world, QueriesAgainstAModel)
