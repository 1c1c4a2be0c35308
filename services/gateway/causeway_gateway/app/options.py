"""The settings as the parts of a gateway take them: what each session and each transport is told, sockets and pages."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from causeway_common.runtime import StartError
from causeway_gateway import __version__
from causeway_gateway.adapters.acceptor import bind
from causeway_gateway.adapters.console import INDEX as CONSOLE_INDEX
from causeway_gateway.adapters.pages import Pages, Playground, SignIn
from causeway_gateway.adapters.settings import Endpoints, TransportSettings
from causeway_gateway.config import GatewaySettings, WebSettings
from causeway_gateway.domain.admission import SessionOptions

TEST_ECHO: Final = "CAUSEWAY_GATEWAY_TEST_ECHO"


def session_options(settings: GatewaySettings) -> SessionOptions:
    """What every session is told."""
    client = settings.client
    return SessionOptions(
        version=f"causeway {__version__}",
        insecure=client.insecure,
        anonymous=client.allow_anonymous_connect_without_token,
        anonymous_tokens=not client.disallow_anonymous_connection_tokens,
        ping_interval=client.ping_interval,
        pong_timeout=client.pong_timeout,
        stale_delay=client.stale_close_delay,
        expired_delay=client.expired_close_delay,
        expired_sub_delay=client.expired_sub_close_delay,
        channel_limit=client.channel_limit,
        in_flight_limit=client.in_flight_limit,
        recovery_max_bytes=client.queue_max_size // 2,
        default_app=settings.rpc.default_app,
        connect_app=client.connect_app,
        personal_channel=client.subscribe_to_user_personal_channel.enabled,
        personal_channel_namespace=client.subscribe_to_user_personal_channel.namespace,
    )


def transport_settings(settings: GatewaySettings) -> TransportSettings:
    """What every transport is told."""
    client, http = settings.client, settings.http_server
    return TransportSettings(
        endpoints=Endpoints(
            websocket=not settings.websocket.disabled,
            http_stream=settings.http_stream.enabled,
            sse=settings.sse.enabled,
            uni_websocket=settings.uni_websocket.enabled,
            uni_http_stream=settings.uni_http_stream.enabled,
            uni_sse=settings.uni_sse.enabled,
            echo=os.environ.get(TEST_ECHO) == "1",
        ),
        origins=client.allowed_origins,
        message_max=settings.websocket.message_size_limit,
        queue_max=client.queue_max_size,
        compression=settings.websocket.compression,
        ping_interval=client.ping_interval,
        pong_timeout=client.pong_timeout,
        trusted_proxies=http.trusted_proxies,
        proxy_protocol=http.proxy_protocol,
        connection_limit=client.connection_limit,
        connection_limit_per_ip=client.connection_limit_per_ip,
        connection_rate=client.connection_rate_limit,
        header_seconds=http.header_timeout / 1000,
    )


def web_pages(settings: WebSettings, user_claim: str) -> Pages | None:
    """The web application; None where none is named. `user_claim`: of the tokens, as the page must know too. Raises StartError: it is not there."""
    oidc = settings.oidc
    sign_in = (
        SignIn(oidc.authority, oidc.client_id, oidc.scope, oidc.token, user_claim, tuple(oidc.origins)) if oidc.authority else None
    )
    url, token = settings.playground_url, settings.playground_token.get_secret_value()
    try:
        return Pages(Path(settings.directory), Playground(url, token) if url else None, sign_in) if settings.directory else None
    except OSError as error:
        raise StartError(f"web.directory: {error}") from error


def console_pages(directory: str) -> Pages | None:
    """The console's page, likewise."""
    try:
        return Pages(Path(directory), index=CONSOLE_INDEX) if directory else None
    except OSError as error:
        raise StartError(f"console.directory: {error}") from error


def bound(address: str, port: int, option: str, *, reuse_port: bool) -> socket.socket:
    """The socket of a listener. Raises StartError: its port, which `option` chooses, cannot be had."""
    try:
        return bind(address, port, reuse_port=reuse_port)
    except OSError as error:
        raise StartError(f"cannot listen on {address}:{port} ({error.strerror}); choose another port with {option}") from error
