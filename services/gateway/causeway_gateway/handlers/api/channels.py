"""What operators ask about channels: which there are, what holds for one, who is subscribed, what its log holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import ClientInfo
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.domain.protocol import HistoryRequest, Raw, StreamPosition
from causeway_gateway.handlers.api.answers import Row, permit_channel
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.handlers.cluster import Cluster
from causeway_gateway.handlers.reading import Reader
from causeway_gateway.ports import Storage

LIMIT_MAX: Final = 1_000
HISTORY_MAX_BYTES: Final = 4 * 1024 * 1024
NULL: Final = Raw(b"null")


class ListChannels(Body, frozen=True):
    """Channels with subscribers whose names match a glob, by name from behind `after` on; or those with the most clients."""

    pattern: Annotated[str, msgspec.Meta(max_length=255)] = ""
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 100
    order: Literal["name", "clients"] = "name"


class ChannelShown(Body, frozen=True, omit_defaults=False):
    """One of them."""

    channel: str
    clients: int


class ChannelList(Body, frozen=True, omit_defaults=False):
    """A page; `more`: there are others behind it."""

    channels: list[ChannelShown]
    more: bool


class OneChannel(Body, frozen=True):
    """Which channel."""

    channel: str


class ChannelInFull(Body, frozen=True, omit_defaults=False):
    """What holds for a channel, whoever is in it. `app` "": the namespace is the configuration's. `epoch` "": there is no history."""

    channel: str
    namespace: str
    app: str
    clients: int
    users: int
    epoch: str
    offset: int
    history_size: int
    history_ttl_ms: int
    presence: bool
    join_leave: bool
    binary: bool
    slow_reader: str


class ClientShown(Body, frozen=True, omit_defaults=False):
    """A subscriber."""

    client: str
    user: str
    conn_info: Raw
    chan_info: Raw


class ClientList(Body, frozen=True, omit_defaults=False):
    """Who is subscribed."""

    clients: list[ClientShown]
    total: int


class ReadHistory(Body, frozen=True):
    """A page of a channel's log, from behind a position on, or from an end."""

    channel: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 50
    since: StreamPosition | None = None
    reverse: bool = True


class PublicationShown(Body, frozen=True, omit_defaults=False):
    """A publication; what is no JSON stands in `b64data`."""

    offset: int
    data: Raw
    b64data: str
    user: str
    client: str
    tags: dict[str, str]


class HistoryShown(Body, frozen=True, omit_defaults=False):
    """The page, and where the log stands."""

    publications: list[PublicationShown]
    epoch: str
    offset: int


class ChannelOperations:
    """Answers operators: whatever a namespace allows its clients, and only for the namespaces that the key may use.

    Args:
        catalogue: the namespaces.
        cluster: all gateways.
        reader: reads logs.
        storage: knows where they stand.
    """

    def __init__(self, catalogue: Catalogue, cluster: Cluster, reader: Reader, storage: Storage) -> None:
        self._catalogue, self._cluster, self._reader, self._storage = catalogue, cluster, reader, storage

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "channels.list": (ListChannels, ChannelList, self.list_channels),
            "channels.show": (OneChannel, ChannelInFull, self.show),
            "channels.presence": (OneChannel, ClientList, self.presence),
            "channels.history": (ReadHistory, HistoryShown, self.history),
        }

    async def list_channels(self, request: ListChannels, caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 100, a living gateway does not answer."""
        if request.order == "clients":
            found, more = await self._cluster.largest_channels(request.pattern, request.limit, deadline)
        else:
            found, more = await self._cluster.page_of_channels(request.pattern, request.after, request.limit, deadline)
        shown = [ChannelShown(channel=name, clients=count) for name, count in found.items() if caller.may_use(name)]
        return ChannelList(channels=shown, more=more)

    async def show(self, request: OneChannel, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 102 or 107, there is no such channel; 100."""
        rule = self._catalogue.rule(request.channel)
        spec = rule.spec
        clients, users = await self._cluster.everyone_counted(request.channel, deadline)
        heads = await self._storage.heads([request.channel], deadline) if spec.has_history else []
        return ChannelInFull(
            channel=request.channel,
            namespace=spec.name,
            app=rule.app,
            clients=clients,
            users=users,
            epoch=heads[0].epoch if heads else "",
            offset=heads[0].head if heads else 0,
            history_size=spec.history_size,
            history_ttl_ms=spec.history_ttl_ms,
            presence=spec.presence,
            join_leave=spec.join_leave,
            binary=spec.binary,
            slow_reader=spec.slow_reader,
        )

    async def presence(self, request: OneChannel, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 102, 107; 106, there are more than may be listed; 100."""
        self._catalogue.rule(request.channel)
        found = await self._cluster.everyone(request.channel, deadline)
        return ClientList(clients=[_client(info) for info in found.values()], total=len(found))

    async def history(self, request: ReadHistory, caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 102, 107; 108, there is no history; 112, the position is of another epoch; 100."""
        permit_channel(caller, request.channel)
        if not self._catalogue.rule(request.channel).spec.has_history:
            raise CausewayError(ErrorName.NOT_AVAILABLE)
        query = HistoryRequest(channel=request.channel, since=request.since, reverse=request.reverse)
        page, _ = await self._reader.page(request.channel, query, request.limit, HISTORY_MAX_BYTES, deadline=deadline)
        shown = [publication_shown(each.offset, bytes(each.data), each.info, each.tags) for each in page.publications]
        return HistoryShown(publications=shown, epoch=page.epoch, offset=page.offset)


def publication_shown(offset: int, data: bytes, info: Any, tags: dict[str, str] | None) -> PublicationShown:
    """A publication for the eye of a program. `info`: who published, None where nobody did."""
    readable = _is_json(data)
    return PublicationShown(
        offset=offset,
        data=Raw(data) if readable else NULL,
        b64data="" if readable else base64.b64encode(data).decode(),
        user=info.user if info else "",
        client=info.client if info else "",
        tags=tags or {},
    )


def _client(info: ClientInfo) -> ClientShown:
    conn, chan = (Raw(value) if value and _is_json(value) else NULL for value in (info.conn_info, info.chan_info))
    return ClientShown(client=info.client, user=info.user, conn_info=conn, chan_info=chan)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
