"""Who may subscribe, publish and read history (reference/centrifuge-protocol.md, section 8). Pure tables."""

from __future__ import annotations

import enum
from typing import Protocol

from causeway_common.contracts.messages import NamespaceSpec


class Decision(enum.Enum):
    """What the options say about a subscription."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"  # the app's subscribe hook decides alone


class Check(Protocol):
    """`may_publish` or `may_read_history`."""

    def __call__(self, spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
        """Whether this user may."""


def may_subscribe(spec: NamespaceSpec, channel: str, user: str, *, insecure: bool) -> Decision:
    """The decision on a subscription without a token; `$` channels need one."""
    if insecure:
        return Decision.ALLOW
    if channel.startswith("$"):
        return Decision.DENY
    if spec.subscribe_hook:
        return Decision.ASK
    allowed = spec.allow_subscribe_for_client and (user != "" or spec.allow_subscribe_for_anonymous)
    return Decision.ALLOW if allowed else Decision.DENY


def may_publish(spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
    """Whether a client may publish; `subscribed`: it watches the channel itself."""
    known = user != "" or spec.allow_publish_for_anonymous
    return insecure or (known and (spec.allow_publish_for_client or (spec.allow_publish_for_subscriber and subscribed)))


def may_read_history(spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
    """Whether a client may read the channel's history."""
    known = user != "" or spec.allow_history_for_anonymous
    return insecure or (known and (spec.allow_history_for_client or (spec.allow_history_for_subscriber and subscribed)))
