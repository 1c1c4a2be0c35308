"""Inputs for any handler from its own JSON Schema: those that fit it, and those that come close. A strategy, not a parser of all of JSON Schema.

It knows what pydantic writes for the reference apps: objects, arrays, strings with lengths and patterns, numbers with bounds, enums,
constants, alternatives and references.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
"""Any JSON value."""
CHARS_MAX = 300
"""No longer texts are drawn, however long a schema lets them be."""


def fitting(schema: Mapping[str, Any], known: Mapping[str, list[Any]] | None = None) -> st.SearchStrategy[Any]:
    """Values that a schema takes (but for rules that it cannot say).

    Args:
        schema: as pydantic writes it for an input.
        known: for properties of these names, values that mean something, such as ids of what there is; drawn as often as others.
    """
    return _Reader(schema.get("$defs", {}), known or {}).read(schema)


def wild(schema: Mapping[str, Any], known: Mapping[str, list[Any]] | None = None) -> st.SearchStrategy[Any]:
    """Values that come close to a schema: one with a property missing, added, or of another type or size; and any JSON at all."""
    return st.one_of(JSON, _bent(fitting(schema, known)))


ODD = JSON | st.sampled_from(["", "\0", "x" * 70_000, "#", "lot:*", "…", 0, -1, 2**63, 1e300, [], {}, [[]], True])


@st.composite
def _bent(draw: st.DrawFn, good: st.SearchStrategy[Any]) -> Any:
    value = draw(good)
    if not isinstance(value, dict) or not value:
        return draw(JSON)
    key = draw(st.sampled_from(sorted(value)))
    match draw(st.integers(0, 2)):
        case 0:
            return {name: each for name, each in value.items() if name != key}
        case 1:
            return {**value, key: draw(ODD)}
        case _:
            return {**value, draw(st.text(max_size=10)): draw(JSON)}


class _Reader:
    def __init__(self, defs: Mapping[str, Any], known: Mapping[str, list[Any]]) -> None:
        self._defs, self._known = defs, known

    def read(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        """The strategy of one schema."""
        if "$ref" in schema:
            return self.read(self._defs[schema["$ref"].rpartition("/")[2]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return st.one_of([self.read(each) for each in schema[several]])
        return self._typed(schema)

    def _typed(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                most = min(schema.get("maxItems", 5), 20)
                return st.lists(self.read(schema.get("items", {})), min_size=schema.get("minItems", 0), max_size=most)
            case "string":
                return self._text(schema)
            case "integer":
                return st.integers(*self._bounds(schema))
            case "number":
                return st.floats(*self._bounds(schema), allow_nan=False, allow_infinity=False)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case _:
                return JSON

    def _object(self, schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        required: dict[str, st.SearchStrategy[Any]] = {}
        optional: dict[str, st.SearchStrategy[Any]] = {}
        for name, each in schema.get("properties", {}).items():
            strategy = self.read(each)
            if name in self._known:
                strategy = st.one_of(st.sampled_from(self._known[name]), strategy)
            (required if name in schema.get("required", ()) else optional)[name] = strategy
        return st.fixed_dictionaries(required, optional=optional)

    @staticmethod
    def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
        least, most = schema.get("minLength", 0), min(schema.get("maxLength", CHARS_MAX), CHARS_MAX)
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: least <= len(text) <= most)
        return st.text(st.characters(codec="utf-8"), min_size=least, max_size=most)

    @staticmethod
    def _bounds(schema: Mapping[str, Any]) -> tuple[Any, Any]:
        return schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum", schema.get("exclusiveMaximum"))
