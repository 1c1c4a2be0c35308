"""snapshot: an entity, and the position of a channel that goes with the version that was read."""

from __future__ import annotations

from collections.abc import Callable

from causeway_common.bus import Call
from causeway_common.contracts.messages import Head, SnapshotReply, SnapshotRequest
from causeway_common.runtime import fault_point
from causeway_storage.domain import checks
from causeway_storage.domain.entity import EntityKey
from causeway_storage.handlers.access import Access
from causeway_storage.ports import Clock, Logs, Snapshots


class SnapshotHandlers:
    """The verb.

    What waits in the outbox is appended here, under the ids that the relay gives it: whoever is second is answered with the first one's
    offsets. The last of these is the position, whatever was published since.

    Args:
        snapshots: where both are seen.
        logs: where what waits goes.
        access: who may.
        kick: starts the relay of an entity, which clears its outbox; must not wait.
        clock: the time of day.
    """

    def __init__(self, snapshots: Snapshots, logs: Logs, access: Access, kick: Callable[[EntityKey], None], clock: Clock) -> None:
        self._snapshots, self._logs, self._access, self._kick, self._clock = snapshots, logs, access, kick, clock

    async def snapshot(self, request: SnapshotRequest, call: Call) -> SnapshotReply:
        """One entity of the caller's own, with the position of a channel of its own."""
        app = self._access.app(call)
        key = checks.check_entity(app, request.kind, request.id)
        checks.check_channel(request.channel)
        self._access.owns(app, request.channel)
        look = await self._snapshots.look(key, request.channel)
        if look.waiting is None:
            if look.head is None:
                raise AssertionError("unreachable: a look without a head has something that waits")
            return SnapshotReply(document=look.document, head=look.head)
        appended = await self._logs.append(look.waiting, self._clock())
        fault_point("storage.snapshot.after_append")
        self._kick(key)
        (now,) = await self._logs.heads([request.channel])
        position = max(appended.offsets)
        return SnapshotReply(document=look.document, head=Head(epoch=appended.epoch, head=position, floor=min(now.floor, position)))
