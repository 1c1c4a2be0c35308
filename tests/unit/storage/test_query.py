"""Queries: what they come to, what is refused, and cursors that nobody can make up."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Condition, IndexValue, QueryRequest
from causeway_storage.domain.query import (
    CONDITIONS_MAX,
    EXACT_MAX,
    IN_MAX,
    INDEXES_MAX,
    LIMIT_MAX,
    VALUE_MAX_BYTES,
    check_indexes,
    cursor_after,
    encoded,
    index_entries,
    indexes_of,
    plan_query,
)

SECRET = b"k" * 32
numbers = st.one_of(st.integers(-EXACT_MAX, EXACT_MAX), st.floats(allow_nan=False))


@given(numbers, numbers)
def test_entries_of_numbers_sort_as_the_numbers_do(one: float, other: float) -> None:
    assert (encoded(one) < encoded(other)) == (one < other)
    assert (encoded(one) == encoded(other)) == (one == other)


@given(st.text(), st.text(), st.text(), st.text())
def test_entries_of_texts_sort_by_text_and_then_by_id_whatever_they_hold(one: str, id_one: str, other: str, id_other: str) -> None:
    entry, other_entry = index_entries({"x": one}, id_one)["x"], index_entries({"x": other}, id_other)["x"]

    assert (entry < other_entry) == ((one, id_one) < (other, id_other))
    assert set(entry) <= set("0123456789abcdef!")


def request(**fields: object) -> QueryRequest:
    return QueryRequest(**{"kind": "lot", **fields})  # type: ignore[arg-type] # as each test says


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request(limit=0), "limit"),
        (request(limit=LIMIT_MAX + 1), "limit"),
        (request(where=[Condition(index="x", op="eq", value=1)] * (CONDITIONS_MAX + 1)), "conditions"),
        (request(where=[Condition(index="x", op="in", value=[1] * (IN_MAX + 1))]), "values"),
        (request(where=[Condition(index="x", op="in", value=1)]), "one value"),
        (request(where=[Condition(index="x", op="eq", value=[1])]), "a list"),
        (request(where=[Condition(index="x", op="lt", value=float("nan"))]), "not a number"),
        (request(where=[Condition(index="x", op="lt", value=EXACT_MAX + 1)]), "2\\^53"),
        (request(where=[Condition(index="x", op="lt", value="é" * VALUE_MAX_BYTES)]), "bytes"),
        (request(fields=["x"] * 65), "fields"),
        (request(cursor="é"), "cursor"),
        (request(cursor="!"), "cursor"),
        (request(cursor="AAAA"), "cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: QueryRequest, why: str) -> None:
    with pytest.raises(CausewayError, match=why) as caught:
        plan_query("chat", asked, SECRET)

    assert caught.value.name is ErrorName.BAD_REQUEST


@pytest.mark.parametrize(
    "indexes",
    [{f"i{n}": 1 for n in range(INDEXES_MAX + 1)}, {"id": 1}, {"$gt": 1}, {"a.b": 1}, {"": 1}, {"x": float("nan")}, {"x": 2**60}],
)
def test_index_values_that_cannot_be_stored_are_refused(indexes: dict[str, IndexValue]) -> None:
    with pytest.raises(CausewayError) as caught:
        check_indexes(indexes)

    assert caught.value.name is ErrorName.BAD_REQUEST


WHERE = [Condition(index="price", op="gte", value=3)]


def test_a_cursor_goes_on_behind_its_page_with_any_limit_and_fields() -> None:
    cursor = cursor_after("2bf!31", plan_query("chat", request(where=WHERE), SECRET), SECRET)

    assert plan_query("chat", request(where=WHERE, cursor=cursor, limit=7, fields=["n"]), SECRET).after == "2bf!31"


def test_a_cursor_that_was_changed_or_is_of_another_question_is_refused() -> None:
    cursor = cursor_after("2bf!31", plan_query("chat", request(where=WHERE), SECRET), SECRET)
    raw = bytearray(urlsafe_b64decode(cursor))
    raw[-1] ^= 1
    changed = urlsafe_b64encode(raw).decode()

    for app, asked, key in (
        ("chat", request(where=WHERE, cursor=changed), SECRET),
        ("auctions", request(where=WHERE, cursor=cursor), SECRET),
        ("chat", request(where=WHERE, cursor=cursor, kind="room"), SECRET),
        ("chat", request(where=WHERE, cursor=cursor, order="price"), SECRET),
        ("chat", request(where=WHERE, cursor=cursor, descending=True), SECRET),
        ("chat", request(where=[], cursor=cursor), SECRET),
        ("chat", request(where=[Condition(index="price", op="gte", value=4)], cursor=cursor), SECRET),
        ("chat", request(where=WHERE, cursor=cursor), b"another"),
    ):
        with pytest.raises(CausewayError, match="cursor"):
            plan_query(app, asked, key)


def test_a_query_needs_the_indexes_that_it_names() -> None:
    where = [Condition(index="price", op="eq", value=1), Condition(index="id", op="eq", value="1")]

    assert indexes_of(plan_query("chat", request(where=where, order="name"), SECRET)) == {"price", "name"}
    assert indexes_of(plan_query("chat", request(), SECRET)) == frozenset()
