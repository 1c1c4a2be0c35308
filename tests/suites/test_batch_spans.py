"""A batched write is a span in each request's trace, linked to the batch's own, on SQLite and on MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from causeway_common.contracts.messages import AppendItem, AppendRequest
from causeway_common.telemetry import names, span, spans
from support.mongo import SERVERS
from support.stores import ALL_OPENERS, Store


@pytest.fixture(params=["sqlite", min(SERVERS)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with ALL_OPENERS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> list[ReadableSpan]:
    found: list[ReadableSpan] = []
    monkeypatch.setattr(spans, "_recording", spans._Recording())
    spans.record(found.append, Resource.get_empty())
    return found


async def appended(store: Store, channel: str, parent: str | None = None) -> None:
    with span("request", parent=parent):
        items = [AppendItem(id="c:1", data=b"1")]
        await store.logs.append(AppendRequest(channel=channel, size=9, ttl_ms=1000, items=items), 1)


async def test_each_request_of_a_batch_has_its_own_write_span_that_links_to_the_batch(
    store: Store, finished: list[ReadableSpan]
) -> None:
    await asyncio.gather(*(appended(store, f"demo:{number}") for number in range(3)))

    requests = {each.context.trace_id for each in finished if each.name == "request" and each.context}
    writes = [each for each in finished if each.name.startswith("append ") and each.links]
    batches = {each.context.span_id: each for each in finished if each.name.startswith("batch ") and each.context}
    assert len(requests) == 3
    assert {each.context.trace_id for each in writes if each.context} == requests
    assert {link.context.span_id for each in writes for link in each.links} == set(batches)
    for batch in batches.values():
        assert batch.context is not None
        assert batch.context.trace_id not in requests
        assert (batch.attributes or {})[names.DB_BATCH_SIZE] in {1, 2, 3}


async def test_a_request_that_is_not_sampled_makes_no_span_of_its_batch(store: Store, finished: list[ReadableSpan]) -> None:
    await appended(store, "demo:a", "00-" + "a" * 32 + "-" + "b" * 16 + "-00")

    assert [each.name for each in finished if each.name.startswith(("append", "batch"))] == []
