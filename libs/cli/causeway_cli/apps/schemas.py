"""Many JSON Schemas, each with definitions of its own, brought under one roof: one name per type, one type per name. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from causeway_cli.apps.contract import Schema

Mode = Literal["input", "output"]
_DEFS: Final = "#/$defs/"
_NO_NAME: Final = re.compile(r"\W+")


@dataclass(slots=True)
class Definitions:
    """Types by name. `prefix` is what a reference to one begins with.

    Two types of one name that differ (a field with a default is there in every answer and may be missing in a question) become `Name` and
    `NameInput`, and numbers behind it where that is not enough.
    """

    prefix: str = _DEFS
    types: dict[str, Schema] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)  # by the type with everything that it refers to

    def add(self, schema: Schema, mode: Mode) -> Schema:
        """Take a schema's types in; the schema that refers to them."""
        own = _complete(schema) if mode == "output" else {**schema}
        defs: dict[str, Schema] = own.pop("$defs", {})
        names = {name: self._name(name, defs, mode) for name in defs}
        for name, taken in names.items():
            self.types.setdefault(taken, self._moved(defs[name], names))
        if _is_named(own):
            taken = self._name(own["title"], {**defs, own["title"]: own}, mode)
            self.types.setdefault(taken, self._moved(own, names))
            return {"$ref": self.prefix + taken}
        return dict(self._moved(own, names))

    def _name(self, name: str, defs: dict[str, Schema], mode: Mode) -> str:
        whole = json.dumps({each: defs[each] for each in sorted(_reached(name, defs))}, sort_keys=True) + name
        if whole not in self._names:
            plain = _NO_NAME.sub("_", name).strip("_") or "Type"
            self._names[whole] = next(free for free in _candidates(plain, mode) if free not in self._names.values())
        return self._names[whole]

    def _moved(self, value: Any, names: dict[str, str]) -> Any:
        """The schema with its references moved, without the titles that only repeat a field's name."""
        if isinstance(value, list):
            return [self._moved(each, names) for each in value]
        if not isinstance(value, dict):
            return value
        moved: Schema = {}
        for key, each in value.items():
            if key == "$ref" and isinstance(each, str):
                moved[key] = self.prefix + names[each.removeprefix(_DEFS)]
            elif key == "properties":
                moved[key] = {name: self._moved(_untitled(of), names) for name, of in each.items()}
            elif key == "mapping":
                moved[key] = {name: self.prefix + names[ref.removeprefix(_DEFS)] for name, ref in each.items()}
            elif key in {"const", "enum", "default", "examples"}:
                moved[key] = each
            else:
                moved[key] = self._moved(each, names)
        return moved


def _complete(value: Any) -> Any:
    """A schema of what an app sends: a field with a default is always there."""
    if isinstance(value, list):
        return [_complete(each) for each in value]
    if not isinstance(value, dict):
        return value
    whole = {key: each if key in {"const", "enum", "default", "examples"} else _complete(each) for key, each in value.items()}
    fields = value.get("properties")
    if value.get("type") == "object" and isinstance(fields, dict):
        always = [
            name for name, of in fields.items() if name in value.get("required", ()) or (isinstance(of, dict) and "default" in of)
        ]
        whole |= {"required": always} if always else {}
    return whole


def _is_named(schema: Schema) -> bool:
    return isinstance(schema.get("title"), str) and schema.get("type") == "object" and "properties" in schema


def _untitled(schema: Any) -> Any:
    return {key: value for key, value in schema.items() if key != "title"} if isinstance(schema, dict) else schema


def _candidates(name: str, mode: Mode) -> Iterator[str]:
    yield name
    if mode == "input":
        yield f"{name}Input"
    number = 2
    while True:
        yield f"{name}{number}"
        number += 1


def _reached(name: str, defs: dict[str, Schema]) -> set[str]:
    """The names of everything that a type refers to, itself included."""
    found, new = set[str](), [name]
    while new:
        each = new.pop()
        if each in found or each not in defs:
            continue
        found.add(each)
        new += re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(defs[each]))
    return found
