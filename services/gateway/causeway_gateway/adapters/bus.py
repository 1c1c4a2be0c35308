"""Storage and feeds over the bus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from causeway_common.bus import Bus, Deadline, Listener, ask_owner
from causeway_common.contracts.codec import decode, encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    AppendItem,
    AppendReply,
    AppendRequest,
    AttendReply,
    AttendRequest,
    AuditPageRequest,
    AuditRecord,
    AuditRequest,
    CallRequest,
    ClientInfo,
    CompareHeads,
    EnqueueRequest,
    FeedMembership,
    FeedPublication,
    Head,
    HeadsRequest,
    HistoryReply,
    HistoryRequest,
    InspectReply,
    InspectRequest,
    JsonMap,
    JwksReply,
    JwksRequest,
    KeptRecord,
    NewRecord,
    RecordRequest,
    RecordsReply,
    RecordsRequest,
    RedriveRequest,
    RemoveRequest,
    TimersReply,
    TimersRequest,
)
from causeway_common.contracts.shards import channel_shard
from causeway_common.contracts.subjects import GATEWAY_ALL, VERB_COMPARE_HEADS, feed_subject, members_subject
from causeway_common.contracts.verbs import (
    APPEND,
    ATTEND,
    AUDIT,
    AUDIT_PAGE,
    CALL,
    ENQUEUE,
    HEADS,
    HISTORY,
    INSPECT,
    JWKS,
    RECORD,
    RECORDS,
    REDRIVE,
    REMOVE,
    TIMERS,
    WEBHOOKS,
)
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.namespaces import Rule

log = get_logger("gateway.bus")
CALLER: Final = "gateway"


class BusStorage:
    """`ports.Storage`, `ports.Attendances`, `ports.Records`.

    And what operators ask: `ports.AuditTrail`, `ports.AuditLog`, `ports.EntityInspection`, `ports.RecordsDesk`, `ports.TimersDesk`,
    `ports.WebhookDesk`.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def append(
        self, channel: str, rule: Rule, item: AppendItem, deadline: Deadline, *, skip_history: bool = False
    ) -> AppendReply:
        """Append one publication; the item's id is the message id, so that the bus may ask again, but for what has no repeat."""
        spec, message_id = rule.spec, "" if skip_history else item.id
        request = AppendRequest(
            channel=channel, size=spec.history_size, ttl_ms=spec.history_ttl_ms, items=[item], skip_history=skip_history
        )
        shard = channel_shard(channel)
        return await ask_owner(self._bus, APPEND, request, deadline, shard=shard, message_id=message_id, caller=CALLER)

    async def history(self, channel: str, *, since: int, limit: int, reverse: bool, deadline: Deadline) -> HistoryReply:
        """A page of a log."""
        request = HistoryRequest(channel=channel, since=since, limit=limit, reverse=reverse)
        return await self._bus.request(HISTORY, request, deadline, caller=CALLER)

    async def remove(self, channel: str, deadline: Deadline) -> None:
        """Remove what a channel's log holds."""
        request = RemoveRequest(channel=channel)
        await ask_owner(self._bus, REMOVE, request, deadline, shard=channel_shard(channel), caller=CALLER)
        await self._bus.publish(GATEWAY_ALL.at(verb=VERB_COMPARE_HEADS), CompareHeads())

    async def heads(self, channels: Sequence[str], deadline: Deadline) -> list[Head]:
        """The heads of channels."""
        reply = await self._bus.request(HEADS, HeadsRequest(channels=list(channels)), deadline, caller=CALLER)
        return reply.heads

    async def inspect(self, request: InspectRequest, deadline: Deadline) -> InspectReply:
        """`ports.EntityInspection`."""
        return await self._bus.request(INSPECT, request, deadline, caller=CALLER)

    async def audit(self, record: AuditRecord, deadline: Deadline) -> None:
        """`ports.AuditTrail`."""
        await self._bus.request(AUDIT, AuditRequest(records=[record]), deadline, message_id=record.id, caller=CALLER)

    async def audit_page(self, before: str, limit: int, deadline: Deadline) -> Sequence[AuditRecord]:
        """`ports.AuditLog`."""
        request = AuditPageRequest(before=before, limit=limit)
        return (await self._bus.request(AUDIT_PAGE, request, deadline, caller=CALLER)).records

    async def timers(self, request: TimersRequest, deadline: Deadline) -> TimersReply:
        """`ports.TimersDesk`."""
        return await self._bus.request(TIMERS, request, deadline, caller=CALLER)

    async def enqueue(self, record: NewRecord, deadline: Deadline) -> None:
        """`ports.Records`; the record's id is the message id."""
        await self._bus.request(ENQUEUE, EnqueueRequest(records=[record]), deadline, message_id=record.id, caller=CALLER)

    async def records(self, request: RecordsRequest, deadline: Deadline) -> RecordsReply:
        """`ports.RecordsDesk`."""
        return await self._bus.request(RECORDS, request, deadline, caller=CALLER)

    async def record(self, id: str, deadline: Deadline) -> KeptRecord | None:
        """`ports.RecordsDesk`."""
        return (await self._bus.request(RECORD, RecordRequest(id=id), deadline, caller=CALLER)).record

    async def redrive(self, ids: list[str], deadline: Deadline) -> list[str]:
        """`ports.RecordsDesk`."""
        return (await self._bus.request(REDRIVE, RedriveRequest(ids=ids), deadline, caller=CALLER)).redriven

    async def webhooks(self, operation: str, payload: JsonMap, deadline: Deadline) -> JsonMap:
        """`ports.WebhookDesk`: integrations answer."""
        reply = await self._bus.request(
            CALL, CallRequest(payload=payload), deadline, caller=CALLER, connector=WEBHOOKS, op=operation
        )
        return reply.payload

    async def attend(self, request: AttendRequest, deadline: Deadline) -> AttendReply:
        """`ports.Attendances`."""
        named = f"{request.node}.{request.life}.{request.first}.{len(request.changes)}"
        return await self._bus.request(ATTEND, request, deadline, message_id=named, caller=CALLER)


