"""Calls of integrations that answer at once."""

from __future__ import annotations

from causeway_common.contracts.messages.base import Message


class JwksRequest(Message, frozen=True):
    """Fetch a key set (RFC 7517)."""

    url: str


class JwksReply(Message, frozen=True):
    """The JSON document, and how long it may be kept."""

    document: bytes
    max_age_ms: int
