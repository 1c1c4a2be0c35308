"""Who may subscribe, publish, read history and presence (reference/centrifuge-protocol.md, section 8). Pure tables."""

from __future__ import annotations

import enum
from typing import Protocol

from causeway_common.contracts.messages import NamespaceSpec
from causeway_common.contracts.names import NAMESPACE_SEPARATOR, USERS_BOUNDARY


class Decision(enum.Enum):
    """What the options say about a subscription."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"  # the app's subscribe hook decides alone


class Check(Protocol):
    """`may_publish`, `may_read_history` or `may_read_presence`."""

    def __call__(self, spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
        """Whether this user may."""


def users_of(spec: NamespaceSpec, channel: str) -> list[str] | None:
    """The users that a user-limited channel (`chat:#17,42`) is for; None where it is not limited."""
    if not spec.allow_user_limited_channels or USERS_BOUNDARY not in channel:
        return None
    return channel.partition(USERS_BOUNDARY)[2].split(",")


def personal_channel(user: str, namespace: str) -> str:
    """The channel that is a user's own."""
    return f"{namespace}{NAMESPACE_SEPARATOR}{USERS_BOUNDARY}{user}" if namespace else USERS_BOUNDARY + user


def may_subscribe(spec: NamespaceSpec, channel: str, user: str, *, insecure: bool) -> Decision:
    """The decision on a subscription without a token; `$` channels need one."""
    if insecure:
        return Decision.ALLOW
    if channel.startswith("$"):
        return Decision.DENY
    if (users := users_of(spec, channel)) is not None:
        return Decision.ALLOW if user and user in users else Decision.DENY
    if spec.subscribe_hook:
        return Decision.ASK
    allowed = spec.allow_subscribe_for_client and (user != "" or spec.allow_subscribe_for_anonymous)
    return Decision.ALLOW if allowed else Decision.DENY


def may_publish(spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
    """Whether a client may publish; `subscribed`: it watches the channel itself. A publish hook decides alone, later."""
    known = user != "" or spec.allow_publish_for_anonymous
    allowed = known and (spec.allow_publish_for_client or (spec.allow_publish_for_subscriber and subscribed))
    return insecure or spec.publish_hook or allowed


def may_read_history(spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
    """Whether a client may read the channel's history."""
    known = user != "" or spec.allow_history_for_anonymous
    return insecure or (known and (spec.allow_history_for_client or (spec.allow_history_for_subscriber and subscribed)))


def may_read_presence(spec: NamespaceSpec, user: str, *, subscribed: bool, insecure: bool) -> bool:
    """Whether a client may see who is subscribed."""
    known = user != "" or spec.allow_presence_for_anonymous
    return insecure or (known and (spec.allow_presence_for_client or (spec.allow_presence_for_subscriber and subscribed)))
