"""Publishing into a channel, for clients and the server API alike."""

from __future__ import annotations

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import encode, json_value
from causeway_common.contracts.messages import AppendItem, ClientInfo, FeedPublication
from causeway_gateway.domain.namespaces import Rule
from causeway_gateway.domain.protocol import StreamPosition
from causeway_gateway.ports import Storage, Unlogged


class Publisher:
    """Logged channels go through storage and are durable when this returns; the others go straight to the feed, at most once."""

    def __init__(self, storage: Storage, unlogged: Unlogged) -> None:
        self._storage, self._unlogged = storage, unlogged

    def check(self, channel: str, rule: Rule, data: bytes, tags: dict[str, str] | None) -> None:
        """Whether `publish` would take this, for what must be known before it.

        Raises:
            CausewayError: 107, as `publish`.
        """
        encode(FeedPublication(channel=channel, data=_value(rule, data), tags=tags))

    async def publish(
        self,
        channel: str,
        rule: Rule,
        data: bytes,
        *,
        message_id: str,
        deadline: Deadline,
        info: ClientInfo | None = None,
        tags: dict[str, str] | None = None,
        delta: bool = False,
        version: int = 0,
        version_epoch: str = "",
        skip_history: bool = False,
    ) -> StreamPosition | None:
        """Publish one JSON value (any bytes in a binary namespace); returns its position, None where it has none.

        Args:
            channel: where to.
            rule: the channel's.
            data: what.
            message_id: makes a repeat harmless where the channel has history.
            deadline: of all of it.
            info: the publisher, for a client's publication.
            tags: for filters.
            delta: it may go to subscribers as a patch.
            version: above 0, it is left out where the channel has seen this version or a later one (and has history).
            version_epoch: versions of another epoch are no later ones.
            skip_history: it reaches those who watch now and is not in the history; the same as always in a channel without one.

        Raises:
            CausewayError: 107, `data` is not one JSON value or too large; 100, 111: not taken, or the outcome is unknown.
        """
        data = _value(rule, data)
        if not rule.spec.has_history:
            await self._unlogged.publish(channel, data, info, tags, delta=delta, app=rule.app)
            return None
        item = AppendItem(id=message_id, data=data, info=info, tags=tags, delta=delta, version=version, version_epoch=version_epoch)
        reply = await self._storage.append(channel, rule, item, deadline, skip_history=skip_history)
        return None if skip_history else StreamPosition(offset=reply.offsets[0], epoch=reply.epoch)


def _value(rule: Rule, data: bytes) -> bytes:
    return data if rule.spec.binary else json_value(data)
