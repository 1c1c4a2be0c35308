"""What the functions of an app's author look like: their parameters, and the types that stand at their border."""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from causeway_logic.domain.values import read_input


class Input(enum.Enum):
    """Whether a function takes an annotated input behind the parameters that it must have."""

    NONE = enum.auto()
    OPTIONAL = enum.auto()
    REQUIRED = enum.auto()


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook: its function, and the type of its input where it has one."""

    function: Callable[..., Awaitable[Any]]
    input: TypeAdapter[Any] | None = None

    def read(self, data: bytes | None) -> tuple[Any, ...]:
        """The arguments behind those that every such hook has; nothing sent counts as null. Raises CausewayError 107 as `read_input`."""
        return () if self.input is None else (read_input(self.input, b"null" if data is None else data),)


def hook(function: Callable[..., Awaitable[Any]], what: str, leading: tuple[str, ...], takes: Input) -> Hook:
    """Read a hook's signature.

    Args:
        function: as the app's author wrote it.
        what: its kind, for the error.
        leading: what its first parameters are.
        takes: whether an annotated input follows.

    Raises:
        TypeError: it is not `async def`, or takes something else.
    """
    names = parameters(function, what)
    rest = names[len(leading) :]
    typed = type_hints(function, what)
    wanted = " and ".join(leading)
    if takes is Input.REQUIRED and not rest:
        raise TypeError(f"{what} takes {wanted}, then its annotated input")
    if len(names) < len(leading) or (takes is Input.NONE and rest):
        raise TypeError(f"{what} takes {wanted}")
    if len(rest) > 1 or any(name not in typed for name in rest):
        raise TypeError(f"{what} takes {wanted}, then at most one annotated input")
    return Hook(function, TypeAdapter(typed[rest[0]]) if rest else None)


def parameters(function: Callable[..., Any], what: str) -> list[str]:
    """The names of a coroutine function's parameters. Raises TypeError where it is none."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} must be `async def`")
    return list(inspect.signature(function).parameters)


def type_hints(function: Callable[..., Any], what: str) -> dict[str, Any]:
    """The annotations, resolved. Raises TypeError where one names what is not known in the function's module."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {what} is not known where it stands: {error}") from error
