"""What one round of the relay does with an entity's outbox, worked out from the list as read.

All items of one channel go in one append, in version order; ids come from the commit and the item's place, so that a round done
again has no second effect. The relay stops before an element with an item of a kind that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from causeway_common.contracts.codec import decode_item
from causeway_common.contracts.errors import CausewayError, bad_request, unavailable
from causeway_common.contracts.ids import outbox_id, timer_id
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    CancelItem,
    JobItem,
    JsonMap,
    NewRecord,
    OutboxItem,
    PublishItem,
    ScheduleItem,
    TaskItem,
)
from causeway_storage.domain import checks
from causeway_storage.domain.entity import Element, EntityKey
from causeway_storage.domain.record import TASK, RecordLife, line_of_entity, line_of_key
from causeway_storage.domain.stored import Timer

PARKED_CONNECTOR: Final = "outbox"
"""A parked item is a dead record of this connector, its op the item's kind."""


PUBLISH: Final = "publish"
"""The kind of an item that publishes."""


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """An item that can never leave: kept as a dead record, so that it blocks nothing and is not lost."""

    id: str
    app: str
    item: JsonMap
    reason: str
    traceparent: str


def parked_record(parked: ParkedItem, now_ms: int) -> tuple[NewRecord, RecordLife]:
    """A parked item as it is kept: a record that is dead from its beginning."""
    record = NewRecord(
        id=parked.id,
        app=parked.app,
        connector=PARKED_CONNECTOR,
        op=str(parked.item.get("kind", "")),
        payload=parked.item,
        traceparent=parked.traceparent,
    )
    return record, RecordLife("dead", 0, 0, 0, 0, parked.reason, now_ms)


@dataclass(frozen=True, slots=True)
class Append:
    """One append of one channel, and the elements it serves."""

    request: AppendRequest
    elements: frozenset[str]


@dataclass(frozen=True, slots=True)
class RelayRound:
    """One round.

    Attributes:
        elements: ids of the elements that it works on, oldest first.
        appends: one per channel.
        records: new records.
        parked: items that can never leave.
        record_elements: the elements that the records and the parked items serve.
        timers: timers to set, move or cancel, each key once, under the version of the commit.
        timer_elements: the elements that they serve.
        unknown_kind: the kind that the relay stopped at; "" where it did not.
        traces: the elements' traceparents, oldest first.
    """

    elements: tuple[str, ...]
    appends: tuple[Append, ...]
    records: tuple[NewRecord, ...]
    parked: tuple[ParkedItem, ...]
    record_elements: frozenset[str]
    timers: tuple[Timer, ...]
    timer_elements: frozenset[str]
    unknown_kind: str
    traces: tuple[str, ...]

    def finished(self, failed: Iterable[frozenset[str]]) -> frozenset[str]:
        """The elements to clear: all but those that a failed part of the round serves."""
        return frozenset(self.elements).difference(*failed)


@dataclass(slots=True)
class _Gathered:
    channels: dict[str, tuple[list[PublishItem], list[AppendItem], set[str]]] = field(default_factory=dict)
    records: list[NewRecord] = field(default_factory=list)
    parked: list[ParkedItem] = field(default_factory=list)
    record_elements: set[str] = field(default_factory=set)
    timers: dict[str, Timer] = field(default_factory=dict)
    timer_elements: set[str] = field(default_factory=set)


def plan_relay(key: EntityKey, outbox: Sequence[Element]) -> RelayRound:
    """Plan a round.

    Args:
        key: whose outbox it is.
        outbox: as read, oldest first.
    """
    gathered = _Gathered()
    elements: list[Element] = []
    unknown = ""
    for element in outbox:
        decoded = [_decoded(item) for item in element.items]
        if None in decoded:
            unknown = str(element.items[decoded.index(None)].get("kind"))
            break
        elements.append(element)
        for placed, item in zip(element.placed, decoded, strict=True):
            _gather(gathered, key, element, placed, item)
    return RelayRound(
        elements=tuple(element.id for element in elements),
        appends=tuple(_append(channel, *found) for channel, found in gathered.channels.items()),
        records=tuple(gathered.records),
        parked=tuple(gathered.parked),
        record_elements=frozenset(gathered.record_elements),
        timers=tuple(gathered.timers.values()),
        timer_elements=frozenset(gathered.timer_elements),
        unknown_kind=unknown,
        traces=tuple(element.traceparent for element in elements),
    )


