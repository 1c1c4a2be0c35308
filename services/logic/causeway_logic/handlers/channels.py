"""A channel that a hook is asked about: whose it is, and what its hooks get and may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import structs

from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import PublishHookReply
from causeway_logic.domain.channel_hooks import ChannelHooks, Hook
from causeway_logic.domain.hooks import PublishReply
from causeway_logic.domain.namespace import Namespace
from causeway_logic.domain.patterns import ChannelPattern
from causeway_logic.domain.values import Channel, json_bytes, read_input, typed_json
from causeway_logic.handlers.running import NOTHING

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class AskedChannel:
    """A channel of the app: its namespace, and its family where the namespace has some, with the values of its fields."""

    channel: Channel
    namespace: Namespace
    family: ChannelPattern | None
    fields: Mapping[str, str]

    @classmethod
    def of(cls, channel: Channel, namespace: Namespace) -> AskedChannel:
        """The channel in its namespace. Raises CausewayError 102 where it fits none of the families that there are."""
        if not namespace.patterns:
            return cls(channel, namespace, None, NOTHING)
        found = namespace.family(channel.id)
        if found is None:
            raise CausewayError(ErrorName.UNKNOWN_CHANNEL)
        return cls(channel, namespace, *found)

    @property
    def given(self) -> Mapping[Any, Any]:
        """What its hooks may take by type."""
        return {Channel: self.channel}

    def hook(self, which: Callable[[ChannelHooks], Hook | None]) -> Hook:
        """The family's hook, else the namespace's. Raises CausewayError 103 where there is none."""
        found = (which(self.family) if self.family else None) or which(self.namespace)
        if found is None:
            raise CausewayError(ErrorName.PERMISSION_DENIED)
        return found

    def published(self, sent: bytes, returned: Any) -> PublishHookReply:
        """The yes to a publication: what the hook returned takes the place of what the client sent.

        Raises:
            CausewayError: 107, what the client sent is no message of the family.
            TypeError: what the hook returned is none, or cannot be JSON.
        """
        if isinstance(returned, PublishReply):
            reply = self.published(sent, returned.data)
            return reply if returned.tags is None else structs.replace(reply, tags=dict(returned.tags))
        if self.namespace.binary:
            return PublishHookReply(data=None if returned is None else a(bytes, returned))
        message = self.family.message if self.family else None
        if returned is not None:
            what = "what a publish hook returned"
            return PublishHookReply(data=json_bytes(returned, what) if message is None else typed_json(message, returned, what))
        if message is not None:
            read_input(message, sent)
        return PublishHookReply()


def a(kind: type[R], returned: Any) -> R:
    """What a hook returned, which must be of this kind: a forgotten `return` is no yes. Raises TypeError."""
    if not isinstance(returned, kind):
        raise TypeError(f"a hook must return a {kind.__name__}, got {type(returned).__name__}")
    return returned
