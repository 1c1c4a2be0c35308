"""Gateways: control, presence, what they tell of themselves, revocations."""

from __future__ import annotations

from causeway_common.contracts.messages.apps import Override
from causeway_common.contracts.messages.base import ClientInfo, Message


class SubscribeUser(Message, frozen=True, tag_field="do", tag="subscribe"):
    """Subscribe connections of a user. `client` or `session` narrow it to one; `recover` from `offset` in `epoch`."""

    user: str
    channel: str
    client: str = ""
    session: str = ""
    info: bytes | None = None
    data: bytes | None = None
    recover: bool = False
    offset: int = 0
    epoch: str = ""
    expire_at_ms: int = 0
    override: Override | None = None


class UnsubscribeUser(Message, frozen=True, tag_field="do", tag="unsubscribe"):
    """End a subscription of connections of a user."""

    user: str
    channel: str
    client: str = ""
    session: str = ""


class DisconnectUser(Message, frozen=True, tag_field="do", tag="disconnect"):
    """Close connections of a user, but for the client ids of `whitelist`."""

    user: str
    client: str = ""
    session: str = ""
    whitelist: list[str] = []
    code: int = 3503
    reason: str = "force disconnect"


class RefreshUser(Message, frozen=True, tag_field="do", tag="refresh"):
    """Change when connections of a user expire (`expire_at_ms`, 0: never), or expire them now."""

    user: str
    client: str = ""
    session: str = ""
    expired: bool = False
    expire_at_ms: int = 0
    info: bytes | None = None


Control = SubscribeUser | UnsubscribeUser | DisconnectUser | RefreshUser


class ControlRequest(Message, frozen=True):
    """Do this with the connections of one gateway."""

    command: Control


class ControlReply(Message, frozen=True):
    """Done. How many connections it met."""

    clients: int


class PresenceRequest(Message, frozen=True):
    """Who is subscribed to a channel on one gateway; at most `limit` are listed. `everyone`: also who does not count in its presence."""

    channel: str
    limit: int
    everyone: bool = False


class PresenceReply(Message, frozen=True):
    """The clients of one gateway, `total` of them."""

    clients: list[ClientInfo]
    total: int


class PresenceStatsRequest(Message, frozen=True):
    """How many are subscribed to a channel on one gateway, likewise."""

    channel: str
    everyone: bool = False


class PresenceStatsReply(Message, frozen=True):
    """Clients, and the users' 8-byte digests (contracts.ids.user_digest) so that a user on two gateways counts once."""

    clients: int
    users: list[bytes]


class PresenceCounts(Message, frozen=True):
    """How many clients and users are subscribed to a channel on all gateways."""

    clients: int
    users: int


class ChannelsRequest(Message, frozen=True):
    """The channels of one gateway that match a glob ("" is all), `after` this name in order; or with `top` as many with the most clients."""

    pattern: str = ""
    after: str = ""
    top: int = 0


class ChannelsReply(Message, frozen=True):
    """One page, in order: name to number of clients. `more`: ask again after the last name."""

    channels: dict[str, int]
    more: bool = False


class ClientsRequest(Message, frozen=True):
    """The connections of a user on one gateway; at most `limit` are listed."""

    user: str
    limit: int


class ConnectedClient(Message, frozen=True):
    """A connection. `name` and `version` are what its SDK says of itself; `channels` the first of those it is subscribed to."""

    client: str
    transport: str
    codec: str
    name: str
    version: str
    address: str
    connected_ms: int
    channels: list[str] = []
    num_channels: int = 0


class ClientsReply(Message, frozen=True):
    """The connections on one gateway, `total` of them."""

    clients: list[ConnectedClient]
    total: int


class NodeInfoRequest(Message, frozen=True):
    """How is this gateway?"""


class NodeInfo(Message, frozen=True):
    """One gateway as the server API's `info` shows it; `uptime` in seconds, `cpu` in percent of one core, `rss` in bytes."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_subs: int
    num_channels: int
    uptime: int
    cpu: float = 0.0
    rss: int = 0


class EmulateRequest(Message, frozen=True):
    """A frame of a client whose stream is at this gateway."""

    session: str
    data: bytes


class EmulateReply(Message, frozen=True):
    """`found` false: there is no such session any more."""

    found: bool


class NodeBeat(Message, frozen=True):
    """A process in the KV bucket `cw_nodes`; an empty value means that it has left. `database`: what a storage process keeps data in."""

    node: str
    service: str
    version: str
    started_ms: int
    at_ms: int
    database: str = ""


class Revocation(Message, frozen=True):
    """Tokens that are good no more, in the KV bucket `cw_revocations`. One of user, client and jti is set.

    Tokens of `user` issued before `issued_before_ms` (0: all of them), a client id, or one token by its `jti`, until `expire_at_ms`.
    `ban`: the user comes in by no way at all, until it is lifted; `by` whom, `at_ms` when and for what `reason`.
    """

    user: str | None = None
    client: str = ""
    jti: str = ""
    issued_before_ms: int = 0
    expire_at_ms: int = 0
    ban: bool = False
    by: str = ""
    at_ms: int = 0
    reason: str = ""
