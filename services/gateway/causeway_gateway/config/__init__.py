"""The gateway's settings: the top of the TOML file under Centrifugo v6's names, `CAUSEWAY_GATEWAY_…` over it."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from causeway_common.contracts.messages import NamespaceSpec
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, IDENTIFIER_RULE, is_identifier
from causeway_common.runtime import Duration, ServiceSettings, Settings
from causeway_gateway.config.operating import ConsoleSettings, HttpApiSettings
from causeway_gateway.domain.tokens import TokenRules, public_key

NAMESPACE_RULE: Final = r"^[-a-zA-Z0-9_.]{2,}$"
PAGE_REACHES: Final = r"^((https://[a-zA-Z0-9.-]+(:\d{1,5})?|http://(127\.0\.0\.1|localhost):\d{1,5})(/[a-zA-Z0-9._~/-]*)?)?$"
"""A URL that a content security policy may name: https, or this machine."""


def _app_or_none(value: str) -> str:
    if value and not is_identifier(value):
        raise ValueError(f"an app's name is {IDENTIFIER_RULE}")
    return value


AppOrNone = Annotated[str, AfterValidator(_app_or_none)]


class HttpServerSettings(Settings):
    """The public listener: WebSocket, server API, the page at `/`."""

    address: str = Field("127.0.0.1", description="its address; empty: all of IPv4")
    port: int = Field(8000, ge=0, le=65535, description="its port; 0: any free one")
    trusted_proxies: list[str] = Field(
        default_factory=list, description="CIDRs of the proxies whose X-Forwarded-For or PROXY header is believed"
    )
    proxy_protocol: bool = Field(default=False, description="those proxies begin every connection with a PROXY protocol header")
    header_timeout: Duration = Field(10_000, ge=100, description="for the head of a connection's first request")
    reuse_port: bool = Field(default=False, description="share the port with other gateways of this machine (SO_REUSEPORT)")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for each in value:
            ipaddress.ip_network(each, strict=False)
        return value


class TokenSettings(Settings):
    """Tokens: JWTs that your own backend signs."""

    hmac_secret_key: SecretStr = Field(
        SecretStr(""), description="the HMAC key (HS256, HS384, HS512); empty: no such token is valid"
    )
    hmac_previous_secret_key: SecretStr = Field(SecretStr(""), description="the HMAC key before it, valid too")
    hmac_previous_secret_key_valid_until: int = Field(
        0, ge=0, description="until then (Unix seconds); 0: as long as it stands here"
    )
    rsa_public_key: str = Field("", description="a public key in PEM form (RS256, RS384, RS512)")
    ecdsa_public_key: str = Field("", description="a public key in PEM form (ES256, ES384, ES512)")
    eddsa_public_key: str = Field("", description="a public key in PEM form (EdDSA, Ed25519)")
    jwks_public_endpoint: str = Field(
        "", description="a key set (JWKS, https) that integrations fetch; a token's `kid` chooses its key"
    )
    audience: str = Field("", description="what `aud` must hold; empty: anything")
    audience_regex: str = Field("", description="what one of `aud` must match as a whole; empty: anything")
    issuer: str = Field("", description="what `iss` must be; empty: anything")
    issuer_regex: str = Field("", description="what `iss` must match as a whole; empty: anything")
    user_id_claim: str = Field("sub", min_length=1, description="the claim that holds the user's id")
    clock_skew: Duration = Field(0, ge=0, le=300_000, description="how far the clock of who signs may be off, for `exp` and `nbf`")

    @field_validator("rsa_public_key", "ecdsa_public_key", "eddsa_public_key")
    @classmethod
    def _a_key(cls, value: str, info: ValidationInfo) -> str:
        if value:
            public_key(value, {"rsa": "RS", "ecd": "ES", "edd": "Ed"}[str(info.field_name)[:3]])
        return value

    @field_validator("audience_regex", "issuer_regex")
    @classmethod
    def _an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        return value

    def rules(self) -> TokenRules:
        """As the domain takes them."""
        return TokenRules(
            hmac_secret_key=self.hmac_secret_key.get_secret_value(),
            hmac_previous_secret_key=self.hmac_previous_secret_key.get_secret_value(),
            hmac_previous_secret_key_valid_until=self.hmac_previous_secret_key_valid_until * 1000,
            rsa_public_key=self.rsa_public_key,
            ecdsa_public_key=self.ecdsa_public_key,
            eddsa_public_key=self.eddsa_public_key,
            key_set=bool(self.jwks_public_endpoint),
            audience=self.audience,
            audience_regex=self.audience_regex,
            issuer=self.issuer,
            issuer_regex=self.issuer_regex,
            user_id_claim=self.user_id_claim,
            skew_ms=self.clock_skew,
        )


class SubscriptionTokenSettings(TokenSettings):
    """Subscription tokens, where they have keys of their own."""

    enabled: bool = Field(default=False, description="subscription tokens have keys of their own; otherwise those of client.token")


class PersonalChannelSettings(Settings):
    """The channel that is a user's own, `#<user>`."""

    enabled: bool = Field(default=False, description="every signed-in client is subscribed to its user's channel")
    namespace: str = Field("", description="the namespace of these channels; empty: they are `#<user>`")


