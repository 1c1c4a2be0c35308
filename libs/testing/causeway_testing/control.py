"""What the app asks of the gateway and of connectors: orders about users, who is there, calls that answer now."""

from __future__ import annotations

from pydantic_core import from_json

from causeway_common.bus import Call
from causeway_common.contracts import messages as m
from causeway_common.contracts import verbs
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_gateway.domain.namespaces import Catalogue
from causeway_testing.calls import Calls
from causeway_testing.gateway import LocalGateway
from causeway_testing.rooms import Rooms
from causeway_testing.storage import Handler
from causeway_testing.users import Subscription, User

CODE_MIN = 3000
CODE_MAX = 4999


class Control:
    """Answers the app.

    Args:
        gateway: the users.
        catalogue: the app's namespaces.
        rooms: the channels.
        calls: the connectors.
    """

    def __init__(self, gateway: LocalGateway, catalogue: Catalogue, rooms: Rooms, calls: Calls) -> None:
        self._gateway, self._catalogue, self._rooms, self._calls = gateway, catalogue, rooms, calls
        self.served: dict[str, Handler] = {
            verbs.APP_CONTROLS.name: self._control,
            verbs.APP_PRESENCE.name: self._presence,
            verbs.APP_PRESENCE_STATS.name: self._presence_stats,
            verbs.CALL.name: self._called,
        }

    async def _control(self, request: m.ControlRequest, call: Call) -> m.ControlReply:
        command = request.command
        found = [user for user in list(self._gateway.users) if _meant(user, command)]
        match command:
            case m.SubscribeUser():
                self._own(command.channel, call)
                found = [user for user in found if command.channel not in user.subscriptions]
                for user in found:
                    await self._subscribe(user, command)
            case m.UnsubscribeUser():
                self._own(command.channel, call)
                found = [user for user in found if command.channel in user.subscriptions]
                for user in found:
                    self._gateway.leave(user, user.subscriptions[command.channel])
            case m.DisconnectUser():
                if not CODE_MIN <= command.code <= CODE_MAX:
                    raise bad_request(f"disconnect.code lies in {CODE_MIN}-{CODE_MAX}")
                for user in found:
                    self._gateway.closed(user, (command.code, command.reason))
            case m.RefreshUser():
                for user in found:
                    self._refresh(user, command)
        return m.ControlReply(clients=len(found))

    async def _subscribe(self, user: User, command: m.SubscribeUser) -> None:
        given = m.SubscribeHookReply(data=command.data, info=command.info, override=command.override)
        subscription = Subscription(user, command.channel)
        await self._gateway.join(user, subscription, self._catalogue.rule(command.channel), given)

    def _refresh(self, user: User, command: m.RefreshUser) -> None:
        if command.expired:
            self._gateway.closed(user, (3005, "connection expired"))
        elif command.info is not None:
            user.info_json, user.info = command.info, from_json(command.info)

    async def _presence(self, request: m.PresenceRequest, call: Call) -> m.PresenceReply:
        self._with_presence(request.channel, call)
        found = self._rooms.present(request.channel)
        return m.PresenceReply(clients=found[: max(request.limit, 0)], total=len(found))

    async def _presence_stats(self, request: m.PresenceStatsRequest, call: Call) -> m.PresenceCounts:
        self._with_presence(request.channel, call)
        found = self._rooms.present(request.channel)
        return m.PresenceCounts(clients=len(found), users=len({each.user for each in found}))

    async def _called(self, request: m.CallRequest, call: Call) -> m.CallReply:
        operation = f"{call.fields['connector']}.{call.fields['op']}"
        return m.CallReply(payload=await self._calls.answered(operation, request.payload, request.idempotency_key))

    def _own(self, channel: str, call: Call) -> m.NamespaceSpec:
        rule = self._catalogue.rule(channel)
        if rule.app != call.fields["caller"]:
            raise CausewayError(ErrorName.PERMISSION_DENIED, "permission denied: this namespace is not the app's own")
        return rule.spec

    def _with_presence(self, channel: str, call: Call) -> None:
        if not self._own(channel, call).presence:
            raise CausewayError(ErrorName.NOT_AVAILABLE)


def _meant(user: User, command: m.Control) -> bool:
    if user.name != command.user or (command.client and user.client != command.client):
        return False
    return not (isinstance(command, m.DisconnectUser) and user.client in command.whitelist)
