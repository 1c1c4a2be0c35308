"""The gateway's settings: the top of the TOML file under Centrifugo v6's names, `CAUSEWAY_GATEWAY_…` over it."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from causeway_common.contracts.messages import NamespaceSpec
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, ServiceSettings, Settings

NAMESPACE_RULE: Final = r"^[-a-zA-Z0-9_.]{2,}$"


class HttpServerSettings(Settings):
    """The public listener: WebSocket, server API, the page at `/`."""

    address: str = Field("127.0.0.1", description="its address; empty: all of IPv4")
    port: int = Field(8000, ge=0, le=65535, description="its port; 0: any free one")
    reuse_port: bool = Field(default=False, description="share the port with other gateways of this machine (SO_REUSEPORT)")


class TokenSettings(Settings):
    """Connection tokens."""

    hmac_secret_key: SecretStr = Field(SecretStr(""), description="the HMAC key; empty: no token is valid")


class ClientSettings(Settings):
    """What holds for every client connection."""

    token: TokenSettings = TokenSettings()
    insecure: bool = Field(
        default=False, description="no token needed, every channel right given; a token that is sent is verified"
    )
    allow_anonymous_connect_without_token: bool = Field(default=False, description="without a token the user is anonymous")
    disallow_anonymous_connection_tokens: bool = Field(default=False, description="a token needs a user (3507)")
    allowed_origins: list[str] = Field(
        default_factory=list, description="globs of allowed Origin headers; empty: only the gateway's own host, or no Origin at all"
    )
    ping_interval: Duration = Field(25_000, ge=0, description="between pings; 0s: none")
    pong_timeout: Duration = Field(8_000, ge=0, description="for the answer to a ping; 0s: none is asked for")
    stale_close_delay: Duration = Field(10_000, ge=1, description="for the connect command after the connection was opened")
    expired_close_delay: Duration = Field(25_000, ge=0, description="grace after a connection's expiry")
    queue_max_size: int = Field(1_048_576, ge=1024, description="bytes that may wait for a slow reader, beyond: close 3008")
    channel_limit: int = Field(128, ge=1, description="subscriptions of one connection, beyond: error 106")
    recovery_max_publication_limit: int = Field(300, ge=1, description="publications of one recovery, beyond: recovered false")
    history_max_publication_limit: int = Field(300, ge=1, description="publications of one history reply")

    @model_validator(mode="after")
    def _pong_before_ping(self) -> Self:
        if self.ping_interval and self.pong_timeout >= self.ping_interval:
            raise ValueError("pong_timeout must be shorter than ping_interval")
        return self


class WebSocketSettings(Settings):
    """The WebSocket transport."""

    message_size_limit: int = Field(65_536, ge=1024, description="bytes of one message of a client, beyond: WebSocket close 1009")


class ChannelOptions(Settings):
    """The options of a namespace."""

    history_size: int = Field(0, ge=0, description="publications kept for each channel; 0: no history")
    history_ttl: Duration = Field(0, ge=0, description="how long each is kept; 0s: no history")
    force_recovery: bool = Field(default=False, description="subscriptions are recoverable unasked")
    force_positioning: bool = Field(default=False, description="subscriptions are positioned unasked")
    allow_subscribe_for_client: bool = Field(default=False, description="any signed-in client may subscribe")
    allow_subscribe_for_anonymous: bool = Field(default=False, description="anonymous clients too may subscribe")
    allow_publish_for_client: bool = Field(default=False, description="any signed-in client may publish")
    allow_publish_for_anonymous: bool = Field(default=False, description="anonymous clients too may publish")
    allow_publish_for_subscriber: bool = Field(default=False, description="whoever is subscribed to the channel may publish")
    allow_history_for_client: bool = Field(default=False, description="any signed-in client may read the history")
    allow_history_for_anonymous: bool = Field(default=False, description="anonymous clients too may read the history")
    allow_history_for_subscriber: bool = Field(
        default=False, description="whoever is subscribed to the channel may read the history"
    )

    @model_validator(mode="after")
    def _history_whole(self) -> Self:
        if (self.history_size > 0) != (self.history_ttl > 0):
            raise ValueError("history needs both history_size and history_ttl above 0, or neither")
        if not self.history_size and (self.force_recovery or self.force_positioning):
            raise ValueError("force_recovery and force_positioning need history (history_size and history_ttl)")
        return self

    def spec(self, name: str) -> NamespaceSpec:
        """These options as the contracts carry them; "" is what holds for channels without a namespace."""
        options = self.model_dump(exclude={"history_ttl", "name"})
        return NamespaceSpec(name=name, history_ttl_ms=self.history_ttl, **options)


class NamespaceSettings(ChannelOptions):
    """A namespace."""

    name: str = Field(pattern=NAMESPACE_RULE, description="its channels are <name>:<anything>")


class ChannelSettings(Settings):
    """Channels and their namespaces."""

    max_length: int = Field(CHANNEL_MAX_BYTES, ge=1, le=CHANNEL_MAX_BYTES, description="bytes of a channel's name")
    without_namespace: ChannelOptions = ChannelOptions()
    namespaces: list[NamespaceSettings] = Field(default_factory=list)

    @field_validator("namespaces")
    @classmethod
    def _no_name_twice(cls, namespaces: list[NamespaceSettings]) -> list[NamespaceSettings]:
        names = [namespace.name for namespace in namespaces]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each name may stand once, these stand more often: {', '.join(twice)}")
        return namespaces

    def specs(self) -> list[NamespaceSpec]:
        """Every namespace of the file."""
        return [self.without_namespace.spec(""), *(namespace.spec(namespace.name) for namespace in self.namespaces)]


class RpcSettings(Settings):
    """Calls of apps."""

    default_app: str = Field("", description="the app of methods without a dot; empty: there is none, they are 108")

    @field_validator("default_app")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if value and not is_identifier(value):
            raise ValueError(f"an app's name is {IDENTIFIER_RULE}")
        return value


class HttpApiSettings(Settings):
    """The server API."""

    disabled: bool = Field(default=False, description="no server API")
    key: SecretStr = Field(SecretStr(""), description="what X-API-Key must hold; empty: no server API")


class ShutdownSettings(Settings):
    """How the gateway leaves."""

    drain: Duration = Field(2_000, ge=0, le=60_000, description="clients are closed (3001) evenly over this time")


class GatewaySettings(ServiceSettings):
    """Everything the gateway is told."""

    http_server: HttpServerSettings = HttpServerSettings()
    client: ClientSettings = ClientSettings()
    websocket: WebSocketSettings = WebSocketSettings()
    channel: ChannelSettings = ChannelSettings()
    rpc: RpcSettings = RpcSettings()
    http_api: HttpApiSettings = HttpApiSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
