"""Shards on the bus: the caller's way to a shard's owner, and the owner's subscriptions.

Not here: who owns what (`contracts.shards` and storage's `Ownership`). An owner is only the nearest one to ask: whoever is not
answered by it asks any storage process the same, under the same id (DESIGN section 8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from causeway_common.bus.client import DirectSubscription
from causeway_common.bus.connection import Bus
from causeway_common.bus.deadline import Deadline
from causeway_common.bus.dispatch import Call, Endpoint
from causeway_common.contracts.verbs import SHARD_VERBS, Rep, Req, Verb

NO_QUEUE_GROUP: Final = ""
"""A request reaches every process that holds the shard: one that sleeps does not keep it from the one that lives."""


async def ask_owner(
    bus: Bus, verb: Verb[Req, Rep], request: Req, deadline: Deadline, *, shard: int, caller: str, message_id: str = ""
) -> Rep:
    """As `Bus.request`, to the shard's owner, and on no responders or no answer within 1 s to any storage process.

    Args:
        bus: the connection.
        verb: one of `SHARD_VERBS`.
        request: its body.
        deadline: of both together.
        shard: whose owner is asked first.
        caller: who asks.
        message_id: makes the repeat harmless.
    """
    first = SHARD_VERBS[verb.name].at(caller=caller, shard=str(shard))
    return await bus.request(verb, request, deadline, message_id=message_id, first=first, caller=caller)


class OwnedShards:
    """The shards that this process serves, verb by verb.

    Args:
        bus: the connection; what is served here drains with it.
        handlers: by verb; those that are none of `SHARD_VERBS` are left out.
        limit: requests of one verb under way at once.
    """

    def __init__(self, bus: Bus, handlers: Mapping[Verb[Any, Any], Callable[[Any, Call], Awaitable[Any]]], *, limit: int) -> None:
        self._bus, self._limit = bus, limit
        self._handlers = {verb.name: handler for verb, handler in handlers.items() if verb.name in SHARD_VERBS}
        self._endpoints: dict[str, Endpoint] = {}
        self._held: dict[int, list[DirectSubscription]] = {}

    @property
    def held(self) -> frozenset[int]:
        """The shards served now."""
        return frozenset(self._held)

    async def take(self, shards: frozenset[int]) -> None:
        """Serve these too; returns once the server knows."""
        for verb, handler in self._handlers.items():
            if verb not in self._endpoints:
                row: Verb[Any, Any] = SHARD_VERBS[verb]
                self._endpoints[verb] = self._bus.endpoint(row, handler, limit=self._limit)
        for shard in shards - self.held:
            self._held[shard] = [
                await endpoint.subscribe(SHARD_VERBS[verb].wildcard(shard=str(shard)), NO_QUEUE_GROUP)
                for verb, endpoint in self._endpoints.items()
            ]
        await self._bus.flush()

    async def release(self, shards: frozenset[int]) -> None:
        """Serve these no more; what has arrived, or still arrives until the server knows, is answered."""
        ended = [subscription for shard in shards & self.held for subscription in self._held.pop(shard)]
        await self._bus.end(ended)
