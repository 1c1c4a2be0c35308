"""What a newer version of an app breaks for those who call or listen as the older one has it. Pure, over JSON Schemas (2020-12).

Judged from the caller's side: what was a good input must stay one, what was read of an output must stay readable. Only what can be told
for certain is told: a schema that says nothing, or says it in a way that is not known here, breaks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from causeway_common.contracts.messages import Manifest

DEPTH_MAX: Final = 32
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
Schema = Mapping[str, Any]
Resolve = Callable[[Any], Schema]
_NOTHING: Final[Schema] = {}


def breaks(old: Manifest, new: Manifest) -> list[str]:
    """What `new` breaks of `old`, one line each, in order; empty where nothing."""
    return list(_of_methods(old, new)) + list(_of_channels(old, new))


def _of_methods(old: Manifest, new: Manifest) -> Iterator[str]:
    after = {spec.name: spec for spec in new.methods}
    for spec in old.methods:
        found = after.get(spec.name)
        if found is None:
            yield f"the method {spec.name} is gone"
            continue
        yield from (f"{spec.name}: {told}" for told in input_breaks(spec.input, found.input))
        yield from (f"{spec.name}: {told}" for told in output_breaks(spec.output, found.output))


def _of_channels(old: Manifest, new: Manifest) -> Iterator[str]:
    remaining = {spec.name for spec in new.namespaces}
    yield from (f"the namespace {spec.name} is gone" for spec in old.namespaces if spec.name not in remaining)
    after = {spec.pattern: spec for spec in new.channels}
    for spec in old.channels:
        if found := after.get(spec.pattern):
            yield from (f"messages of {spec.pattern}: {told}" for told in output_breaks(spec.message, found.message))


def input_breaks(old: str, new: str) -> list[str]:
    """What good inputs of the old schema (JSON text; "" says nothing) the new one refuses."""
    before, after = _read(old), _read(new)
    if not new:
        return []
    if not old:
        return ["input: it is asked for now"] if after and _asks_for_something(after) else []
    return list(_narrowed(Sides(before, after), before, after, "input", 0))


def output_breaks(old: str, new: str) -> list[str]:
    """What a reader of the old schema's outputs misses in the new one's, or finds of another kind."""
    before, after = _read(old), _read(new)
    if not (old and new):
        return []
    return list(_changed(Sides(before, after), before, after, "output", 0))


class Sides:
    """The two documents, for what they refer to within themselves."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._compared: set[tuple[int, int]] = set()

    def old(self, schema: Any) -> Schema:
        """An old schema, what it refers to in its place."""
        return _resolved(self._old, schema)

    def new(self, schema: Any) -> Schema:
        """A new one, likewise."""
        return _resolved(self._new, schema)

    def compared(self, old: Schema, new: Schema) -> bool:
        """Whether these two were compared before: what refers to itself is compared once."""
        known = (id(old), id(new)) in self._compared
        self._compared.add((id(old), id(new)))
        return known


def _narrowed(sides: Sides, old: Any, new: Any, at: str, depth: int) -> Iterator[str]:
    """Where the new schema takes less."""
    before, after = sides.old(old), sides.new(new)
    if depth > DEPTH_MAX or sides.compared(before, after):
        return
    taken, takes = _types(sides.old, before), _types(sides.new, after)
    if lost := taken - takes:
        yield f"{at}: {_named(lost)} is taken no more"
        return
    before, after = _core(sides.old, before), _core(sides.new, after)
    yield from _narrowed_values(before, after, at)
    yield from _narrowed_limits(before, after, at)
    for name in _required(after):
        if name not in _required(before):
            yield f"{at}.{name}: it is required now"
    known, knows = _properties(before), _properties(after)
    for name, schema in known.items():
        if name in knows:
            yield from _narrowed(sides, schema, knows[name], f"{at}.{name}", depth + 1)
        elif after.get("additionalProperties") is False:
            yield f"{at}.{name}: it is taken no more"
    if before.get("additionalProperties") is not False and after.get("additionalProperties") is False and "object" in taken & takes:
        yield f"{at}: fields that are not declared are taken no more"
    if "items" in before and "items" in after:
        yield from _narrowed(sides, before["items"], after["items"], f"{at}[]", depth + 1)


