"""The records of the app's own tasks over the bus. While storage is away a call is tried again for a while: the work at hand would be lost on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import ClaimReply, ClaimRequest, SettleRequest
from causeway_common.contracts.verbs import CLAIM, CLIENT_COMMAND_SECONDS, SETTLE

PATIENCE_S: Final = 12.0
"""So long a call is tried again before it is given up as unavailable."""
PAUSE_S: Final = 0.5
"""At most so long between two tries."""
T = TypeVar("T")


class BusRecords:
    """`ports.Records` for one app."""

    def __init__(self, bus: Bus, app: str, node: str) -> None:
        self._bus, self._app, self._node = bus, app, node

    async def claim(self, id: str, lease_ms: int) -> ClaimReply:
        """As the port says. A claim whose answer was lost is answered `leased` the second time; its lease brings it back."""
        request = ClaimRequest(id=id, node=self._node, lease_ms=lease_ms)
        return await _patiently(lambda: self._bus.request(CLAIM, request, _deadline(), caller=self._app))

    async def settle(self, request: SettleRequest) -> bool:
        """As the port says."""
        message_id = f"{request.id}:{request.attempt}"
        reply = await _patiently(lambda: self._bus.request(SETTLE, request, _deadline(), message_id=message_id, caller=self._app))
        return reply.settled


def _deadline() -> Deadline:
    return Deadline.after(CLIENT_COMMAND_SECONDS)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    until = Deadline.after(PATIENCE_S)
    while True:
        try:
            return await call()
        except CausewayError as error:
            if not error.temporary or until.remaining() <= 0:
                raise
        await asyncio.sleep(random.random() * PAUSE_S)  # noqa: S311 - full jitter, no secret
