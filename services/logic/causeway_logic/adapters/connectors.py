"""Connectors over the bus, as one app may call them."""

from __future__ import annotations

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts.messages import CallRequest, JsonMap
from causeway_common.contracts.verbs import CALL


class BusConnectors:
    """`ports.Connectors` for one app."""

    def __init__(self, bus: Bus, app: str) -> None:
        self._bus, self._app = bus, app

    async def call(self, connector: str, op: str, request: CallRequest, deadline: Deadline) -> JsonMap:
        """As the port says."""
        reply = await self._bus.request(CALL, request, deadline, caller=self._app, connector=connector, op=op)
        return reply.payload
