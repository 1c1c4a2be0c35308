"""An entity's model and its stored form: a JSON-like map in which fields that this version does not know survive."""

from __future__ import annotations

import re
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from causeway_common.contracts.messages import JsonMap
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier

M = TypeVar("M")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

RESERVED_KINDS: Final = frozenset({"idempotency", "timer", "every"})
"""Kinds of the entities that the SDK keeps beside an app's own."""


class Shape(Generic[M]):
    """How a model is stored.

    Args:
        model: a pydantic model or a dataclass.
        kind: its name in storage; left out, `__kind__: ClassVar[str]` of the class, and without that the class's name in snake_case.

    Raises:
        TypeError: the kind is not a name.
    """

    def __init__(self, model: type[M], kind: str = "") -> None:
        self.kind: str = kind or model.__dict__.get("__kind__") or _WORD_START.sub("_", model.__name__).lower()
        if not is_identifier(self.kind):
            raise TypeError(f"the kind of {model.__name__} is {self.kind!r}, allowed is {IDENTIFIER_RULE}; set __kind__")
        self._adapter: TypeAdapter[M] = TypeAdapter(model)
        self._name = model.__name__

    def load(self, stored: JsonMap) -> M:
        """The state of a stored document; what this version does not know is left to `merged`.

        Raises:
            TypeError: the document does not fit the model.
        """
        try:
            return self._adapter.validate_python(stored, extra="ignore")
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise TypeError(f"a stored {self.kind} does not fit {self._name}: {faults}") from error

    def dump(self, state: M) -> JsonMap:
        """The state as a JSON-like map.

        Raises:
            TypeError: a field holds what the model does not allow there, or the model is no map.
        """
        try:
            dumped = self._adapter.dump_python(state, mode="json", by_alias=True, warnings="error")
        except PydanticSerializationError as error:
            raise TypeError(f"the state of a {self.kind} does not fit {self._name}: {error}") from error
        if not isinstance(dumped, dict):
            raise TypeError(f"the state of a {self.kind} must be a map: a pydantic model or a dataclass")
        return dumped


def merged(stored: Any, known: Any, new: Any) -> Any:
    """`new` with what `stored` holds beyond `known`, at any depth.

    Args:
        stored: the document as loaded.
        known: the same as this version understood it (loaded and dumped again).
        new: what this version writes.

    A list's element keeps its unknown fields while it stays as it was, wherever it moves to; a changed one is written as
    this version knows it.
    """
    if stored == known:
        return new
    if isinstance(stored, dict) and isinstance(known, dict) and isinstance(new, dict):
        result = {
            key: merged(stored[key], known[key], value) if key in stored and key in known else value for key, value in new.items()
        }
        return result | {key: value for key, value in stored.items() if key not in known and key not in new}
    if isinstance(stored, list) and isinstance(known, list) and isinstance(new, list) and len(stored) == len(known):
        return [_element(stored, known, value) for value in new]
    return new


def _element(stored: list[Any], known: list[Any], value: Any) -> Any:
    return next((old for old, seen in zip(stored, known, strict=True) if seen == value), value)
