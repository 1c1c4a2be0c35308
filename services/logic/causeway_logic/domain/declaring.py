"""What the parts of an app's declaration share. `App` (declare.py) is made of them: one part for each family of handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from causeway_logic.domain.services import Lifespan, lifespan
from causeway_logic.domain.signatures import Offer, Signature, read

L = TypeVar("L", bound=Callable[..., AsyncIterator[Any]])


class Declarations:
    """The root of all parts. A part keeps what it declares in plain maps, and tells its share of the manifest."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version
        self.services: dict[Any, Lifespan] = {}

    def lifespan(self, function: L) -> L:
        """Make a service while the app runs: `async def rates() -> AsyncIterator[Rates]`, with one `yield` of what it makes.

        Handlers and later services that have a parameter of exactly this type get it. Services are made in the order of their
        declarations before the first call is taken, and closed in reverse after the last. Declare a service before its users.

        Raises:
            TypeError: it is no async generator, its annotation does not say what it makes, or it takes what is no earlier service.
            ValueError: an earlier one makes the same type.
        """
        made = lifespan(function, self.services)
        self.services[made.type] = made
        return function

    def _read(self, function: Callable[..., Any], offer: Offer) -> Signature:
        """Read a function of the author's. Raises TypeError as `signatures.read`."""
        return read(function, offer, self.services)

    def _manifest(self) -> dict[str, Any]:
        """This part's fields of the manifest; each part adds to those of the parts before."""
        return {}
