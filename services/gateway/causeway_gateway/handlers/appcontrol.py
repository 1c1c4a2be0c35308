"""What an app may ask of the gateways: orders about users, presence of its own channels. The app is the one of the subject."""

from __future__ import annotations

from causeway_common.bus import Call
from causeway_common.contracts import messages as m
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.handlers.orders import Orders


class AppControl:
    """Answers apps. Every answer raises CausewayError: 102 and 107 for what is no channel, 103 for another app's, 100 where a gateway is silent.

    Args:
        catalogue: whose namespaces are whose.
        orders: carries orders out.
        cluster: all gateways.
    """

    def __init__(self, catalogue: Catalogue, orders: Orders, cluster: Cluster) -> None:
        self._catalogue, self._orders, self._cluster = catalogue, orders, cluster

    async def control(self, request: m.ControlRequest, call: Call) -> m.ControlReply:
        """Disconnect or refresh any user, subscribe and unsubscribe any user to the app's own channels."""
        command = request.command
        if isinstance(command, m.SubscribeUser | m.UnsubscribeUser):
            self._own(command.channel, call)
        return m.ControlReply(clients=await self._orders.carry_out(command, call.deadline))

    async def presence(self, request: m.PresenceRequest, call: Call) -> m.PresenceReply:
        """Who is subscribed on all gateways; at most `limit` are listed. 108 where the namespace has no presence, 106 beyond what may be listed."""
        self._with_presence(request.channel, call)
        found = await self._cluster.presence(request.channel, call.deadline)
        return m.PresenceReply(clients=list(found.values())[: max(request.limit, 0)], total=len(found))

    async def presence_stats(self, request: m.PresenceStatsRequest, call: Call) -> m.PresenceCounts:
        """How many are subscribed on all gateways. 108 as `presence`."""
        self._with_presence(request.channel, call)
        clients, users = await self._cluster.presence_stats(request.channel, call.deadline)
        return m.PresenceCounts(clients=clients, users=users)

    def _own(self, channel: str, call: Call) -> m.NamespaceSpec:
        rule = self._catalogue.rule(channel)
        if rule.app != call.fields["caller"]:
            raise CausewayError(ErrorName.PERMISSION_DENIED, "permission denied: this namespace is not the app's own")
        return rule.spec

    def _with_presence(self, channel: str, call: Call) -> None:
        if not self._own(channel, call).presence:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
