"""Storage's records over the bus. While storage is away a call is tried again for a while: the work at hand would be lost on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    ClaimReply,
    ClaimRequest,
    EnqueueRequest,
    NewRecord,
    SettleRequest,
)
from causeway_common.contracts.verbs import CLAIM, CLIENT_COMMAND_SECONDS, ENQUEUE, SETTLE

CALLER: Final = "integrations"
PATIENCE_S: Final = 12.0
"""So long a call is tried again before it is given up as unavailable."""

T = TypeVar("T")


class BusRecords:
    """`ports.Records`."""

    def __init__(self, bus: Bus, node: str) -> None:
        self._bus, self._node = bus, node

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """As the port says. A claim whose answer was lost is answered `leased` the second time; its lease brings it back."""
        request = ClaimRequest(id=id, node=self._node, lease_ms=lease_ms)
        return await patiently(lambda: self._bus.request(CLAIM, request, _deadline(), caller=CALLER))

    async def settle(self, request: SettleRequest) -> bool:
        """As the port says."""
        message_id = f"{request.id}:{request.attempt}"
        reply = await patiently(lambda: self._bus.request(SETTLE, request, _deadline(), message_id=message_id, caller=CALLER))
        return reply.settled

    async def enqueue(self, records: list[NewRecord], *, message_id: str) -> int:
        """As the port says."""
        request = EnqueueRequest(records=records)
        reply = await patiently(lambda: self._bus.request(ENQUEUE, request, _deadline(), message_id=message_id, caller=CALLER))
        return reply.created


def _deadline() -> Deadline:
    return Deadline.after(CLIENT_COMMAND_SECONDS)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call, tried again for a while when what it needs is away. Raises CausewayError."""
    async for attempt in AsyncRetrying(
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        retry=retry_if_exception(lambda error: isinstance(error, CausewayError) and error.temporary),
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("unreachable: tenacity returns or raises")
