"""Entities as an app declares them, their indexes, and the typed conditions of a query."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

from causeway_common.contracts.messages import Condition as WireCondition
from causeway_common.contracts.messages import IndexValue
from causeway_common.contracts.names import IDENTIFIER_RULE, is_identifier
from causeway_logic.domain.shape import RESERVED_KINDS, Shape
from causeway_logic.domain.values import milliseconds

M = TypeVar("M")
V = TypeVar("V")

INDEXES_MAX: Final = 8
"""So many indexes of one kind of entity; storage refuses more."""
ID: Final = "id"
"""Every entity has this one, without declaring it."""
_TYPES: Final = (str, int, float, bool, datetime)
Operator = Literal["eq", "lt", "lte", "gt", "gte", "in"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What an index's value must be; made by comparing the index. Only values of the same type are compared."""

    kind: str
    wire: WireCondition


class Index(Generic[V]):
    """An index of one kind of entity; made by `EntityType.index`. Comparing it makes a condition for `ctx.query`.

    `by_status == "open"`, `closes < now`, `by_status.one_of(["open", "sold"])`; `== None` finds what has no value there.
    """

    __slots__ = ("_of", "kind", "name", "type")

    def __init__(self, kind: str, name: str, type_: type[V], of: Callable[[Any], V | None]) -> None:
        self.kind, self.name, self.type, self._of = kind, name, type_, of

    def value(self, state: Any) -> IndexValue:
        """What is indexed of a state. Raises TypeError where it is not of the index's type."""
        return self._stored(self._of(state))

    def one_of(self, values: Iterable[V]) -> Condition:
        """The value is one of these, at most 64."""
        return Condition(self.kind, WireCondition(index=self.name, op="in", value=[self._stored(value) for value in values]))

    def __eq__(self, value: V | None) -> Condition:  # type: ignore[override]  # a condition, as query languages write it
        """The value is this one; None: there is none."""
        return self._compared("eq", value)

    def __lt__(self, value: V) -> Condition:
        """The value is below this one."""
        return self._compared("lt", value)

    def __le__(self, value: V) -> Condition:
        """The value is this one or below."""
        return self._compared("lte", value)

    def __gt__(self, value: V) -> Condition:
        """The value is above this one."""
        return self._compared("gt", value)

    def __ge__(self, value: V) -> Condition:
        """The value is this one or above."""
        return self._compared("gte", value)

    def __ne__(self, value: object) -> bool:
        """Refused: no index finds what is not there. Raises TypeError."""
        raise TypeError(f"an index cannot be searched for what is not {value!r}: use <, > or one_of")

    __hash__ = object.__hash__

    def _compared(self, op: Operator, value: V | None) -> Condition:
        return Condition(self.kind, WireCondition(index=self.name, op=op, value=self._stored(value)))

    def _stored(self, value: Any) -> IndexValue:
        if value is None:
            return None
        plain = value.value if isinstance(value, enum.Enum) else value
        wanted = self.type
        fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if not (fits or (wanted is float and type(value) is int)):
            raise TypeError(f"the index {self.name} of {self.kind} holds {wanted.__name__}, got {value!r:.80}")
        return milliseconds(plain) if isinstance(plain, datetime) else plain


class EntityType(Generic[M]):
    """A kind of entity; made by `App.entity`.

    Attributes:
        model: its states' model.
        kind: its name in storage.
        shape: how it is stored.
        indexes: by name.

    Raises:
        TypeError: the kind is not a name, or one that the SDK keeps for itself.
    """

    def __init__(self, model: type[M], kind: str = "") -> None:
        self.model, self.shape = model, Shape(model, kind)
        self.kind = self.shape.kind
        if self.kind in RESERVED_KINDS:
            raise TypeError(f"the kind {self.kind!r} of {model.__name__} is the SDK's own: set __kind__")
        self.indexes: dict[str, Index[Any]] = {}

    @classmethod
    def of(cls, model: type[M]) -> EntityType[M]:
        """Of a model that the app does not declare; made once per model: building a validator takes long."""
        found = _undeclared.get(model)
        if found is None:
            found = _undeclared[model] = cls(model)
        return found

    def index(self, name: str, type_: type[V], of: Callable[[M], V | None] | None = None) -> Index[V]:
        """Declare an index, so that entities can be found by it.

        Every commit of a version that declares the index fills it; an entity that no such version has committed is not found.

        Args:
            name: as an app's, not `id`, which every entity has.
            type_: `str`, `int`, `float`, `bool`, `datetime` (kept to the millisecond), or an enum of texts or numbers.
            of: the value for a state, None for none; left out: the state's field of this name.

        Raises:
            ValueError: the name or the type cannot be, there are 8 already, or without `of` the model has no such field.
        """
        if not is_identifier(name) or name == ID or name in self.indexes:
            raise ValueError(f"an index's name is {IDENTIFIER_RULE}, not {ID}, and declared once; got {name!r}")
        if len(self.indexes) >= INDEXES_MAX:
            raise ValueError(f"{self.kind} has {INDEXES_MAX} indexes already, more are not kept")
        if not _may_hold(type_):
            raise ValueError(
                f"the index {name} of {self.kind} holds str, int, float, bool, datetime or an enum of these, got {type_!r}"
            )
        if of is None and name not in _fields(self.model):
            raise ValueError(f"{self.model.__name__} has no field {name!r}: say what the index holds with of=")
        value: Callable[[Any], Any] = of or (lambda state: getattr(state, name))
        made: Index[V] = Index(self.kind, name, type_, value)
        self.indexes[name] = made
        return made

    def values(self, state: M) -> dict[str, IndexValue]:
        """What all indexes hold for a state. Raises TypeError as `Index.value`."""
        return {name: index.value(state) for name, index in self.indexes.items()}


_undeclared: Final[dict[type[Any], EntityType[Any]]] = {}


@dataclass(frozen=True, slots=True)
class FoundEntity(Generic[M]):
    """One entity of a query's answer, as it was then."""

    id: str
    state: M
    version: int


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """A page of a query's answer. `cursor`: give it to the same query for the page behind; "": there is none."""

    items: tuple[FoundEntity[M], ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[M]):
    """A state, and where a channel stood with it: what is published behind this position is not in the state yet."""

    state: M
    version: int
    offset: int
    epoch: str


def conditions(kind: str, given: Sequence[Condition]) -> list[WireCondition]:
    """The conditions of a query over one kind. Raises ValueError for one of another kind's index."""
    for each in given:
        if not isinstance(each, Condition):
            raise TypeError(f"a condition is made by comparing an index (by_status == 'open'), got {each!r:.80}")
        if each.kind != kind:
            raise ValueError(f"the index {each.wire.index} belongs to {each.kind}, this query is over {kind}")
    return [each.wire for each in given]


def order_of(kind: str, order: Index[Any] | None) -> str:
    """The name of the index that sorts; "" for the id. Raises ValueError for another kind's."""
    if order is None:
        return ""
    if order.kind != kind:
        raise ValueError(f"the index {order.name} belongs to {order.kind}, this query is over {kind}")
    return order.name


def _may_hold(type_: object) -> bool:
    return isinstance(type_, type) and issubclass(type_, (*_TYPES, enum.Enum))


def _fields(model: type[Any]) -> set[str]:
    if dataclasses.is_dataclass(model):
        return {field.name for field in dataclasses.fields(model)}
    return set(getattr(model, "model_fields", ())) | set(getattr(model, "model_computed_fields", ()))
