"""Services of an app: what its `@app.lifespan` functions make, injected by type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from causeway_logic.domain.signatures import Offer, Signature, read, type_hints

_ITERATORS: Final = (AsyncIterator, AsyncGenerator)
_OFFER: Final = Offer("the lifespan", context=False, input=False, yields=True)


@dataclass(frozen=True, slots=True)
class Lifespan:
    """One service: its type, and the function that makes it, holds it while the app runs, and closes it."""

    type: Any
    signature: Signature


def lifespan(function: Callable[..., AsyncIterator[Any]], services: Collection[Any]) -> Lifespan:
    """Read `async def make(earlier: Service) -> AsyncIterator[Made]`.

    Raises:
        TypeError: it is no async generator, its annotation does not name what it makes, or it takes what is no earlier service.
        ValueError: another one makes the same type.
    """
    what = f"the lifespan {getattr(function, '__name__', '')}"
    if not inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} must be an async generator: `async def`, with one `yield` of what it makes")
    returned = type_hints(function, what).get("return")
    if typing.get_origin(returned) not in _ITERATORS:
        raise TypeError(f"{what} must be annotated with what it makes: `-> AsyncIterator[Rates]`")
    made = typing.get_args(returned)[0]
    if made in services:
        raise ValueError(
            f"{what} makes a {getattr(made, '__name__', made)}, and so does an earlier one: give them types of their own"
        )
    return Lifespan(made, read(function, _OFFER, services))