class BusKeySource:
    """`ports.KeySource`: integrations fetch it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def fetch(self, url: str, deadline: Deadline) -> JwksReply:
        """The key set at a URL."""
        return await self._bus.request(JWKS, JwksRequest(url=url), deadline, caller=CALLER, connector="jwks", op=JWKS.name)


class BusFeeds:
    """`ports.FeedBus` over a connection of its own, `ports.Unlogged` over the other one."""

    def __init__(self, feeds: Bus, bus: Bus) -> None:
        self._feeds, self._bus = feeds, bus

    async def listen(self, channel: str, callback: Callable[[FeedPublication], None], *, logged: bool, app: str = "") -> Listener:
        """Straight from the connection's read loop."""

        def received(_subject: str, body: bytes) -> None:
            try:
                message = decode(body, FeedPublication)
            except CausewayError as error:
                # In a logged channel the gap shows and is repaired; in the others this is a loss like any other.
                log.warning("a feed message cannot be decoded and is dropped", channel=channel, reason=error.message)
                return
            callback(message)

        return await self._feeds.listen(feed_subject(channel, logged=logged, app=app), received)

    async def listen_members(self, channel: str, callback: Callable[[FeedMembership], None]) -> Listener:
        """Joins and leaves, likewise."""

        def received(_subject: str, body: bytes) -> None:
            try:
                message = decode(body, FeedMembership)
            except CausewayError as error:
                log.warning("a join or leave cannot be decoded and is dropped", channel=channel, reason=error.message)
                return
            callback(message)

        return await self._feeds.listen(members_subject(channel), received)

    async def flush(self) -> None:
        """A round trip on the feeds' connection."""
        await self._feeds.flush()

    async def publish(
        self,
        channel: str,
        data: bytes,
        info: ClientInfo | None,
        tags: dict[str, str] | None,
        *,
        delta: bool = False,
        app: str = "",
    ) -> None:
        """Publish into a channel without history."""
        message = FeedPublication(channel=channel, data=data, info=info, tags=tags, delta=delta)
        await self._bus.publish(feed_subject(channel, logged=False, app=app), message)

    def tell(self, membership: FeedMembership) -> None:
        """Tell a join or a leave."""
        self._bus.send_raw(members_subject(membership.channel), encode(membership))
