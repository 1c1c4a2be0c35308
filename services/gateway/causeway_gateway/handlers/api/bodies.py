"""Requests and results of the server API, under the field names that `cent` and Centrifugo's clients use. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from causeway_common.contracts.messages import Override as BusOverride
from causeway_gateway.domain.protocol import ClientInfo, Publication, Raw, StreamPosition

Json = Raw | UnsetType
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of requests and results: by name, defaults left out, unknown fields skipped."""


class BoolValue(Body, frozen=True):
    """A boolean that may be absent."""

    value: bool = False


class Override(Body, frozen=True):
    """Options of the namespace that one subscription has otherwise."""

    presence: BoolValue | None = None
    join_leave: BoolValue | None = None
    force_push_join_leave: BoolValue | None = None
    force_positioning: BoolValue | None = None
    force_recovery: BoolValue | None = None

    def for_bus(self) -> BusOverride:
        """As the gateways tell it each other."""
        values = {name: found.value for name in self.__struct_fields__ if (found := getattr(self, name)) is not None}
        return BusOverride(**values)


class Publishing(Body, frozen=True):
    """What publish and broadcast have in common. One of `data` (any JSON) and `b64data` is required."""

    data: Json = UNSET
    b64data: str | None = None
    skip_history: bool | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str | None = None
    delta: bool | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    version_epoch: str | None = None


class PublishRequest(Publishing, frozen=True):
    """Publish into a channel."""

    channel: str = ""


class BroadcastRequest(Publishing, frozen=True):
    """Publish the same into many channels."""

    channels: list[str] = []


class PublishResult(Body, frozen=True):
    """Where it is; empty in channels without history."""

    offset: int = 0
    epoch: str = ""


class UserRequest(Body, frozen=True):
    """Connections of a user; `client` or `session` narrow it to one."""

    user: str | None = None
    client: str | None = None
    session: str | None = None


class SubscribeRequest(UserRequest, frozen=True):
    """Subscribe connections of a user."""

    channel: str = ""
    info: Json = UNSET
    b64info: str | None = None
    data: Json = UNSET
    b64data: str | None = None
    recover_since: StreamPosition | None = None
    expire_at: Seconds | None = None
    override: Override | None = None


class UnsubscribeRequest(UserRequest, frozen=True):
    """End a subscription of connections of a user."""

    channel: str = ""


class Disconnect(Body, frozen=True):
    """A close code and its reason."""

    code: int = 0
    reason: str = ""


class DisconnectRequest(UserRequest, frozen=True):
    """Close connections of a user, but for those of `whitelist` (client ids)."""

    whitelist: list[str] | None = None
    disconnect: Disconnect | None = None


class RefreshRequest(UserRequest, frozen=True):
    """Say when connections of a user expire."""

    expired: bool | None = None
    expire_at: Seconds | None = None
    info: Json = UNSET


class ChannelRequest(Body, frozen=True):
    """A channel."""

    channel: str = ""


class PresenceResult(Body, frozen=True):
    """Who is subscribed, by client id."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Body, frozen=True):
    """How many are subscribed."""

    num_clients: int
    num_users: int


class HistoryRequest(Body, frozen=True):
    """A page of a channel's log: `limit` 0 asks for the position alone, -1 for everything."""

    channel: str = ""
    limit: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    since: StreamPosition | None = None
    reverse: bool | None = None


class HistoryResult(Body, frozen=True):
    """The page and the position."""

    publications: list[Publication]
    epoch: str
    offset: int


class ChannelsRequest(Body, frozen=True):
    """Channels with subscribers whose names match a glob."""

    pattern: str | None = None


class ChannelInfo(Body, frozen=True):
    """One of them."""

    num_clients: int


class ChannelsResult(Body, frozen=True):
    """Name to channel."""

    channels: dict[str, ChannelInfo]


class InfoRequest(Body, frozen=True):
    """How are the gateways?"""


class Process(Body, frozen=True):
    """Percent of one core, bytes."""

    cpu: float
    rss: int


class Node(Body, frozen=True):
    """One gateway; `uptime` in seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int
    uptime: int
    process: Process


class InfoResult(Body, frozen=True):
    """All gateways. `storage`: `sqlite` or `mongodb`; absent while storage was not heard of."""

    nodes: list[Node]
    storage: str = ""


class RpcRequest(Body, frozen=True):
    """Call an app's method in nobody's name."""

    method: str = ""
    params: Json = UNSET


class RpcResult(Body, frozen=True):
    """The app's answer."""

    data: Raw


class RevokeRequest(Body, frozen=True):
    """Tokens that are good no more: a user's (issued before `issued_before`, by default now), a client id's, or one by its `jti`."""

    user: str | None = None
    client: str | None = None
    jti: str | None = None
    issued_before: Seconds | None = None
    expire_at: Seconds | None = None


class BatchRequest(Body, frozen=True):
    """Commands, each `{"<method>": {…}}`."""

    commands: list[dict[str, Raw]] = []
    parallel: bool | None = None


class Empty(Body, frozen=True):
    """Done."""


class ApiError(Body, frozen=True, omit_defaults=False):
    """The error object."""

    code: int
    message: str
    temporary: bool


class ApiReply(Body, frozen=True):
    """The envelope of an answer; one of the two is there."""

    error: ApiError | None = None
    result: Body | None = None


class BroadcastResult(Body, frozen=True):
    """Each channel's own answer, in the order of the channels."""

    responses: list[ApiReply]