class ClientSettings(Settings):
    """What holds for every client connection."""

    token: TokenSettings = TokenSettings()
    subscription_token: SubscriptionTokenSettings = SubscriptionTokenSettings()
    subscribe_to_user_personal_channel: PersonalChannelSettings = PersonalChannelSettings()
    connect_app: AppOrNone = Field("", description="the app whose connect and refresh hooks are asked; empty: none")
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
    expired_sub_close_delay: Duration = Field(25_000, ge=0, description="grace after a subscription's expiry")
    connection_limit: int = Field(0, ge=0, description="connections of this gateway, beyond: HTTP 503; 0: any")
    connection_limit_per_ip: int = Field(0, ge=0, description="of one IPv4 address or IPv6 /64, beyond: HTTP 429; 0: any")
    connection_rate_limit: int = Field(
        2_000, ge=0, description="connections taken in a second, the others wait in the kernel's queue; 0: any"
    )
    lifecycle_events: bool = Field(default=False, description="connected and disconnected, of users, become durable events")
    lifecycle_debounce: Duration = Field(
        3_000,
        ge=0,
        le=600_000,
        description="an end (disconnected, unsubscribed, last leave) becomes an event after so long without a new beginning",
    )
    user_connection_limit: int = Field(0, ge=0, description="connections of one user on one gateway, beyond: close 3504; 0: any")
    in_flight_limit: int = Field(256, ge=1, le=4096, description="commands of one connection under way, beyond: error 111")
    presence_max_clients: int = Field(1_000, ge=1, le=5_000, description="clients that one presence lists, beyond: error 106")
    queue_max_size: int = Field(1_048_576, ge=1024, description="bytes that may wait for a slow reader, beyond: close 3008")
    channel_limit: int = Field(128, ge=1, description="subscriptions of one connection, beyond: error 106")
    recovery_max_publication_limit: int = Field(300, ge=1, description="publications of one recovery, beyond: recovered false")
    history_max_publication_limit: int = Field(300, ge=1, description="publications of one history reply")

    @model_validator(mode="after")
    def _pong_before_ping(self) -> Self:
        if self.ping_interval and self.pong_timeout >= self.ping_interval:
            raise ValueError("pong_timeout must be shorter than ping_interval")
        return self


class SwitchSettings(Settings):
    """A transport that is off unless it is switched on."""

    enabled: bool = Field(default=False, description="serve it")


class WebSocketSettings(Settings):
    """The WebSocket transport."""

    disabled: bool = Field(default=False, description="do not serve it")
    compression: bool = Field(default=False, description="accept permessage-deflate where a client offers it")
    message_size_limit: int = Field(
        65_536,
        ge=1024,
        description="bytes of one message of a client, or of a body of a stream or /emulation; beyond: close 1009 or HTTP 413",
    )


