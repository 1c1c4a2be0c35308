"""What every message has, and what several of them carry."""

from __future__ import annotations

from typing import Any

import msgspec

JsonMap = dict[str, Any]
IndexValue = str | int | float | bool | None


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all bus messages: immutable, by name, defaults left out on the wire."""


class ClientInfo(Message, frozen=True):
    """Who published: `conn_info` and `chan_info` are JSON values or None."""

    user: str
    client: str
    conn_info: bytes | None = None
    chan_info: bytes | None = None


class Fault(Message, frozen=True):
    """An error reply: a row of the error table as it crosses the bus."""

    name: str
    code: int
    message: str
    temporary: bool = False