def plan_catching_up(key: EntityKey, outbox: Sequence[Element], channel: str) -> AppendRequest | None:
    """What has to be appended so that the channel has all that this outbox holds for it; None where that is nothing.

    Raises:
        CausewayError: 100, some of it waits behind an item of a kind that is unknown here.
    """
    work = plan_relay(key, outbox)
    for element in outbox[len(work.elements) :]:
        if any(item.get("kind") == PUBLISH and item.get("channel") == channel for item in element.items):
            raise unavailable(
                f"a publication waits behind an item of a kind that only a newer process knows ({work.unknown_kind!r:.80})"
            )
    return next((append.request for append in work.appends if append.request.channel == channel), None)


def _decoded(item: JsonMap) -> OutboxItem | CausewayError | None:
    """The item; None for one of a kind that is unknown here, the error for one that is broken."""
    try:
        return decode_item(item)
    except CausewayError as error:
        return error


def _gather(
    gathered: _Gathered, key: EntityKey, element: Element, placed: tuple[int, JsonMap], item: OutboxItem | CausewayError | None
) -> None:
    index, encoded = placed
    made_id = outbox_id(element.id, index)
    try:
        match item:
            case PublishItem() as publish:
                checks.check_publish(publish)
                made = AppendItem(id=made_id, data=publish.data, tags=publish.tags)
                items, appends, elements = gathered.channels.setdefault(publish.channel, ([], [], set()))
                items.append(publish)
                appends.append(made)
                elements.add(element.id)
            case JobItem() as job:
                record = NewRecord(
                    id=made_id,
                    app=key.app,
                    connector=job.connector,
                    op=job.op,
                    payload=job.payload,
                    traceparent=element.traceparent,
                    line=line_of_key(key.app, job.key) if job.key else line_of_entity(key.app, key.kind, key.id),
                )
                checks.check_record(record)
                gathered.records.append(record)
                gathered.record_elements.add(element.id)
            case TaskItem() as task:
                checks.check_task(task, f"item {index}")
                gathered.records.append(
                    NewRecord(
                        id=made_id, app=key.app, connector=TASK, op=task.task, payload=task.payload, traceparent=element.traceparent
                    )
                )
                gathered.record_elements.add(element.id)
            case ScheduleItem() | CancelItem():
                checks.check_timer(item, f"item {index}")
                timer = _timer(key, element, item)
                gathered.timers[timer.key] = timer  # the last item of a name counts: elements and their items come oldest first
                gathered.timer_elements.add(element.id)
            case CausewayError():
                raise item
            case None:
                raise AssertionError("unreachable: the relay stops before unknown kinds")
    except CausewayError as error:
        gathered.parked.append(ParkedItem(made_id, key.app, encoded, error.message, element.traceparent))
        gathered.record_elements.add(element.id)


def _timer(key: EntityKey, element: Element, item: ScheduleItem | CancelItem) -> Timer:
    if not element.version:
        raise bad_request("the version of the commit that set this timer is not known: an older storage process made it")
    timer = Timer(
        app=key.app,
        kind=key.kind,
        entity=key.id,
        name=item.name,
        version=element.version,
        set_ms=element.at_ms,
        traceparent=element.traceparent,
    )
    if isinstance(item, CancelItem):
        return timer
    return replace(timer, at_ms=item.at_ms, task=item.task, payload=item.payload)


def fired_record(timer: Timer) -> NewRecord:
    """What a due timer comes to: a task under an id of its key and version, so that firing it again makes nothing new."""
    return NewRecord(
        id=timer_id(timer.key, timer.version),
        app=timer.app,
        connector=TASK,
        op=timer.task,
        payload=timer.payload,
        traceparent=timer.traceparent,
    )


def _append(channel: str, items: list[PublishItem], appends: list[AppendItem], elements: set[str]) -> Append:
    newest = items[-1]
    request = AppendRequest(channel=channel, size=newest.size, ttl_ms=newest.ttl_ms, items=appends)
    return Append(request, frozenset(elements))
