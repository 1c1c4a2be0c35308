"""The bus as storage uses it beside its verbs: feed, work queue, lifecycle events, leaves, and the call to compare heads."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from causeway_common.bus import Bus, Deadline, publish_durable
from causeway_common.bus.jetstream import send_durable
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import (
    AppendRequest,
    CompareHeads,
    FeedMembership,
    FeedPublication,
    JobDelivery,
    LifecycleEvent,
)
from causeway_common.contracts.subjects import EVENT, GATEWAY_ALL, JOB, TASK, VERB_COMPARE_HEADS, feed_subject, members_subject
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, get_logger
from causeway_storage.domain.record import TASK as OWN_TASK
from causeway_storage.ports import Appended, DueRecord

log = get_logger("storage")
DELIVER_SECONDS: Final = 2.0
_fed: Final = Counters("storage").counter("feed_messages", "feed messages by outcome: sent, lost")


class BusFeed:
    """Tells the gateways what was appended, at most once: what is lost they find by comparing heads."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def appended(self, appended: Appended) -> None:
        """Feed the new publications, in order. Never waits, never raises: they are durable whatever becomes of this."""
        fault_point("storage.append.after_write")
        subject = _subject(appended.channel)
        for each in appended.publications:
            message = FeedPublication(
                channel=appended.channel,
                data=each.data,
                epoch=appended.epoch,
                offset=each.offset,
                time_ms=each.time_ms,
                info=each.info,
                tags=each.tags,
                delta=each.offset in appended.deltas,
            )
            self._send(subject, encode(message))
        fault_point("storage.feed.after")

    def passed(self, request: AppendRequest, now_ms: int) -> None:
        """Feed what skips the history: on the same subject, so that it stays behind what was fed before, and without a position."""
        subject = feed_subject(request.channel, logged=True)
        for item in request.items:
            message = FeedPublication(
                channel=request.channel, data=item.data, time_ms=now_ms, info=item.info, tags=item.tags, delta=item.delta
            )
            self._send(subject, encode(message))

    def compare_heads(self) -> None:
        """Tell the gateways that feed messages may have been lost."""
        try:
            self._bus.send_raw(GATEWAY_ALL.at(verb=VERB_COMPARE_HEADS), encode(CompareHeads()))
        except CausewayError as error:
            log.info("the gateways could not be told to compare heads; they do so after a reconnect", reason=error.message)

    def _send(self, subject: str, body: bytes) -> None:
        try:
            self._bus.send_raw(subject, body)
        except CausewayError as error:
            _fed.add(1, "lost")
            log.debug("a feed message is lost, the gateways will read it", reason=error.message)
        else:
            _fed.add(1, "sent")


@lru_cache(maxsize=4096)
def _subject(channel: str) -> str:
    return feed_subject(channel, logged=True)


class BusWorkQueue:
    """`ports.WorkQueue` on JetStream."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def deliver(self, record: DueRecord) -> None:
        """As the port says. The message id names this one delivery, so that a later one is not taken for its repeat."""
        await publish_durable(
            self._bus,
            _job(record),
            JobDelivery(id=record.id),
            Deadline.after(DELIVER_SECONDS),
            message_id=_delivery(record),
            traceparent=record.traceparent,
        )

    def send(self, record: DueRecord) -> None:
        """As the port says."""
        send_durable(
            self._bus, _job(record), JobDelivery(id=record.id), message_id=_delivery(record), traceparent=record.traceparent
        )


def _job(record: DueRecord) -> str:
    if record.connector == OWN_TASK:
        return _task_subject(record.app, record.op)
    return _job_subject(record.connector, record.op)


def _delivery(record: DueRecord) -> str:
    return f"{record.id}:{record.next_at_ms}"


@lru_cache(maxsize=1024)
def _task_subject(app: str, task: str) -> str:
    return TASK.at(app=app, task=task)


@lru_cache(maxsize=1024)
def _job_subject(connector: str, op: str) -> str:
    return JOB.at(connector=connector, op=op)


class BusEvents:
    """`ports.Events`: the stream CW_EVENTS, of this source."""

    def __init__(self, bus: Bus, source: str = "gateway") -> None:
        self._bus, self._source = bus, source

    async def tell(self, event: LifecycleEvent) -> None:
        """As the port says. A repeat within two minutes is dropped there."""
        subject = EVENT.at(source=self._source, type=event.type)
        await publish_durable(self._bus, subject, event, Deadline.after(DELIVER_SECONDS), message_id=event.id)


class BusLeaves:
    """`ports.Leaves`: the channels' members feed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def tell(self, membership: FeedMembership) -> None:
        """As the port says."""
        self._bus.send_raw(members_subject(membership.channel), encode(membership))

    async def flush(self) -> None:
        """As the port says."""
        await self._bus.flush()
