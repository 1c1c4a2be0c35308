"""Everything that is stored, to be looked at and to be filled in. As the package says: what each call may raise, and when its answer is durable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from causeway_storage.domain.stored import AnyEntry, Facts, Unreadable


class Inspection(Protocol):
    """Everything that is stored, to be looked at beside the processes that serve it. Writes nothing and takes nothing they wait for."""

    async def facts(self) -> Facts:
        """About the database."""
        ...

    def pages(self) -> AsyncIterator[Sequence[AnyEntry | Unreadable]]:
        """All entries in the order of `domain.stored`, each log as of one moment; at SQLite all of them."""
        ...


class Restoration(Protocol):
    """Fills an empty database with everything of another one. Nothing of it is served before `finish` returned."""

    async def begin(self) -> int:
        """Make ready; its generation so far.

        Raises:
            StartError: there is something in it already, or it is in use.
        """
        ...

    async def add(self, entries: Sequence[AnyEntry]) -> None:
        """Take the next entries, in the order of `domain.stored`."""
        ...

    async def finish(self, generation: int) -> None:
        """All were added: they are durable and to be served under this generation."""
        ...
