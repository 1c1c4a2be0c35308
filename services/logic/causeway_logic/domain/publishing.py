"""What an app publishes, checked before it leaves: whose channel it is, and that the data are what its family says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from causeway_common.contracts.names import CHANNEL_MAX_BYTES
from causeway_logic.domain.values import Channel, json_bytes, typed_json

if TYPE_CHECKING:
    from causeway_logic.domain.namespace import Namespace


class Outgoing(NamedTuple):
    """One publication on its way: the channel's name, its namespace, its bytes."""

    channel: str
    namespace: Namespace
    body: bytes


def outgoing(namespaces: Mapping[str, Namespace], channel: str | Channel, data: Any) -> Outgoing:
    """A publication of the app's own.

    Args:
        namespaces: the app's.
        channel: its full name, or one that a pattern made.
        data: anything pydantic can serialize; what the channel's family says; bytes in a binary namespace.

    Raises:
        ValueError: the channel is not of the app's namespaces, of none of its namespace's families, or longer than 255 bytes.
        TypeError: the data cannot be JSON, or are of another type than the family's messages.
    """
    to = Channel.parse(channel) if isinstance(channel, str) else channel
    namespace = namespaces.get(to.namespace)
    if namespace is None:
        raise ValueError(f"{to.name!r} is in no namespace that this app declares")
    if len(to.name.encode()) > CHANNEL_MAX_BYTES:
        raise ValueError(f"a channel has at most {CHANNEL_MAX_BYTES} bytes, got {len(to.name.encode())}")
    what = f"the data for {to.name}"
    if namespace.binary:
        if not isinstance(data, bytes):
            raise TypeError(f"{what} must be bytes: its namespace is binary")
        return Outgoing(to.name, namespace, data)
    if not namespace.patterns:
        return Outgoing(to.name, namespace, json_bytes(data, what))
    family = namespace.family(to.id)
    if family is None:
        known = ", ".join(pattern.pattern for pattern in namespace.patterns)
        raise ValueError(f"{to.name!r} is none of {known}")
    message = family[0].message
    return Outgoing(to.name, namespace, json_bytes(data, what) if message is None else typed_json(message, data, what))
