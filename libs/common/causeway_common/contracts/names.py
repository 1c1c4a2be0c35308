"""Names that come from outside, and how they are checked: channels, methods, apps."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NewType

from causeway_common.contracts.errors import CausewayError, ErrorName

ChannelName = NewType("ChannelName", str)
ClientId = NewType("ClientId", str)
UserId = NewType("UserId", str)
NodeId = NewType("NodeId", str)
Epoch = NewType("Epoch", str)
AppName = NewType("AppName", str)

CHANNEL_MAX_BYTES: Final = 255
NAMESPACE_SEPARATOR: Final = ":"
USERS_BOUNDARY: Final = "#"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
RESERVED_APPS: Final = frozenset({"gateway", "storage", "logic", "integrations", "nats", "causeway", "operator"})
"""No app has these names: as callers on the bus they are services, with a service's rights."""
IDENTIFIER_RULE: Final = "a lower-case letter, then lower-case letters, digits or _"


def is_identifier(text: str) -> bool:
    """Whether `text` may name an app, a method, a hook, a connector or an operation."""
    return len(text) <= 64 and _IDENTIFIER.fullmatch(text) is not None


def is_app_name(text: str) -> bool:
    """Whether `text` may name an app."""
    return is_identifier(text) and text not in RESERVED_APPS


@lru_cache(maxsize=1024)  # of valid names alone: errors are not kept
def split_method(method: str, default_app: str | None) -> tuple[AppName, str]:
    """Split a client's RPC method at its first dot into app and method.

    Raises:
        CausewayError: 108 for a method without a dot where no default app is set; 104 for names that no app can have.
    """
    app, dot, name = method.partition(".")
    if not dot:
        if default_app is None:
            raise CausewayError(
                ErrorName.NOT_AVAILABLE, "not available: name the app before the method (app.method), no default app is set"
            )
        app, name = default_app, method
    if not (is_identifier(app) and is_identifier(name)):
        raise CausewayError(ErrorName.METHOD_NOT_FOUND, "method not found")
    return AppName(app), name


def namespace_of(channel: str) -> str:
    """The namespace of a channel: what stands before the first `:`, else the empty string. `$` is no part of it."""
    name, separator, _ = channel.removeprefix("$").partition(NAMESPACE_SEPARATOR)
    return name if separator else ""
