"""A call of a method: what reaches the handler, what reaches the caller."""

from __future__ import annotations

import re
from typing import Annotated, Any, cast

import pytest
from pydantic import BaseModel, Field

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_logic import App, Channel, Context, History, Reject
from unit.logic.fakes import Bench


class Line(BaseModel):
    sku: str
    count: Annotated[int, Field(ge=1)]


class Order(BaseModel):
    lines: list[Line]
    note: str = ""


class Placed(BaseModel):
    total: int
    by: str


app = App("shop", version="1.2.3")
lots = app.namespace("lot", history=History(size=10, ttl="7d"), allow_history_for_subscriber=True)
plain = app.namespace("plain")


@app.rpc
async def place(ctx: Context, req: Order) -> Placed:
    return Placed(total=sum(line.count for line in req.lines), by=ctx.user)


@app.rpc(concurrent=True)
async def ping(ctx: Context) -> None:
    assert ctx.client == "client"


@app.rpc
async def refuse(ctx: Context, req: int) -> None:
    raise Reject(req, "not today", temporary=True)


@app.rpc
async def crash(ctx: Context, req: str) -> None:
    raise RuntimeError(f"the secret is {req}")


@app.rpc
async def lie(ctx: Context) -> int:
    return cast("int", "seven")


@app.rpc
async def make_ids(ctx: Context) -> list[str]:
    return [ctx.new_id(), ctx.new_id(), ctx.now().isoformat()]


@lots.on_subscribe
async def may_watch(ctx: Context, channel: Channel) -> None:
    if channel.id != "open":
        raise Reject(403, f"{channel.namespace} {channel.id} is closed")


@pytest.fixture
def bench() -> Bench:
    return Bench(app)


async def test_a_valid_input_reaches_the_handler_and_its_result_the_caller(bench: Bench) -> None:
    answer = await bench.call("place", {"lines": [{"sku": "a", "count": 2}, {"sku": "b", "count": 3}]}, user="ann")

    assert answer == {"total": 5, "by": "ann"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"lines": [{"sku": "a", "count": 1}, {"sku": 7, "count": 1}]}, "lines.1.sku: Input should be a valid string"),
        ({"lines": [{"sku": "a", "count": "1"}]}, "lines.0.count: Input should be a valid integer"),
        ({"lines": [{"sku": "a", "count": 0}]}, "lines.0.count: Input should be greater than or equal to 1"),
        ({}, "lines: Field required"),
        (b"{", "data: Invalid JSON"),
        (b"\xff", "data: Invalid JSON"),
        (b"[" * 100_000, "data: Invalid JSON"),
    ],
)
async def test_a_wrong_input_is_107_with_the_field_and_the_reason(bench: Bench, data: Any, told: str) -> None:
    """Inputs are strict: a number is no string, a string no number."""
    with pytest.raises(CausewayError) as caught:
        await bench.call("place", data)

    assert caught.value.code == 107
    assert told in caught.value.message
    assert not caught.value.temporary


async def test_what_was_wrong_in_the_input_is_not_echoed_and_the_message_is_bounded(bench: Bench) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("place", {"lines": [{"sku": 4242424242, "count": 1}] * 1000})

    assert "4242424242" not in caught.value.message
    assert len(caught.value.message) < 600


async def test_a_method_without_an_input_takes_any(bench: Bench) -> None:
    assert await bench.call("ping", b"") is None


async def test_a_rejection_reaches_the_caller_as_it_is(bench: Bench) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("refuse", 409)

    assert (caught.value.code, caught.value.message, caught.value.temporary) == (409, "not today", True)


@pytest.mark.parametrize("method", ["crash", "lie"])
async def test_anything_else_is_internal_without_its_text(bench: Bench, method: str) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call(method, "hunter2")

    assert caught.value.name is ErrorName.INTERNAL
    assert re.fullmatch(r"internal server error \(trace [0-9a-f]{32}\)", caught.value.message)


async def test_a_code_outside_the_applications_range_is_no_rejection(bench: Bench) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("refuse", 100)

    assert caught.value.name is ErrorName.INTERNAL


async def test_an_unknown_method_is_104(bench: Bench) -> None:
    with pytest.raises(CausewayError) as caught:
        await bench.call("nothing", None)

    assert caught.value.code == 104


async def test_the_ids_of_a_request_are_the_same_when_it_runs_again(bench: Bench) -> None:
    first = await bench.call("make_ids", None, message_id="c:client:7")
    again = await bench.call("make_ids", None, message_id="c:client:7")
    other = await bench.call("make_ids", None, message_id="c:client:8")

    assert first == again
    assert len({*first[:2], *other[:2]}) == 4
    assert first[2] == "2025-01-01T00:00:00+00:00"


async def test_the_subscribe_hook_alone_decides(bench: Bench) -> None:
    await bench.subscribe("lot:open")
    with pytest.raises(CausewayError) as denied:
        await bench.subscribe("lot:a:b")
    with pytest.raises(CausewayError) as unhooked:
        await bench.subscribe("plain:open")
    with pytest.raises(CausewayError) as unknown:
        await bench.subscribe("other:open")

    assert (denied.value.code, denied.value.message) == (403, "lot a:b is closed")
    assert (unhooked.value.code, unknown.value.code) == (103, 102)


def test_the_manifest_says_what_the_app_declares() -> None:
    manifest = app.manifest()

    assert (manifest.app, manifest.version) == ("shop", "1.2.3")
    assert {spec.name: spec.concurrent for spec in manifest.methods}["ping"]
    assert [spec.name for spec in manifest.methods if spec.concurrent] == ["ping"]
    lot, unlogged = manifest.namespaces
    assert (lot.name, lot.history_size, lot.history_ttl_ms, lot.subscribe_hook) == ("lot", 10, 604_800_000, True)
    assert lot.allow_history_for_subscriber
    assert not lot.allow_publish_for_client
    assert not unlogged.has_history
    assert not unlogged.subscribe_hook


def test_a_wrong_declaration_is_refused_with_its_reason() -> None:
    fresh = App("fresh", version="0.1.0")

    async def too_many(ctx: Context, a: int, b: int) -> None: ...

    async def untyped(ctx: Context, req) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    async def Capital(ctx: Context) -> None: ...  # noqa: N802

    with pytest.raises(TypeError, match="at most one input, got a and b"):
        fresh.rpc(too_many)
    with pytest.raises(TypeError, match="parameter req of the method untyped has no annotation"):
        fresh.rpc(untyped)
    with pytest.raises(ValueError, match="a method's name"):
        fresh.rpc(Capital)
    with pytest.raises(ValueError, match="version"):
        App("fresh", version="one")
    with pytest.raises(ValueError, match="name"):
        App("Fresh.app", version="1.0.0")
    fresh.namespace("lot")
    with pytest.raises(ValueError, match="declared once"):
        fresh.namespace("lot")
    with pytest.raises(ValueError, match="duration"):
        History(size=1, ttl="soon")
