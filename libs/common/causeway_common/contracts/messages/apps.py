"""Apps: calls, hooks, what they announce."""

from __future__ import annotations

from causeway_common.contracts.messages.base import Message


class RpcRequest(Message, frozen=True):
    """One client's call of one method. `info` is the connection's own JSON value from its token."""

    user: str
    client: str
    data: bytes
    info: bytes | None = None


class RpcReply(Message, frozen=True):
    """The method's answer, one JSON value."""

    data: bytes


class SubscribeHookRequest(Message, frozen=True):
    """May this client watch this channel?"""

    user: str
    client: str
    channel: str
    data: bytes | None = None
    info: bytes | None = None


class Override(Message, frozen=True):
    """Options of the namespace that one subscription has otherwise; None leaves the namespace's."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


class SubscribeHookReply(Message, frozen=True):
    """Yes. `data` goes into the subscribe reply, `info` is the client's `chan_info` in this channel. A denial is an error reply."""

    data: bytes | None = None
    info: bytes | None = None
    expire_at_ms: int = 0
    override: Override | None = None


class HookSubscription(Message, frozen=True):
    """A server-side subscription that a connect hook gives."""

    info: bytes | None = None
    data: bytes | None = None
    override: Override | None = None


class ConnectHookRequest(Message, frozen=True):
    """May this client connect? `headers` are the emulated ones of the client itself: not to be trusted."""

    client: str
    transport: str = ""
    name: str = ""
    version: str = ""
    data: bytes | None = None
    headers: dict[str, str] = {}


class ConnectHookReply(Message, frozen=True):
    """Yes, as this user. `expire_at_ms` 0: for ever. A denial is an error reply.

    `abstained`: the hook has nothing to say about this client, which is treated as if there were no hook; all else is empty.
    """

    user: str = ""
    info: bytes | None = None
    data: bytes | None = None
    meta: bytes | None = None
    expire_at_ms: int = 0
    subs: dict[str, HookSubscription] = {}
    abstained: bool = False


class RefreshHookRequest(Message, frozen=True):
    """A connection that a hook let in is about to expire. May it stay?"""

    user: str
    client: str
    meta: bytes | None = None


class RefreshHookReply(Message, frozen=True):
    """Until when (`expire_at_ms`, 0: for ever), or not (`expired`)."""

    expired: bool = False
    expire_at_ms: int = 0
    info: bytes | None = None


class SubRefreshHookRequest(Message, frozen=True):
    """A subscription that a hook let in is about to expire. May it stay?"""

    user: str
    client: str
    channel: str
    meta: bytes | None = None


class PublishHookRequest(Message, frozen=True):
    """May this client publish `data` here?"""

    user: str
    client: str
    channel: str
    data: bytes
    info: bytes | None = None


class PublishHookReply(Message, frozen=True):
    """Yes; `data` takes the place of what the client sent, `tags` are the publication's."""

    data: bytes | None = None
    tags: dict[str, str] | None = None


class MethodSpec(Message, frozen=True):
    """One RPC method of an app.

    `concurrent`: its calls of one connection need not keep their order. `input` and `output` are JSON Schemas (JSON texts; "" is not
    told). `when_unavailable`, when no instance answers: `error` (temporary) or `queue` (a task of the app, run once one is there again).
    """

    name: str
    concurrent: bool = False
    input: str = ""
    output: str = ""
    when_unavailable: str = "error"


class EventSpec(Message, frozen=True):
    """Events from outside that an app handles: of one source, of one type or of any ("*").

    `order_by`: the path of a value in their data; those of one value come one after the other. "": in no order.
    """

    source: str
    type: str
    order_by: str = ""


class ChannelSpec(Message, frozen=True):
    """A family of an app's channels: its pattern (`lot:{lot_id}`), and the JSON Schema of its messages ("" is not told)."""

    pattern: str
    message: str = ""


class HookFallbacks(Message, frozen=True):
    """What happens when no instance answers a hook: `error` (temporary), `deny` or `allow`."""

    connect: str = "error"
    refresh: str = "error"
    subscribe: str = "error"
    sub_refresh: str = "error"
    publish: str = "error"


class NamespaceSpec(Message, frozen=True):
    """The options of one namespace, whoever declares it (TOML or app). Size and ttl both above 0 mean: it has history.

    `force_recovery_mode` is `stream` or `cache`, `slow_reader` is `close`, `drop` or `conflate` (to the latest per value of the tag
    `conflate_tag`, per channel without one). `publish_rate_limit` counts publications of one connection in a second, 0 is no limit.
    """

    name: str
    history_size: int = 0
    history_ttl_ms: int = 0
    history_meta_ttl_ms: int = 0
    force_recovery: bool = False
    force_recovery_mode: str = "stream"
    force_positioning: bool = False
    presence: bool = False
    join_leave: bool = False
    force_push_join_leave: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_anonymous: bool = False
    allow_presence_for_subscriber: bool = False
    allow_user_limited_channels: bool = False
    channel_regex: str = ""
    allowed_delta_types: list[str] = []
    delta_publish: bool = False
    allow_tags_filter: bool = False
    binary: bool = False
    publish_rate_limit: int = 0
    slow_reader: str = "close"
    conflate_tag: str = ""
    lifecycle_events: bool = False
    occupancy_events: bool = False
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_anonymous: bool = False
    allow_publish_for_subscriber: bool = False
    allow_history_for_client: bool = False
    allow_history_for_anonymous: bool = False
    allow_history_for_subscriber: bool = False
    subscribe_hook: bool = False
    sub_refresh_hook: bool = False
    publish_hook: bool = False
    fallbacks: HookFallbacks = HookFallbacks()

    @property
    def has_history(self) -> bool:
        """Whether publications of this namespace are logged."""
        return self.history_size > 0 and self.history_ttl_ms > 0


class Manifest(Message, frozen=True):
    """What one version of an app announces in the KV bucket `cw_apps`.

    `indexes`: by kind of entity, those that may be asked for. `tasks`, `events` and `lifecycle` (types of lifecycle events): what it
    handles beside calls. `instance` announces, at the time of day `at_ms`; a version of which no instance announces again, but `leaving`,
    has none that lives. Without `instance` nothing is told about that.
    """

    app: str
    version: str
    methods: list[MethodSpec]
    namespaces: list[NamespaceSpec] = []
    connect_hook: bool = False
    refresh_hook: bool = False
    indexes: dict[str, list[str]] = {}
    fallbacks: HookFallbacks = HookFallbacks()
    tasks: list[str] = []
    events: list[EventSpec] = []
    lifecycle: list[str] = []
    channels: list[ChannelSpec] = []
    at_ms: int = 0
    instance: str = ""
    leaving: bool = False


class Route(Message, frozen=True):
    """A canary in the KV bucket `cw_routes`: so many thousandths of a method's users are answered by this version, each user always the same.

    Without a `method` it holds for hooks and for each method that has no route of its own.
    """

    app: str
    method: str
    version: str
    share_permille: int


class CompareHeads(Message, frozen=True):
    """Storage tells the gateways that feed messages may have been lost: compare the heads of what you serve, soon."""