def _narrowed_values(before: Schema, after: Schema, at: str) -> Iterator[str]:
    values, allowed = _values(before), _values(after)
    if allowed is None:
        return
    if values is None:
        yield f"{at}: only some values are taken now"
    elif missing := [value for value in values if value not in allowed]:
        yield f"{at}: {', '.join(json.dumps(value) for value in missing)} is taken no more"


def _narrowed_limits(before: Schema, after: Schema, at: str) -> Iterator[str]:
    for names, sign in ((_LOWER, 1), (_UPPER, -1)):
        for name in names:
            limit, former = _number(after, name), _number(before, name)
            if limit is not None and (former is None or sign * former < sign * limit):
                yield f"{at}: {name} is {limit:g} now"
    if "pattern" in after and after["pattern"] != before.get("pattern"):
        yield f"{at}: it must match another pattern now"


def _changed(sides: Sides, old: Any, new: Any, at: str, depth: int) -> Iterator[str]:
    """Where the new schema gives what a reader of the old one does not expect."""
    before, after = sides.old(old), sides.new(new)
    if depth > DEPTH_MAX or sides.compared(before, after):
        return
    if gained := _types(sides.new, after) - _types(sides.old, before):
        yield f"{at}: it may be {_named(gained)} now"
        return
    before, after = _core(sides.old, before), _core(sides.new, after)
    values, given = _values(before), _values(after)
    if values is not None:
        unknown = None if given is None else [value for value in given if value not in values]
        if unknown is None or unknown:
            yield f"{at}: it may have other values now"
    known, knows = _properties(before), _properties(after)
    for name, schema in known.items():
        if name not in knows:
            yield f"{at}.{name}: it is gone"
            continue
        if name in _required(before) and name not in _required(after):
            yield f"{at}.{name}: it may be missing now"
        yield from _changed(sides, schema, knows[name], f"{at}.{name}", depth + 1)
    if "items" in before and "items" in after:
        yield from _changed(sides, before["items"], after["items"], f"{at}[]", depth + 1)


def _read(text: str) -> Schema:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _resolved(document: Schema, schema: Any) -> Schema:
    """What a schema says, with what it refers to (`#/…`) in its place; of `allOf` with one member, that."""
    for _ in range(DEPTH_MAX):
        if not isinstance(schema, dict):
            return _NOTHING
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            schema = _pointed(document, reference[2:].split("/"))
        elif isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1:
            schema = schema["allOf"][0]
        else:
            return schema
    return _NOTHING


def _pointed(document: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(document, dict):
            return _NOTHING
        document = document.get(name.replace("~1", "/").replace("~0", "~"))
    return document


def _core(resolve: Resolve, schema: Schema) -> Schema:
    """Of "this or null", this."""
    for name in ("anyOf", "oneOf"):
        members = schema.get(name)
        if isinstance(members, list):
            others = [found for member in members if (found := resolve(member)).get("type") != "null"]
            return others[0] if len(others) == 1 else _NOTHING
    return schema


def _types(resolve: Resolve, schema: Schema) -> frozenset[str]:
    """The JSON types that a schema takes; all where it does not say."""
    found: set[str] = set()
    waiting, seen = [schema], {id(schema)}
    while waiting:
        each = waiting.pop()
        members = next((each[name] for name in ("anyOf", "oneOf") if isinstance(each.get(name), list)), None)
        if members is None:
            found |= _own_types(each)
            continue
        for member in map(resolve, members):
            if id(member) not in seen:
                seen.add(id(member))
                waiting.append(member)
    return frozenset(found)


def _own_types(schema: Schema) -> frozenset[str]:
    said = schema.get("type")
    named = [said] if isinstance(said, str) else said
    if not isinstance(named, list):
        values = _values(schema)
        return frozenset(_TYPES) if values is None else frozenset(map(_type_of, values))
    known = {each for each in named if isinstance(each, str)}
    return frozenset(known | {"integer"} if "number" in known else known)


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found = schema.get("enum")
    return found if isinstance(found, list) else None


def _number(schema: Schema, name: str) -> float | None:
    found = schema.get(name)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _required(schema: Schema) -> list[str]:
    found = schema.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _asks_for_something(schema: Schema) -> bool:
    """Whether no input at all, which is null, is refused."""

    def resolve(each: Any) -> Schema:
        return _resolved(schema, each)

    return "null" not in _types(resolve, resolve(schema))


def _properties(schema: Schema) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _named(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))
