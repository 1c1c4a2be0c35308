"""Calls of integrations that answer at once."""

from __future__ import annotations

from typing import Literal

from causeway_common.contracts.messages.base import JsonMap, Message


class JwksRequest(Message, frozen=True):
    """Fetch a key set (RFC 7517)."""

    url: str


class JwksReply(Message, frozen=True):
    """The JSON document, and how long it may be kept."""

    document: bytes
    max_age_ms: int


class CallRequest(Message, frozen=True):
    """Ask a connector's operation and wait for its answer. `idempotency_key`: repeats with the same one have one effect."""

    payload: JsonMap
    idempotency_key: str = ""


class CallReply(Message, frozen=True):
    """What the operation answered, in the form of `contracts.connectors`."""

    payload: JsonMap


class BreakerState(Message, frozen=True):
    """What every integrations process knows of a destination, in the bucket `cw_breakers`; no entry is as good as `closed`.

    Attributes:
        state: `open`: no request before `until_ms`; `disabled`: none at all, until somebody removes the entry.
        at_ms: since when.
        until_ms: of `open`: then one request may try.
        opened: how often it opened in a row; each time lasts longer.
        reason: what went wrong.
    """

    state: Literal["closed", "open", "disabled"]
    at_ms: int
    until_ms: int = 0
    opened: int = 0
    reason: str = ""
