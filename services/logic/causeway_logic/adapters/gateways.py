"""Gateways over the bus, as one app may ask them. The app's name stands in the subject: NATS lets no other app use it."""

from __future__ import annotations

from causeway_common.bus import Bus, Deadline
from causeway_common.contracts.messages import (
    Control,
    ControlRequest,
    FeedPublication,
    PresenceCounts,
    PresenceReply,
    PresenceRequest,
    PresenceStatsRequest,
)
from causeway_common.contracts.subjects import FEED_APP, encode_token
from causeway_common.contracts.verbs import APP_CONTROLS, APP_PRESENCE, APP_PRESENCE_STATS


class BusGateways:
    """`ports.Gateways` for one app."""

    def __init__(self, bus: Bus, app: str) -> None:
        self._bus, self._app = bus, app

    async def publish(self, message: FeedPublication) -> None:
        """As the port says."""
        await self._bus.publish(FEED_APP.at(app=self._app, channel=encode_token(message.channel)), message)

    async def presence(self, channel: str, limit: int, deadline: Deadline) -> PresenceReply:
        """As the port says."""
        return await self._bus.request(APP_PRESENCE, PresenceRequest(channel=channel, limit=limit), deadline, caller=self._app)

    async def presence_stats(self, channel: str, deadline: Deadline) -> PresenceCounts:
        """As the port says."""
        return await self._bus.request(APP_PRESENCE_STATS, PresenceStatsRequest(channel=channel), deadline, caller=self._app)

    async def control(self, command: Control, deadline: Deadline) -> int:
        """As the port says."""
        reply = await self._bus.request(APP_CONTROLS, ControlRequest(command=command), deadline, caller=self._app)
        return reply.clients
