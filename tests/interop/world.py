"""The stack that the SDKs meet: two gateways on one port, every transport on, a namespace for each feature."""

from __future__ import annotations

from typing import Any

import jwt

from support.stack import Stack

SEEN = """
presence = true
allow_presence_for_subscriber = true
allow_subscribe_for_client = true
allow_publish_for_subscriber = true
"""
LOGGED = """
history_size = 1000
history_ttl = "1h"
allow_history_for_subscriber = true
"""
CONFIG = f"""
[nats]
heartbeat = "500ms"
silence = "3s"

[client]
ping_interval = "1s"
pong_timeout = "500ms"
expired_close_delay = "1s"
expired_sub_close_delay = "1s"
allow_anonymous_connect_without_token = true

[client.subscribe_to_user_personal_channel]
enabled = true
namespace = "personal"

[rpc]
default_app = "chat"

[http_stream]
enabled = true
[sse]
enabled = true
[uni_websocket]
enabled = true
[uni_http_stream]
enabled = true
[uni_sse]
enabled = true

[[channel.namespaces]]
name = "plain"
{SEEN}

[[channel.namespaces]]
name = "news"
force_recovery = true
{SEEN}{LOGGED}

[[channel.namespaces]]
name = "asked"
{SEEN}{LOGGED}

[[channel.namespaces]]
name = "delta"
force_recovery = true
allowed_delta_types = ["fossil"]
delta_publish = true
{SEEN}{LOGGED}

[[channel.namespaces]]
name = "cache"
force_recovery = true
force_recovery_mode = "cache"
{SEEN}{LOGGED}

[[channel.namespaces]]
name = "room"
join_leave = true
force_push_join_leave = true
{SEEN}

[[channel.namespaces]]
name = "tagged"
allow_tags_filter = true
{SEEN}

[[channel.namespaces]]
name = "secret"
presence = true
allow_presence_for_subscriber = true
{LOGGED}
force_recovery = true

[[channel.namespaces]]
name = "personal"
allow_user_limited_channels = true

[[channel.namespaces]]
name = "numbers"
channel_regex = "^[0-9]+$"
allow_subscribe_for_client = true
"""


def url(stack: Stack, transport: str = "websocket") -> str:
    """The address of a transport."""
    scheme = "ws" if transport.endswith("websocket") else "http"
    return f"{scheme}://127.0.0.1:{stack.port}/connection/{transport}"


def options(stack: Stack, transport: str, user: str, *, protobuf: bool = False, **more: Any) -> dict[str, Any]:
    """What the JavaScript SDK is told to connect by one transport."""
    found: dict[str, Any] = {"token": stack.token(user), "protobuf": protobuf}
    if transport == "websocket":
        found["url"] = url(stack)
    else:
        found["transports"] = [{"transport": transport, "endpoint": url(stack, transport)}]
        found["emulationEndpoint"] = f"http://127.0.0.1:{stack.port}/emulation"
    return found | more


def subscription_token(stack: Stack, user: str, channel: str, **claims: Any) -> str:
    """A subscription token."""
    key = stack.credentials["token_hmac_secret_key"]
    return jwt.encode({"sub": user, "channel": channel, **claims}, key, "HS256")
