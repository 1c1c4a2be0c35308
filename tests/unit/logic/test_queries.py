"""Entities with kinds and indexes of their own, queries, deletions, snapshots."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, computed_field

from causeway_common.contracts.errors import CausewayError
from causeway_logic import App, Condition, Context, Deleted, Draft, History, Index, Reject
from causeway_logic.domain.indexes import EntityType, conditions
from unit.logic.durable import DurableBench

app = App("shop", version="1.0.0")
app.namespace("lot", history=History(size=5, ttl="1h"))
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


class Status(enum.StrEnum):
    OPEN = "open"
    SOLD = "sold"


class Lot(BaseModel):
    status: Status = Status.OPEN
    price: int = 0
    closes_at: datetime = NOON
    winner: str | None = None


@dataclass
class Bare:
    value: int = 0
    tags: list[str] = field(default_factory=list)


lots = app.entity(Lot, kind="shop_lot")
by_status = lots.index("status", Status)
by_price = lots.index("price", int)
by_close = lots.index("closes_at", datetime)
by_winner = lots.index("winner", str)
by_half = lots.index("half", float, of=lambda lot: lot.price / 2)
by_sold = lots.index("is_sold", bool, of=lambda lot: lot.status is Status.SOLD)


class Ask(BaseModel):
    id: str = "1"
    to: int = 0
    refuse: bool = False


@app.rpc
async def put(ctx: Context, req: Ask) -> int:
    def change(lot: Draft[Lot]) -> None:
        lot.state.price += req.to
        if lot.state.price > 100:
            lot.state.status, lot.state.winner = Status.SOLD, ctx.user

    return (await ctx.entity(Lot, req.id).edit(change, initial=Lot(price=1))).price


@app.rpc
async def drop(ctx: Context, req: Ask) -> None:
    def last(lot: Draft[Lot]) -> None:
        if req.refuse:
            raise Reject(403, f"not while it is {lot.state.price}")
        lot.publish(f"lot:{req.id}", "gone")

    await ctx.entity(Lot, req.id).delete(last)


@app.rpc
async def look(ctx: Context, req: Ask) -> Lot | None:
    return await ctx.entity(Lot, req.id).find()


@app.rpc
async def snap(ctx: Context, req: Ask) -> list[Any]:
    found = await ctx.snapshot(Lot, req.id, f"lot:{req.id}")
    return [found.state.price, found.version, found.offset, found.epoch]


@pytest.fixture
def bench() -> DurableBench:
    return DurableBench(app)


async def found(bench: DurableBench, *given: Condition, **options: Any) -> list[str]:
    """The ids of all pages."""
    context = Asked(bench)
    ids: list[str] = []
    cursor = ""
    while True:
        page = await context.query(Lot, *given, cursor=cursor, **options)
        ids += [each.id for each in page.items]
        cursor = page.cursor
        if not cursor:
            return ids


class Asked(Context):
    """A context to ask with outside of a handler."""

    __slots__ = ()

    def __init__(self, bench: DurableBench) -> None:
        call = bench.question()
        super().__init__(bench.dispatcher.scope(call.message_id, call.deadline, user="ann"), "", None)  # type: ignore[arg-type]


async def test_an_edit_with_an_initial_state_creates_what_is_not_there_and_changes_what_is(bench: DurableBench) -> None:
    assert await bench.call("put", {"to": 5}) == 6
    assert await bench.call("put", {"to": 5}) == 11
    assert [request.expected for request in bench.storage.seen] == [0, 1]


async def test_an_initial_state_is_new_for_every_run_of_the_change(bench: DurableBench) -> None:
    def other_first(_request: Any) -> None:
        if len(bench.storage.seen) == 1:
            bench.storage.put("shop_lot", "1", {"price": 50})
        elif len(bench.storage.seen) == 2:
            bench.storage.entities.pop(("shop_lot", "1"))  # gone again: the change starts anew

    bench.storage.before_commit = other_first
    assert await bench.call("put", {"to": 5}) == 6
    assert [request.state["price"] for request in bench.storage.seen] == [6, 55, 6]


async def test_every_commit_fills_all_indexes(bench: DurableBench) -> None:
    await bench.call("put", {"to": 200})
    await bench.call("put", {"id": "2"})

    assert bench.storage.seen[0].indexes == {
        "status": "sold", "price": 201, "closes_at": int(NOON.timestamp() * 1000), "winner": "ann", "half": 100.5, "is_sold": True,
    }  # fmt: skip
    assert bench.storage.seen[1].indexes["winner"] is None


async def test_entities_are_found_by_typed_conditions_on_indexes(bench: DurableBench) -> None:
    for name, price in {"a": 1, "b": 50, "c": 150, "d": 300}.items():
        await bench.call("put", {"id": name, "to": price - 1})

    assert await found(bench) == ["a", "b", "c", "d"]
    assert await found(bench, by_status == Status.OPEN) == ["a", "b"]
    assert await found(bench, by_price > 1, by_price <= 150, order=by_price, descending=True) == ["c", "b"]
    assert await found(bench, by_price >= 150, by_price < 300) == ["c"]
    assert await found(bench, by_half == 25) == ["b"]
    assert await found(bench, by_winner == None) == ["a", "b"]  # noqa: E711 - an index, not a value
    assert await found(bench, by_winner == "ann", limit=1) == ["c", "d"]
    assert await found(bench, by_status.one_of([Status.SOLD])) == ["c", "d"]
    assert await found(bench, by_close < NOON + timedelta(seconds=1), by_sold == True) == ["c", "d"]  # noqa: E712 - as above


async def test_a_deletion_publishes_leaves_nothing_and_may_be_refused(bench: DurableBench) -> None:
    await bench.call("put", {"to": 5})
    with pytest.raises(CausewayError, match="not while it is 6"):
        await bench.call("drop", {"refuse": True})
    await bench.call("drop", {}, message_id="m1")

    assert await bench.call("look", {}) is None
    assert len(bench.storage.logs["lot:1"]) == 1
    assert await found(bench) == []
    with pytest.raises(CausewayError) as caught:
        await bench.call("drop", {})
    assert caught.value.code == 404
    assert await bench.call("put", {}) == 1


async def test_a_deletion_whose_answer_was_lost_is_not_refused_by_itself(bench: DurableBench) -> None:
    await bench.call("put", {"to": 5})
    bench.storage.lose_replies = 1
    await bench.call("drop", {})

    assert len(bench.storage.logs["lot:1"]) == 1


async def test_a_snapshot_is_a_state_with_its_channels_position(bench: DurableBench) -> None:
    await bench.call("put", {"to": 5})
    await bench.call("drop", {})
    await bench.call("put", {"to": 7})

    assert await bench.call("snap", {}) == [8, 3, 1, "fake"]
    with pytest.raises(CausewayError) as caught:
        await bench.call("snap", {"id": "2"})
    assert caught.value.code == 404


def test_the_manifest_tells_the_indexes() -> None:
    assert app.manifest().indexes == {"shop_lot": ["closes_at", "half", "is_sold", "price", "status", "winner"]}


@pytest.mark.parametrize(
    ("index", "wrong"), [(by_price, "1"), (by_price, True), (by_winner, 1), (by_sold, 1), (by_close, 5), (by_status, 3)]
)
def test_a_value_of_another_type_is_refused(index: Index[Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match=index.name):
        _ = index == wrong


def test_an_index_of_another_kind_is_refused() -> None:
    other = EntityType(Bare)
    with pytest.raises(ValueError, match="belongs to shop_lot"):
        conditions(other.kind, [by_price > 1])
    with pytest.raises(TypeError, match="comparing an index"):
        conditions(other.kind, [True])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="searched"):
        _ = by_price != 3


def test_an_index_that_cannot_be_is_refused_where_it_is_declared() -> None:
    bare = EntityType(Bare)
    for name in ("id", "Value", ""):
        with pytest.raises(ValueError, match="name"):
            bare.index(name, int)
    with pytest.raises(ValueError, match="no field 'other'"):
        bare.index("other", int)
    with pytest.raises(ValueError, match="holds str, int"):
        bare.index("tags", list)
    for number in range(8):
        bare.index(f"i{number}", int, of=lambda state: state.value)
    with pytest.raises(ValueError, match="8 indexes already"):
        bare.index("value", int)
    with pytest.raises(ValueError, match="declared twice"):
        app.entity(Lot)


class Computed(BaseModel):
    price: int = 2

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.price * 2


def test_an_index_may_hold_a_computed_field() -> None:
    assert EntityType(Computed).index("double", int).value(Computed()) == 4


@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
def test_a_condition_says_what_the_comparison_says(value: int, bound: int) -> None:
    wire = (by_price < bound).wire

    assert (wire.index, wire.op, wire.value) == ("price", "lt", bound)
    assert by_price.value(Lot(price=value)) == value


def test_what_was_deleted_is_a_404() -> None:
    assert (Deleted("lot").code, Deleted("lot").temporary) == (404, False)
