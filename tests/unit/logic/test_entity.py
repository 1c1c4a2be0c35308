"""Edits: what is committed, what a conflict does, and what survives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from causeway_common.contracts.codec import decode_item
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import CommitRequest, PublishItem
from causeway_logic import App, Context, Draft, History, Reject
from causeway_logic.domain.shape import Shape, merged
from causeway_logic.handlers.locks import EntityLocks
from unit.logic.fakes import Bench


class Colour(BaseModel):
    name: str


class Lot(BaseModel):
    model_config = ConfigDict(extra="forbid")
    price: int = 0
    colour: Colour = Colour(name="red")
    tags: list[Colour] = []


@dataclass(frozen=True)
class BidBook:
    __kind__: ClassVar[str] = "book"
    bids: tuple[int, ...] = field(default=())


app = App("shop", version="1.0.0")
app.namespace("lot", history=History(size=5, ttl="1h"))
app.namespace("plain")


@app.rpc
async def raise_to(ctx: Context, req: int) -> int:
    def change(draft: Draft[Lot]) -> None:
        if req <= draft.state.price:
            raise Reject(409, "a higher bid stands")
        draft.state.price = req
        draft.publish("lot:1", {"price": req})
        draft.enqueue("webhook.event", {"price": req})

    return (await ctx.entity(Lot, "1").edit(change)).price


@app.rpc
async def raise_twice(ctx: Context) -> int:
    def change(draft: Draft[Lot]) -> None:
        draft.state.price += 1

    await ctx.entity(Lot, "1").edit(change)
    return (await ctx.entity(Lot, "1").edit(change)).price


@app.rpc
async def create(ctx: Context, req: int) -> int:
    return (await ctx.entity(Lot, "1").create(Lot(price=req), lambda draft: draft.publish("lot:1", "new"))).price


@app.rpc
async def look(ctx: Context) -> Lot:
    return await ctx.entity(Lot, "1").get()


@app.rpc
async def idle(ctx: Context) -> int:
    return (await ctx.entity(Lot, "1").edit(lambda draft: None)).price


@app.rpc
async def await_inside(ctx: Context, req: bool) -> None:
    async def change(draft: Draft[Lot]) -> None:
        draft.state.price = 1

    hidden: Any = change
    await ctx.entity(Lot, "1").edit((lambda draft: hidden(draft)) if req else hidden)  # noqa: PLW0108 - a lambda hides that it is async


@app.rpc
async def publish_elsewhere(ctx: Context, req: str) -> None:
    await ctx.entity(Lot, "1").edit(lambda draft: draft.publish(req, 1))


@app.rpc
async def book(ctx: Context, req: int) -> None:
    def change(draft: Draft[BidBook]) -> None:
        draft.state = replace(draft.state, bids=(*draft.state.bids, req))

    await ctx.entity(BidBook, "1").edit(change)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(app)
    bench.storage.put("lot", "1", {"price": 10})
    return bench


def state(bench: Bench, kind: str = "lot") -> Any:
    return bench.storage.entities[(kind, "1")].state


async def test_state_publications_and_jobs_leave_in_one_commit(bench: Bench) -> None:
    assert await bench.call("raise_to", 20, user="ann") == 20

    (request,) = bench.storage.seen
    assert (request.expected, request.by, request.state["price"]) == (1, "ann", 20)
    publish, job = map(decode_item, request.items)
    assert publish == PublishItem(channel="lot:1", data=b'{"price":20}', size=5, ttl_ms=3_600_000)
    assert (job.connector, job.op, job.payload) == ("webhook", "event", {"price": 20})  # type: ignore[union-attr]


async def test_a_conflict_runs_the_change_again_on_the_current_document(bench: Bench) -> None:
    def other_first(_request: CommitRequest) -> None:
        bench.storage.before_commit = None
        bench.storage.put("lot", "1", {"price": 30})

    bench.storage.before_commit = other_first
    assert await bench.call("raise_to", 40) == 40
    bench.storage.before_commit = other_first
    bench.storage.put("lot", "1", {"price": 1})
    with pytest.raises(CausewayError) as caught:
        await bench.call("raise_to", 20)

    assert caught.value.code == 409
    assert state(bench)["price"] == 30
    assert len(bench.storage.logs["lot:1"]) == 1
    assert len(bench.pauses) == 2


async def test_all_tries_of_one_edit_carry_one_commit_id(bench: Bench) -> None:
    def other_first(_request: CommitRequest) -> None:
        if len(bench.storage.seen) < 4:
            bench.storage.put("lot", "1", {"price": len(bench.storage.seen)})

    bench.storage.before_commit = other_first
    await bench.call("raise_to", 40)

    assert len({request.commit_id for request in bench.storage.seen}) == 1
    assert len(bench.storage.seen) == 4
    assert bench.pauses == sorted(bench.pauses)


async def test_conflicts_without_end_are_unavailable_at_the_deadline(bench: Bench) -> None:
    bench.storage.before_commit = lambda _request: bench.storage.put("lot", "1", {"price": 1})
    with pytest.raises(CausewayError) as caught:
        await bench.call("raise_to", 40, seconds=0.1)

    assert caught.value.name is ErrorName.UNAVAILABLE
    assert not bench.storage.jobs


async def test_a_lost_reply_does_not_run_the_effect_twice(bench: Bench) -> None:
    """The bus sends the same bytes again; the repeat of our own proposal is our success."""
    bench.storage.lose_replies = 2
    assert await bench.call("raise_to", 40) == 40

    assert len(bench.storage.jobs) == len(bench.storage.logs["lot:1"]) == 1


async def test_a_rerun_of_a_request_changes_nothing_and_sees_what_has_become_of_it(bench: Bench) -> None:
    await bench.call("raise_twice", None, message_id="m1")
    bench.storage.put("lot", "1", {"price": 50})

    assert await bench.call("raise_twice", None, message_id="m1") == 50
    assert await bench.call("raise_twice", None, message_id="m2") == 52
    assert len({request.commit_id for request in bench.storage.seen}) == 4


async def test_create_makes_it_once(bench: Bench) -> None:
    del bench.storage.entities[("lot", "1")]
    with pytest.raises(CausewayError) as missing:
        await bench.call("look", None)
    assert await bench.call("create", 3, message_id="m1") == 3
    assert await bench.call("create", 3, message_id="m1") == 3
    with pytest.raises(CausewayError) as exists:
        await bench.call("create", 4)
    with pytest.raises(CausewayError) as absent:
        await bench.call("book", 4)

    assert (missing.value.code, exists.value.code, absent.value.code) == (404, 409, 404)
    assert (await bench.call("look", None))["price"] == 3
    assert len(bench.storage.logs["lot:1"]) == 1


async def test_a_change_that_changes_nothing_commits_nothing(bench: Bench) -> None:
    bench.storage.put("lot", "1", {"price": 10, "colour": {"name": "red"}, "tags": []})

    assert await bench.call("idle", None) == 10
    assert not bench.storage.seen


@pytest.mark.parametrize("hidden", [True, False])
async def test_a_change_that_awaits_is_refused_with_a_clear_message(bench: Bench, hidden: bool) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("await_inside", hidden)

    assert caught.value.name is ErrorName.INTERNAL
    assert "plain function without await" in str(caught.value.__cause__)
    assert not bench.storage.seen


@pytest.mark.parametrize("channel", ["plain:1", "other:1", "lot", "lot:" + "x" * 255])
async def test_publishing_where_no_log_is_declared_is_the_apps_fault(bench: Bench, channel: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("publish_elsewhere", channel)

    assert isinstance(caught.value.__cause__, ValueError)
    assert not bench.storage.seen


async def test_fields_of_a_newer_version_survive_an_edit(bench: Bench) -> None:
    newer = {
        "price": 10,
        "colour": {"name": "red", "hue": 7},
        "tags": [{"name": "a", "since": 1}, {"name": "b", "since": 2}],
        "reserve": {"price": 5},
    }
    bench.storage.put("lot", "1", newer)
    await bench.call("raise_to", 11)

    assert state(bench) == newer | {"price": 11}


async def test_edits_of_one_entity_wait_for_each_other_within_a_process(bench: Bench) -> None:
    bench.storage.put("book", "1", {"bids": []})
    await asyncio.gather(*(bench.call("book", bid) for bid in range(20)))

    assert sorted(state(bench, "book")["bids"]) == list(range(20))
    assert not bench.pauses


async def test_the_locks_are_bounded_and_leave_nothing_behind() -> None:
    locks = EntityLocks(limit=1)
    async with locks.hold("lot", "1"):
        with pytest.raises(CausewayError) as caught:
            async with locks.hold("lot", "2"):
                raise AssertionError
    async with locks.hold("lot", "2"):
        pass

    assert caught.value.name is ErrorName.OVERLOADED
    assert len(locks) == 0


def test_a_kind_is_declared_or_the_models_name() -> None:
    class HTTPProxyBid(BaseModel):
        pass

    class Odd(BaseModel):
        __kind__ = "Not A Kind"

    assert Shape(Lot).kind == "lot"
    assert Shape(BidBook).kind == "book"
    assert Shape(HTTPProxyBid).kind == "http_proxy_bid"
    with pytest.raises(TypeError, match="set __kind__"):
        Shape(Odd)


def test_a_state_that_does_not_fit_its_model_is_never_written() -> None:
    wrong: Any = "many"
    with pytest.raises(TypeError, match="does not fit"):
        Shape(Lot).dump(Lot.model_construct(price=wrong, colour=Colour(name="red"), tags=[]))
    with pytest.raises(TypeError, match="does not fit"):
        Shape(Lot).load({"price": "many"})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
_map = st.dictionaries(st.sampled_from("abcd"), _json, max_size=4)


@given(_map, _map)
def test_a_merge_of_what_is_fully_known_is_the_new_state(known: Any, new: Any) -> None:
    assert merged(known, known, new) == new


@given(_map, _map, st.dictionaries(st.sampled_from("wxyz"), _json, max_size=3))
def test_a_merge_keeps_what_is_unknown_and_changes_nothing_else(known: Any, new: Any, unknown: Any) -> None:
    """The unknown fields as they were, the known ones as this version says."""
    assert merged(known | unknown, known, new) == new | unknown


def test_a_merge_at_depth_keeps_the_unknown_fields_of_what_stays() -> None:
    stored = {"a": {"b": 1, "z": 9}, "l": [{"n": 1, "z": 1}, {"n": 2, "z": 2}]}
    known = {"a": {"b": 1}, "l": [{"n": 1}, {"n": 2}]}
    new = {"a": {"b": 2}, "l": [{"n": 2}, {"n": 3}]}

    assert merged(stored, known, new) == {"a": {"b": 2, "z": 9}, "l": [{"n": 2, "z": 2}, {"n": 3}]}
