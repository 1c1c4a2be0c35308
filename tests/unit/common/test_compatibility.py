"""What a newer version breaks for callers of an older one: told where it is certain, and only there."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from causeway_common.contracts import messages as m
from causeway_common.contracts.compatibility import breaks, input_breaks, output_breaks


def schema(kind: Any, mode: Literal["validation", "serialization"] = "validation") -> str:
    return json.dumps(TypeAdapter(kind).json_schema(mode=mode))


class Money(BaseModel):
    amount: int = Field(ge=0)
    currency: Literal["EUR", "USD"] = "EUR"


class Bid(BaseModel):
    lot: str
    price: Money
    tags: list[str] = []
    note: str | None = None


def changed(base: type[BaseModel] = Bid, **fields: Any) -> type[BaseModel]:
    return create_model("Changed", __base__=base, **fields)


class Nested(BaseModel):
    """Refers to another model, and to itself."""

    bid: Bid | None = None
    more: list[Nested] = []


class NestedLater(BaseModel):
    bid: changed(note=(str, ...)) | None = None  # type: ignore[valid-type]
    more: list[NestedLater] = []


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lot: str


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (changed(bidder=(str, ...)), "input.bidder: it is required now"),
        (changed(note=(str, ...)), "input.note: null is taken no more"),
        (changed(lot=(int, ...)), "input.lot: string is taken no more"),
        (changed(tags=(list[int], [])), "input.tags[]: string is taken no more"),
        (changed(price=(changed(Money, currency=(Literal["EUR"], "EUR")), ...)), 'input.price.currency: "USD" is taken no more'),
        (changed(price=(changed(Money, amount=(int, Field(ge=10))), ...)), "input.price.amount: minimum is 10 now"),
        (changed(lot=(str, Field(max_length=5))), "input.lot: maxLength is 5 now"),
        (changed(lot=(str, Field(pattern="^a"))), "input.lot: it must match another pattern now"),
        (Strict, "input.price: it is taken no more"),
        (list[Bid], "input: object is taken no more"),
    ],
)
def test_an_input_that_was_good_and_is_refused_now_is_told_with_its_place(new: Any, told: str) -> None:
    assert told in input_breaks(schema(Bid), schema(new))


@pytest.mark.parametrize(
    "new",
    [
        Bid,
        changed(bidder=(str, "nobody")),
        changed(lot=(str | int, ...)),
        changed(price=(Money | None, None)),
        changed(price=(changed(Money, currency=(str, "EUR")), ...)),
        changed(price=(changed(Money, amount=(int, Field(ge=-5))), ...)),
        Any,
    ],
)
def test_an_input_that_takes_more_breaks_nothing(new: Any) -> None:
    assert input_breaks(schema(Bid), schema(new)) == []


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (Money, "output.lot: it is gone"),
        (changed(lot=(int, ...)), "output.lot: it may be integer now"),
        (changed(lot=(str | None, ...)), "output.lot: it may be null now"),
        (
            changed(price=(changed(Money, currency=(Literal["EUR", "CHF"], "EUR")), ...)),
            "output.price.currency: it may have other values now",
        ),
        (changed(price=(changed(Money, currency=(str, "EUR")), ...)), "output.price.currency: it may have other values now"),
        (changed(tags=(list[int], [])), "output.tags[]: it may be integer now"),
    ],
)
def test_an_output_that_a_reader_does_not_expect_is_told_with_its_place(new: Any, told: str) -> None:
    assert told in output_breaks(schema(Bid, "serialization"), schema(new, "serialization"))


def test_an_output_field_that_may_be_missing_now_is_told() -> None:
    assert output_breaks(
        json.dumps({"type": "object", "properties": {"a": {}}, "required": ["a"]}),
        json.dumps({"type": "object", "properties": {"a": {}}}),
    ) == ["output.a: it may be missing now"]


@pytest.mark.parametrize(
    "new", [Bid, changed(more=(int, 1)), changed(price=(changed(Money, currency=(Literal["EUR"], "EUR")), ...))]
)
def test_an_output_that_says_more_or_is_narrower_breaks_nothing(new: Any) -> None:
    assert output_breaks(schema(Bid, "serialization"), schema(new, "serialization")) == []


def test_what_is_referred_to_is_compared_too_and_what_refers_to_itself_ends() -> None:
    assert "input.bid.note: null is taken no more" in input_breaks(schema(Nested), schema(NestedLater))
    assert input_breaks(schema(Nested), schema(Nested)) == []


def test_a_schema_that_refers_to_itself_many_times_is_compared_in_no_time() -> None:
    """Each reference followed by itself would be 2 to the 32 of them."""
    tree = {"type": "object", "properties": {name: {"anyOf": [{"$ref": "#"}, {"$ref": "#/properties/b"}]} for name in "abc"}}
    text = json.dumps(tree)

    assert input_breaks(text, text) == []
    assert output_breaks(text, json.dumps({**tree, "title": "t"})) == []


def test_an_input_that_there_was_not_breaks_only_if_it_is_asked_for() -> None:
    assert input_breaks("", schema(Bid)) == ["input: it is asked for now"]
    assert input_breaks("", schema(Bid | None)) == []
    assert input_breaks(schema(Bid), "") == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", '{"$ref": "#/nowhere"}', '{"$ref": "#"}', '{"type": 5}', '{"allOf": [1]}']
)
def test_what_is_no_schema_that_is_known_here_breaks_nothing(text: str) -> None:
    assert input_breaks(text, text) == []
    assert output_breaks(text, text) == []
    assert output_breaks(text, schema(int)) == []


def test_methods_namespaces_and_messages_of_a_manifest_are_compared() -> None:
    old = m.Manifest(
        app="a",
        version="1.0.0",
        methods=[m.MethodSpec(name="bid", input=schema(Bid), output=schema(Bid)), m.MethodSpec(name="gone")],
        namespaces=[m.NamespaceSpec(name="lot"), m.NamespaceSpec(name="old")],
        channels=[m.ChannelSpec(pattern="lot:{id}", message=schema(Money))],
    )
    new = m.Manifest(
        app="a",
        version="2.0.0",
        methods=[m.MethodSpec(name="bid", input=schema(changed(bidder=(str, ...))), output=schema(Money))],
        namespaces=[m.NamespaceSpec(name="lot")],
        channels=[m.ChannelSpec(pattern="lot:{id}", message=schema(int))],
    )

    assert breaks(old, old) == []
    assert breaks(old, new) == [
        "bid: input.bidder: it is required now",
        "bid: output.lot: it is gone",
        "bid: output.price: it is gone",
        "bid: output.tags: it is gone",
        "bid: output.note: it is gone",
        "the method gone is gone",
        "the namespace old is gone",
        "messages of lot:{id}: output: it may be integer now",
    ]


SCALARS = st.sampled_from([str, int, bool, float, Literal["a"], Literal["a", "b"], str | None, int | str])
FIELDS = st.dictionaries(st.sampled_from("abcd"), st.tuples(SCALARS, st.booleans()), max_size=4)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.sampled_from("abc"))


def model(fields: dict[str, Any]) -> type[BaseModel]:
    made: dict[str, Any] = {name: (kind, ... if required else None) for name, (kind, required) in fields.items()}
    return create_model("Made", __config__=ConfigDict(strict=True), **made)


def good(kind: type[BaseModel], value: Any) -> bool:
    try:
        kind.model_validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


@given(FIELDS, FIELDS, st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_an_input_that_became_bad_is_always_told(old: dict[str, Any], new: dict[str, Any], value: dict[str, Any]) -> None:
    """Against pydantic itself, as the judge of what is good. What is not declared may come in any form: no caller is promised anything."""
    before, after = model(old), model(new)
    declared = {name: each for name, each in value.items() if name in old}
    if good(before, declared) and not good(after, declared):
        assert input_breaks(schema(before), schema(after))


@given(FIELDS)
def test_a_schema_breaks_nothing_of_itself(fields: dict[str, Any]) -> None:
    text = schema(model(fields))

    assert input_breaks(text, text) == []
    assert output_breaks(text, text) == []


@given(
    st.recursive(
        VALUES | st.sampled_from(["#/a", "object"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "enum", "required", "a", "minimum", "allOf"]),
                inner,
                max_size=4,
            )
        ),
    ),
    st.data(),
)
def test_any_json_is_compared_without_an_exception(old: Any, data: st.DataObject) -> None:
    new = data.draw(st.sampled_from([old, {"type": "object", "properties": {"a": old}}, {}]))
    for one, other in ((old, new), (new, old)):
        input_breaks(json.dumps(one), json.dumps(other))
        output_breaks(json.dumps(one), json.dumps(other))
