"""The app's storage over the bus. The app's name stands in the subject: NATS lets no other app use it."""

from __future__ import annotations

from causeway_common.bus import Bus, Deadline, ask_owner
from causeway_common.contracts.messages import (
    AppendReply,
    AppendRequest,
    CommitReply,
    CommitRequest,
    Document,
    EnqueueRequest,
    GetRequest,
    HistoryReply,
    HistoryRequest,
    NewRecord,
    QueryReply,
    QueryRequest,
    SnapshotReply,
    SnapshotRequest,
)
from causeway_common.contracts.shards import channel_shard, entity_shard
from causeway_common.contracts.verbs import APPEND, COMMIT, ENQUEUE, GET, HISTORY, QUERY, SNAPSHOT


class BusStorage:
    """`ports.Storage` for one app."""

    def __init__(self, bus: Bus, app: str) -> None:
        self._bus, self._app = bus, app

    async def get(self, kind: str, id: str, deadline: Deadline) -> Document:
        """As the port says."""
        reply = await self._bus.request(GET, GetRequest(kind=kind, id=id), deadline, caller=self._app)
        return reply.document

    async def commit(self, request: CommitRequest, deadline: Deadline) -> CommitReply:
        """As the port says; the bus sends the same bytes again under the commit id while no answer comes."""
        shard = entity_shard(self._app, request.kind, request.id)
        return await ask_owner(self._bus, COMMIT, request, deadline, shard=shard, message_id=request.commit_id, caller=self._app)

    async def query(self, request: QueryRequest, deadline: Deadline) -> QueryReply:
        """As the port says."""
        return await self._bus.request(QUERY, request, deadline, caller=self._app)

    async def snapshot(self, request: SnapshotRequest, deadline: Deadline) -> SnapshotReply:
        """As the port says."""
        return await self._bus.request(SNAPSHOT, request, deadline, caller=self._app)

    async def history(self, request: HistoryRequest, deadline: Deadline) -> HistoryReply:
        """As the port says."""
        return await self._bus.request(HISTORY, request, deadline, caller=self._app)

    async def append(self, request: AppendRequest, deadline: Deadline) -> AppendReply:
        """As the port says; the bus sends the same bytes again while no answer comes."""
        shard = channel_shard(request.channel)
        return await ask_owner(self._bus, APPEND, request, deadline, shard=shard, message_id=request.items[0].id, caller=self._app)

    async def enqueue(self, records: list[NewRecord], deadline: Deadline) -> None:
        """As the port says; the bus sends the same bytes again while no answer comes."""
        await self._bus.request(ENQUEUE, EnqueueRequest(records=records), deadline, message_id=records[0].id, caller=self._app)
