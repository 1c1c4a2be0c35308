"""Which shards this process serves first: its share among the living storage processes. Ownership is only locality."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from causeway_common.contracts.shards import shards_of
from causeway_common.telemetry import Counters, get_logger
from causeway_storage.ports import Shards

log = get_logger("storage")
_moved: Final = Counters("storage").counter("shards_moved", "shards by what became of them: taken, released")

BEAT_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.5
SILENT_MS: Final = 3_500
"""With one look more, a process that died is replaced within two heartbeats."""


class Ownership:
    """Takes and releases shards as processes come and go.

    Args:
        shards: what is served.
        node: the id of this process.
        living: the ids of the storage processes that were heard of within `SILENT_MS`.
    """

    def __init__(self, shards: Shards, node: str, living: Callable[[], Collection[str]]) -> None:
        self._shards, self._node, self._living = shards, node, living
        self._known: frozenset[str] = frozenset()
        self._gained: list[Callable[[], None]] = []

    def on_gain(self, callback: Callable[[], None]) -> None:
        """Call this when shards were taken: what their last owner left waits to be picked up."""
        self._gained.append(callback)

    def owns(self, shard: int) -> bool:
        """Whether requests for this shard come here first."""
        return shard in self._shards.held

    async def step(self) -> float:
        """Take what has fallen to this process and release what has fallen to others; the seconds until the next look."""
        living = frozenset(self._living())
        # Who does not hear itself hears nobody: the others' silence means nothing then.
        if self._node not in living or living == self._known:
            return LOOK_SECONDS
        share, held = shards_of(self._node, living), self._shards.held
        taken, released = share - held, held - share
        await self._shards.take(taken)
        await self._shards.release(released)
        self._known = living
        log.info("shards", owned=len(share), taken=len(taken), released=len(released), processes=len(living))
        _moved.add(len(taken), "taken")
        _moved.add(len(released), "released")
        for callback in self._gained if taken else ():
            callback()
        return LOOK_SECONDS

    async def leave(self) -> None:
        """Serve no shard any more, once the others have been told that this process goes."""
        await self._shards.release(self._shards.held)