class ChannelOptions(Settings):
    """The options of a namespace."""

    history_meta_ttl: Duration = Field(
        0, ge=0, description="how long a quiet channel's position is kept; 0s and anything below 30 days: 30 days"
    )
    force_recovery_mode: Literal["stream", "cache"] = Field(
        "stream", description="what a recovery gives: all that was missed, or the newest publication"
    )
    presence: bool = Field(default=False, description="who is subscribed can be asked")
    join_leave: bool = Field(default=False, description="joins and leaves are told to subscribers that want to know")
    force_push_join_leave: bool = Field(default=False, description="joins and leaves are told to every subscriber")
    allow_presence_for_client: bool = Field(default=False, description="any signed-in client may ask who is subscribed")
    allow_presence_for_anonymous: bool = Field(default=False, description="anonymous clients too may ask who is subscribed")
    allow_presence_for_subscriber: bool = Field(default=False, description="whoever is subscribed may ask who is subscribed")
    allow_user_limited_channels: bool = Field(default=False, description="`ns:x#17,42` is for the users 17 and 42 alone")
    channel_regex: str = Field(
        "", description="what stands behind the namespace must match this; empty: ASCII, and any user behind #"
    )
    allowed_delta_types: list[Literal["fossil"]] = Field(default_factory=list, description="publications may go as patches")
    delta_publish: bool = Field(default=False, description="every publication may go as a patch, not only those that say so")
    allow_tags_filter: bool = Field(default=False, description="subscribers may filter publications by their tags")
    binary: bool = Field(default=False, description="publications are any bytes; only Protobuf clients may subscribe")
    publish_rate_limit: int = Field(0, ge=0, description="publications of one connection in a second, beyond: error 111; 0: any")
    slow_reader: Literal["close", "drop", "conflate"] = Field(
        "close",
        description="a client that does not keep up: closed (3008; positioned ones always), misses publications, or gets the newest per key",
    )
    conflate_tag: str = Field("", description="the tag whose value is the key of `conflate`; empty: the channel is")
    lifecycle_events: bool = Field(default=False, description="subscribed and unsubscribed become durable events")
    occupancy_events: bool = Field(default=False, description="the first join and the last leave become durable events")
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
        whole = self.force_positioning or (self.force_recovery and self.force_recovery_mode == "stream")
        if self.slow_reader != "close" and whole:
            raise ValueError("slow_reader must be close where subscriptions are positioned, or recoverable but for the mode cache")
        if self.force_push_join_leave and not self.join_leave:
            raise ValueError("force_push_join_leave needs join_leave")
        if self.force_recovery_mode == "cache" and not self.history_size:
            raise ValueError("force_recovery_mode cache needs history (history_size and history_ttl)")
        if self.conflate_tag and self.slow_reader != "conflate":
            raise ValueError('conflate_tag needs slow_reader = "conflate"')
        if self.delta_publish and not self.allowed_delta_types:
            raise ValueError('delta_publish needs allowed_delta_types = ["fossil"]')
        try:
            re.compile(self.channel_regex)
        except re.error as error:
            raise ValueError(f"channel_regex is no regular expression: {error}") from error
        return self

    def spec(self, name: str) -> NamespaceSpec:
        """These options as the contracts carry them; "" is what holds for channels without a namespace."""
        options = self.model_dump(exclude={"history_ttl", "history_meta_ttl", "name"})
        return NamespaceSpec(name=name, history_ttl_ms=self.history_ttl, history_meta_ttl_ms=self.history_meta_ttl, **options)


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

    default_app: AppOrNone = Field("", description="the app of methods without a dot; empty: there is none, they are 108")


class OidcSettings(Settings):
    """`[web.oidc]`: where the web application's users sign in. It holds no secret: the page is told all of it."""

    authority: str = Field(
        "", pattern=PAGE_REACHES, description="the OpenID Connect issuer; empty: the page has the door of dev alone"
    )
    client_id: str = Field("", max_length=256, description="of the page there: a public client, authorization code with PKCE")
    scope: str = Field(
        "openid offline_access", max_length=1024, description="what it asks for; refresh tokens keep a connection alive"
    )
    token: Literal["access_token", "id_token"] = Field("access_token", description="which of its tokens goes to the gateway")
    origins: list[Annotated[str, Field(pattern=PAGE_REACHES)]] = Field(
        [], description="what the page may reach beside the authority, such as a token endpoint of another origin"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.authority and not self.client_id:
            raise ValueError("web.oidc.client_id is needed where there is an authority")
        return self


class WebSettings(Settings):
    """A web application of files, beside the clients' endpoints."""

    directory: str = Field("", description="a folder of built files that is served at `/`, read at the start; empty: a short page")
    playground_url: str = Field(
        "",
        pattern=r"^(http://127\.0\.0\.1:\d{1,5})?$",
        description="where the page may have processes killed: set by `causeway dev` for itself, on loopback only; empty: nowhere",
    )
    playground_token: SecretStr = Field(SecretStr(""), description="what opens that; told to the page")
    oidc: OidcSettings = OidcSettings()


class ShutdownSettings(Settings):
    """How the gateway leaves."""

    drain: Duration = Field(2_000, ge=0, le=60_000, description="clients are closed (3001) evenly over this time")


class GatewaySettings(ServiceSettings):
    """Everything the gateway is told."""

    http_server: HttpServerSettings = HttpServerSettings()
    client: ClientSettings = ClientSettings()
    websocket: WebSocketSettings = WebSocketSettings()
    http_stream: SwitchSettings = SwitchSettings()
    sse: SwitchSettings = SwitchSettings()
    uni_websocket: SwitchSettings = SwitchSettings()
    uni_http_stream: SwitchSettings = SwitchSettings()
    uni_sse: SwitchSettings = SwitchSettings()
    channel: ChannelSettings = ChannelSettings()
    rpc: RpcSettings = RpcSettings()
    http_api: HttpApiSettings = HttpApiSettings()
    console: ConsoleSettings = ConsoleSettings()
    web: WebSettings = WebSettings()
    shutdown: ShutdownSettings = ShutdownSettings()

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.http_api.port and self.http_api.port == self.http_server.port:
            raise ValueError("http_api.port must differ from http_server.port; 0 serves the server API there")
        if self.console.enabled and self.console.port and self.console.port in (self.http_server.port, self.http_api.port):
            raise ValueError("console.port must differ from http_server.port and http_api.port")
        return self
