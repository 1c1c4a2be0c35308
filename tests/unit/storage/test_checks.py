"""What a request must be: every bound is refused as 107 before anything is written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.codec import encode, encode_item
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    CancelItem,
    ClaimRequest,
    ClientInfo,
    CommitRequest,
    EnqueueRequest,
    FeedPublication,
    HeadsRequest,
    HistoryRequest,
    JobItem,
    NewRecord,
    PublishItem,
    ScheduleItem,
    SettleRequest,
    TaskItem,
)
from causeway_storage.domain import checks
from causeway_storage.domain.packing import pack, require_plain, unpack

GOOD_APPEND = AppendRequest(channel="demo:a", size=1, ttl_ms=1, items=[AppendItem(id="c:1", data=b'{"a": 1}')])
GOOD_COMMIT = CommitRequest(kind="room", id="1", expected=0, commit_id="a", state={"x": [1, None, {"y": b"z"}]})
GOOD_RECORD = NewRecord(id="r", app="chat", connector="webhook", op="event", payload={})
changed = msgspec.structs.replace


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CausewayError) as caught:
        call(*args, **kwargs)
    assert caught.value.name is ErrorName.BAD_REQUEST
    return caught.value.message


def item(**fields: Any) -> AppendRequest:
    return changed(GOOD_APPEND, items=[changed(GOOD_APPEND.items[0], **fields)])


@pytest.mark.parametrize(
    "request_",
    [
        changed(GOOD_APPEND, channel=""),
        changed(GOOD_APPEND, channel="ü" * 128),
        changed(GOOD_APPEND, size=0),
        changed(GOOD_APPEND, size=2**63),
        changed(GOOD_APPEND, ttl_ms=0),
        changed(GOOD_APPEND, items=[]),
        changed(GOOD_APPEND, items=GOOD_APPEND.items * 257),
        item(id="o:1"),
        item(id="x"),
        item(id=""),
        item(id="c:" + "x" * 256),
        item(data=b""),
        item(data=b'{"a": 1} 2'),
        item(data=b'"\xff"'),
        item(data=b'"' + b"x" * 256 * 1024 + b'"'),
        item(tags={"a": "x" * 256 * 1024}),
        item(info=ClientInfo(user="u", client="c", conn_info=b"{")),
        item(info=ClientInfo(user="u", client="c", chan_info=b"x" * 256 * 1024)),
    ],
)
def test_an_append_that_breaks_a_bound_is_refused(request_: AppendRequest) -> None:
    refused(checks.check_append, request_, prefixes=("c:", "k:"))


def test_an_appends_data_comes_out_on_one_line() -> None:
    info = ClientInfo(user="u", client="c", conn_info=b"[1,\n2]")
    checked = checks.check_append(item(data=b'{\r\n"a": 1}', info=info), prefixes=("c:",))

    assert checked.items[0].data == b'{"a": 1}'
    assert checked.items[0].info == changed(info, conn_info=b"[1,2]")


def test_the_largest_publication_that_is_taken_fits_the_bus_on_its_way_out() -> None:
    data = b'"' + b"x" * (checks.PAYLOAD_MAX_BYTES - 2) + b'"'
    checked = checks.check_append(changed(item(data=data), channel="x" * 255), prefixes=("c:",))

    encode(FeedPublication(channel=checked.channel, data=checked.items[0].data, epoch="e", offset=1))


@pytest.mark.parametrize(
    "request_",
    [
        changed(GOOD_COMMIT, kind=""),
        changed(GOOD_COMMIT, kind="x" * 65),
        changed(GOOD_COMMIT, id=""),
        changed(GOOD_COMMIT, id="x" * 256),
        changed(GOOD_COMMIT, expected=-1),
        changed(GOOD_COMMIT, expected=2**63),
        changed(GOOD_COMMIT, commit_id=""),
        changed(GOOD_COMMIT, commit_id="x" * 257),
        changed(GOOD_COMMIT, by="x" * 1025),
        changed(GOOD_COMMIT, state={"x": "x" * 512 * 1024}),
        changed(GOOD_COMMIT, state={"x": {1: 2}}),
        changed(GOOD_COMMIT, state={"x": msgspec.msgpack.Ext(5, b"")}),
        changed(GOOD_COMMIT, items=[{"kind": "later"}] * 257),
        changed(GOOD_COMMIT, items=[{"kind": "later", "x": "x" * 1024}] * 256),
        changed(GOOD_COMMIT, items=[{"kind": "publish", "channel": "a"}]),
        changed(GOOD_COMMIT, items=[encode_item(PublishItem(channel="chat:1", data=b"{", size=1, ttl_ms=1))]),
        changed(GOOD_COMMIT, items=[encode_item(PublishItem(channel="chat:1", data=b"1", size=0, ttl_ms=1))]),
        changed(GOOD_COMMIT, items=[encode_item(JobItem(connector="a.b", op="c", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(JobItem(connector="a", op="*", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(JobItem(connector="", op="c", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(TaskItem(task="a.b", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(TaskItem(task="a", payload={})) | {"payload": [1]}]),
        changed(GOOD_COMMIT, items=[encode_item(ScheduleItem(name="", at_ms=1, task="a", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(ScheduleItem(name="x" * 256, at_ms=1, task="a", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(ScheduleItem(name="a", at_ms=0, task="a", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(ScheduleItem(name="a", at_ms=2**53, task="a", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(ScheduleItem(name="a", at_ms=1, task="", payload={}))]),
        changed(GOOD_COMMIT, items=[encode_item(CancelItem(name=""))]),
    ],
)
def test_a_commit_that_breaks_a_bound_is_refused(request_: CommitRequest) -> None:
    def check() -> None:
        checks.check_entity("chat", request_.kind, request_.id)
        checks.check_commit(request_, traceparent="", now_ms=0)

    refused(check)


def test_a_commits_items_keep_fields_and_kinds_that_are_not_known_here() -> None:
    known = encode_item(PublishItem(channel="chat:1", data=b"[\n]", size=1, ttl_ms=1)) | {"later": 1}
    commit = checks.check_commit(changed(GOOD_COMMIT, items=[known, {"kind": "timer", "at": 5}]), traceparent="t", now_ms=7)

    assert commit.items == (known | {"data": b"[]"}, {"kind": "timer", "at": 5})
    assert commit.items_bytes == sum(len(pack(each)) for each in commit.items)


def test_states_nested_too_deep_are_refused() -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]

    assert "nested" in refused(require_plain, {"x": deep}, "state", 1000)


@pytest.mark.parametrize(
    "request_",
    [
        EnqueueRequest(records=[]),
        EnqueueRequest(records=[GOOD_RECORD] * 257),
        EnqueueRequest(records=[changed(GOOD_RECORD, id="")]),
        EnqueueRequest(records=[changed(GOOD_RECORD, app="*")]),
        EnqueueRequest(records=[changed(GOOD_RECORD, connector=">")]),
        EnqueueRequest(records=[changed(GOOD_RECORD, due_ms=-1)]),
        EnqueueRequest(records=[changed(GOOD_RECORD, connector="", op="")]),
        EnqueueRequest(records=[changed(GOOD_RECORD, op="a.b")]),
        EnqueueRequest(records=[changed(GOOD_RECORD, payload={"x": "x" * 256 * 1024})]),
        EnqueueRequest(records=[changed(GOOD_RECORD, traceparent="x" * 65)]),
    ],
)
def test_records_that_break_a_bound_are_refused(request_: EnqueueRequest) -> None:
    refused(checks.check_enqueue, request_)


def test_a_task_may_be_enqueued_and_is_no_job() -> None:
    task = changed(GOOD_RECORD, connector="")
    checks.check_enqueue(EnqueueRequest(records=[task]))
    refused(checks.check_record, task)


def test_questions_that_break_a_bound_are_refused() -> None:
    refused(checks.check_heads, HeadsRequest(channels=["a"] * 513))
    refused(checks.check_heads, HeadsRequest(channels=[""]))
    refused(checks.check_history, HistoryRequest(channel=""))
    refused(checks.check_history, HistoryRequest(channel="a", since=-1))
    refused(checks.check_history, HistoryRequest(channel="a", limit=2**64))
    refused(checks.check_claim, ClaimRequest(id="a", node="n", lease_ms=0))
    refused(checks.check_claim, ClaimRequest(id="a", node="", lease_ms=1))
    refused(checks.check_settle, SettleRequest(id="a", attempt=0, outcome="done"))
    refused(checks.check_settle, SettleRequest(id="a", attempt=1, outcome="retry", delay_ms=-1))
    refused(checks.check_settle, SettleRequest(id="a", attempt=1, outcome="done", note="x" * 4097))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_a_plain_map_comes_back_as_it_was(value: dict[str, Any]) -> None:
    assert unpack(require_plain(value, "state", 10**6)) == value
