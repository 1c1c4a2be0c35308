"""What the transports are told by the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Which endpoints are served. A switched-off path is 404 with a line that names its option."""

    websocket: bool = True
    http_stream: bool = False
    sse: bool = False
    uni_websocket: bool = False
    uni_http_stream: bool = False
    uni_sse: bool = False
    echo: bool = False


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What holds for every connection, whatever its transport.

    Attributes:
        endpoints: which are served.
        origins: allowed Origin headers, globs; without any, only pages of the request's own host.
        message_max: bytes of one message, or of one request's body, of a client.
        queue_max: bytes that may wait for a slow reader.
        compression: permessage-deflate is accepted where a client offers it.
        ping_interval: milliseconds between native WebSocket pings, for the connections that have them; 0: none.
        pong_timeout: milliseconds for the answer to one; 0: none is waited for.
        trusted_proxies: CIDRs of the proxies whose word on a client's address is taken.
        proxy_protocol: those proxies open every connection with a PROXY protocol header (version 1 or 2).
        connection_limit: connections of this gateway, beyond: 503; 0: no limit.
        connection_limit_per_ip: connections of one IPv4 address or one IPv6 /64, beyond: 429; 0: no limit.
        connection_rate: connections taken a second, the rest waits in the kernel's accept queue; 0: no limit.
        header_seconds: for the head of a connection's first request, and for the body of every one.
    """

    endpoints: Endpoints = field(default_factory=Endpoints)
    origins: Sequence[str] = ()
    message_max: int = 65_536
    queue_max: int = 1_048_576
    compression: bool = False
    ping_interval: int = 25_000
    pong_timeout: int = 8_000
    trusted_proxies: Sequence[str] = ()
    proxy_protocol: bool = False
    connection_limit: int = 0
    connection_limit_per_ip: int = 0
    connection_rate: int = 0
    header_seconds: float = 10.0
