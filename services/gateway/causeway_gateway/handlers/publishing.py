"""Publishing into a channel, for clients and the server API alike."""

from __future__ import annotations

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import json_value
from causeway_common.contracts.messages import AppendItem, ClientInfo
from causeway_gateway.domain.namespaces import Rule
from causeway_gateway.domain.protocol import StreamPosition
from causeway_gateway.ports import Storage, Unlogged


class Publisher:
    """Logged channels go through storage and are durable when this returns; the others go straight to the feed, at most once."""

    def __init__(self, storage: Storage, unlogged: Unlogged) -> None:
        self._storage, self._unlogged = storage, unlogged

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
    ) -> StreamPosition | None:
        """Publish one JSON value; returns its position, None in a channel without history.

        Raises:
            CausewayError: 107, `data` is not one JSON value or too large; 100, 111: not taken, or the outcome is unknown.
        """
        data = json_value(data)
        if not rule.spec.has_history:
            await self._unlogged.publish(channel, data, info, tags)
            return None
        reply = await self._storage.append(channel, rule, AppendItem(id=message_id, data=data, info=info, tags=tags), deadline)
        return StreamPosition(offset=reply.offsets[0], epoch=reply.epoch)
