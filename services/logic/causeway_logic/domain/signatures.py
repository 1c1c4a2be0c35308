"""What the functions of an app's author look like: what each parameter gets, by its annotation, and the types at their border."""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

from causeway_logic.domain.values import read_input

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BUNDLES: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Asked:
    """What is a handler's context; a parameter annotated with a class of this kind gets it."""

    __slots__ = ()


class Source(enum.Enum):
    """Where a parameter's value comes from."""

    CONTEXT = enum.auto()
    SERVICE = enum.auto()
    GIVEN = enum.auto()
    FIELD = enum.auto()
    INPUT = enum.auto()


@dataclass(frozen=True, slots=True)
class Offer:
    """What functions of one kind may take.

    Attributes:
        what: the kind, for errors: `a subscribe hook`.
        context: whether they may take the context.
        given: types whose values come with each call, such as `Channel`; of a generic one `Event[Paid]` too.
        fields: names whose values come with each call, each validated as its annotation says.
        input: whether they may take one validated input.
        yields: whether they are generators.
    """

    what: str
    context: bool = True
    given: tuple[type[Any], ...] = ()
    fields: frozenset[str] = frozenset()
    input: bool = True
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: what it gets, its annotation, and whether it is taken by name alone."""

    name: str
    source: Source
    type: Any
    keyword: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of an app's author, read.

    Attributes:
        what: how errors and logs name it.
        function: as it was written.
        asynchronous: `async def`; a plain one runs in a thread.
        parameters: in its order.
        input: how its input is read; None where it takes none.
        fields: how values of `Offer.fields` are read.
        returns: its annotation; None where there is none.
    """

    what: str
    function: Callable[..., Any]
    asynchronous: bool
    parameters: tuple[Parameter, ...]
    input: TypeAdapter[Any] | None
    fields: Mapping[str, TypeAdapter[Any]] = field(default_factory=dict)
    returns: Any = None

    def read(self, data: bytes | None) -> Any:
        """The input's value; nothing sent counts as null, and where no input is taken anything may be sent.

        Raises:
            CausewayError: 107 as `read_input`.
        """
        return None if self.input is None else read_input(self.input, data or b"null")

    def given(self, type_: type[Any]) -> Any:
        """The annotation of the parameter that gets what is given by this type; None where there is none."""
        return next((each.type for each in self.parameters if each.source is Source.GIVEN and _is_a(each.type, type_)), None)


def read(function: Callable[..., Any], offer: Offer, services: Collection[Any] = ()) -> Signature:
    """Read a function's signature.

    Args:
        function: as the app's author wrote it.
        offer: what it may take.
        services: the types of the app's services so far.

    Raises:
        TypeError: it takes something else; the text says which parameter and what to do.
    """
    what = f"{offer.what} {name}" if (name := getattr(function, "__name__", "")) else offer.what
    if not inspect.isroutine(function):
        raise TypeError(f"{what} must be a function: `async def`, or `def` to run in a thread")
    if not offer.yields and (inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)):
        raise TypeError(f"{what} must not yield")
    hints = type_hints(function, what)
    parameters = tuple(_parameter(each, hints, offer, services, what) for each in inspect.signature(function).parameters.values())
    inputs = [each for each in parameters if each.source is Source.INPUT]
    if len(inputs) > 1:
        told = " and ".join(each.name for each in inputs)
        raise TypeError(f"{what} takes at most one input, got {told}: make them fields of one model")
    return Signature(
        what=what,
        function=function,
        asynchronous=inspect.iscoroutinefunction(function),
        parameters=parameters,
        input=adapter(inputs[0].type, f"the parameter {inputs[0].name} of {what}") if inputs else None,
        fields={
            each.name: adapter(each.type, f"the parameter {each.name} of {what}")
            for each in parameters
            if each.source is Source.FIELD
        },
        returns=hints.get("return"),
    )


def type_hints(function: Callable[..., Any], what: str) -> dict[str, Any]:
    """The annotations, resolved. Raises TypeError where one names what is not known in the function's module."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {what} is not known where it stands: {error}") from error


def adapter(annotation: Any, what: str) -> TypeAdapter[Any]:
    """How values of an annotation are checked. Raises TypeError naming `what` where pydantic cannot say."""
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError) as error:
        shown = getattr(annotation, "__name__", None) or str(annotation)
        raise TypeError(
            f"{what} is a {shown}: neither a service of this app (declare its @app.lifespan first) nor a type that pydantic knows"
        ) from error


def _parameter(each: inspect.Parameter, hints: Mapping[str, Any], offer: Offer, services: Collection[Any], what: str) -> Parameter:
    if each.kind in _BUNDLES:
        raise TypeError(f"{what} takes {each}: name each parameter")
    if each.name not in hints:
        raise TypeError(f"the parameter {each.name} of {what} has no annotation: what it gets is told by its type")
    annotation = hints[each.name]
    source = _source(each.name, annotation, offer, services)
    if (source is Source.INPUT and not offer.input) or (source is Source.CONTEXT and not offer.context):
        raise TypeError(f"the parameter {each.name} of {what} can get nothing: {_offered(offer)}")
    return Parameter(each.name, source, annotation, keyword=each.kind not in _POSITIONAL)


def _source(name: str, annotation: Any, offer: Offer, services: Collection[Any]) -> Source:
    if _is_a(annotation, Asked):
        return Source.CONTEXT
    if any(_is_a(annotation, given) for given in offer.given):
        return Source.GIVEN
    if any(annotation == each for each in services):  # an annotation may be no key of a map
        return Source.SERVICE
    return Source.FIELD if name in offer.fields else Source.INPUT


def _is_a(annotation: Any, kind: type[Any]) -> bool:
    found = typing.get_origin(annotation) or annotation
    return isinstance(found, type) and issubclass(found, kind)


def _offered(offer: Offer) -> str:
    some = ["its Context"] if offer.context else []
    some += [kind.__name__ for kind in offer.given] + sorted(offer.fields) + ["services"]
    return f"{offer.what} takes {', '.join(some)}" + (" and one input" if offer.input else " and no input")
