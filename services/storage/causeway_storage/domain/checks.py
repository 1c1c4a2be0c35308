"""What a request must be before anything of it is written. Every bound here is refused as 107, naming the place."""

from __future__ import annotations

from typing import Final

import msgspec

from causeway_common.contracts.codec import decode_item, json_value
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.ids import ID_MAX_CHARS
from causeway_common.contracts.messages import (
    AppendItem,
    AppendRequest,
    AuditPageRequest,
    AuditRequest,
    CancelItem,
    ClaimRequest,
    ClaimsRequest,
    ClientInfo,
    CommitRequest,
    EnqueueRequest,
    HeadsRequest,
    HistoryRequest,
    JobItem,
    JsonMap,
    NewRecord,
    OutboxItem,
    PublishItem,
    RecordsRequest,
    RedriveRequest,
    ScheduleItem,
    SettleRequest,
    SettlesRequest,
    TaskItem,
    TimersRequest,
)
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, IDENTIFIER_RULE, is_identifier
from causeway_storage.domain.entity import OUTBOX_MAX_BYTES, OUTBOX_MAX_ITEMS, Commit, EntityKey
from causeway_storage.domain.packing import require_plain
from causeway_storage.domain.query import check_indexes
from causeway_storage.domain.record import TASK

ITEMS_MAX: Final = 256
RECORDS_MAX: Final = 256
HEADS_MAX: Final = 512
LINE_MAX_BYTES: Final = 255
CURSOR_MAX_CHARS: Final = ID_MAX_CHARS + 40
OPERATION_MAX_CHARS: Final = 255
PAYLOAD_MAX_BYTES: Final = 256 * 1024
STATE_MAX_BYTES: Final = 512 * 1024
KIND_MAX_BYTES: Final = 64
ENTITY_ID_MAX_BYTES: Final = 255
TIMER_NAME_MAX_BYTES: Final = 255
COMMIT_ID_MAX_CHARS: Final = 256
AUDIT_MAX_BYTES: Final = 4096
BY_MAX_BYTES: Final = 1024
NODE_MAX_CHARS: Final = 64
NOTE_MAX_CHARS: Final = 4096
ANSWER_MAX_CHARS: Final = 1024
CURSOR_DIGITS: Final = 16
COUNT_MAX: Final = 2**53 - 1
"""Sizes, offsets and versions: what a JavaScript client still counts exactly."""
REMEMBER_MAX_MS: Final = 8 * 86_400_000
"""So long a commit's id may be remembered: as long as the longest schedule of a task's tries, and a day."""
DURATION_MAX_MS: Final = 10 * 365 * 86_400_000


def check_append(request: AppendRequest, *, prefixes: tuple[str, ...]) -> AppendRequest:
    """The append with its data on one line, where it may be written.

    Args:
        request: as it came.
        prefixes: of the ids that this caller may make.

    Raises:
        CausewayError: 107.
    """
    _channel(request.channel)
    _retention(request.size, request.ttl_ms)
    if not 1 <= len(request.items) <= ITEMS_MAX:
        raise bad_request(f"an append has 1 to {ITEMS_MAX} items, got {len(request.items)}")
    items = [_append_item(item, prefixes) for item in request.items]
    return request if items == request.items else msgspec.structs.replace(request, items=items)


def check_channel(channel: str) -> None:
    """Raises CausewayError 107."""
    _channel(channel)


def check_heads(request: HeadsRequest) -> None:
    """Raises CausewayError 107."""
    if len(request.channels) > HEADS_MAX:
        raise bad_request(f"heads of at most {HEADS_MAX} channels, got {len(request.channels)}")
    for channel in request.channels:
        _channel(channel)


def check_history(request: HistoryRequest) -> None:
    """Raises CausewayError 107."""
    _channel(request.channel)
    _within(request.since, 0, COUNT_MAX, "since")
    _within(request.limit, 0, COUNT_MAX, "limit")


def check_kind(kind: str) -> None:
    """Raises CausewayError 107."""
    _text(kind, KIND_MAX_BYTES, "kind")


def check_entity(app: str, kind: str, id: str) -> EntityKey:
    """The key of an entity of this app. Raises CausewayError 107."""
    check_kind(kind)
    _text(id, ENTITY_ID_MAX_BYTES, "id")
    return EntityKey(app, kind, id)


def check_commit(request: CommitRequest, *, traceparent: str, now_ms: int) -> Commit:
    """The commit with its publications' data on one line, where it may be written.

    Raises:
        CausewayError: 107, also for an outbox that could never fit.
    """
    _within(request.expected, 0, COUNT_MAX, "expected")
    _text(request.commit_id, COMMIT_ID_MAX_CHARS, "commit_id")
    _within(request.remember_ms, 0, REMEMBER_MAX_MS, "remember_ms")
    if len(request.by.encode()) > BY_MAX_BYTES:
        raise bad_request(f"by has at most {BY_MAX_BYTES} bytes")
    state_bytes = len(require_plain(request.state, "state", STATE_MAX_BYTES))
    check_indexes(request.indexes)
    if request.delete and (request.state or request.indexes or not request.expected):
        raise bad_request("a deletion expects a version, and leaves neither state nor indexes")
    if len(request.items) > OUTBOX_MAX_ITEMS:
        raise bad_request(f"a commit has at most {OUTBOX_MAX_ITEMS} items, got {len(request.items)}")
    items: list[JsonMap] = []
    publications: list[tuple[int, PublishItem]] = []
    size, known = 0, True
    for index, item in enumerate(request.items):
        packed, decoded = len(require_plain(item, f"item {index}", OUTBOX_MAX_BYTES)), _outbox_item(item, index)
        known = known and decoded is not None
        if isinstance(decoded, PublishItem):
            publications.append((index, decoded))
            packed -= len(item["data"]) - len(decoded.data)
            item = {**item, "data": decoded.data}  # noqa: PLW2901 - as it is stored
        items.append(item)
        size += packed
    if size > OUTBOX_MAX_BYTES:
        raise bad_request(f"the items of a commit have at most {OUTBOX_MAX_BYTES} bytes, got {size}")
    return Commit(
        expected=request.expected,
        id=request.commit_id,
        state=request.state,
        state_bytes=state_bytes,
        items=tuple(items),
        items_bytes=size,
        by=request.by,
        traceparent=traceparent,
        now_ms=now_ms,
        indexes=request.indexes,
        delete=request.delete,
        publications=tuple(publications) if known else (),
        remember_ms=request.remember_ms,
    )


def check_publish(item: PublishItem) -> PublishItem:
    """The item with its data on one line. Raises CausewayError 107."""
    _channel(item.channel)
    _retention(item.size, item.ttl_ms)
    _payload(item.data, None, item.tags)
    return msgspec.structs.replace(item, data=json_value(item.data))


def check_task(item: TaskItem | ScheduleItem, where: str) -> None:
    """Raises CausewayError 107 naming `where`."""
    if not is_identifier(item.task):
        raise bad_request(f"the task of {where} is {IDENTIFIER_RULE}, got {item.task!r:.80}")
    require_plain(item.payload, f"the payload of {where}", PAYLOAD_MAX_BYTES)


def check_timer(item: ScheduleItem | CancelItem, where: str) -> None:
    """Raises CausewayError 107 naming `where`."""
    _text(item.name, TIMER_NAME_MAX_BYTES, f"the timer's name of {where}")
    if isinstance(item, ScheduleItem):
        _within(item.at_ms, 1, COUNT_MAX, f"at_ms of {where}")
        check_task(item, where)


def check_enqueue(request: EnqueueRequest) -> None:
    """Raises CausewayError 107."""
    if not 1 <= len(request.records) <= RECORDS_MAX:
        raise bad_request(f"1 to {RECORDS_MAX} records at once, got {len(request.records)}")
    for record in request.records:
        check_record(record, or_task=True)


def check_record(record: NewRecord, *, or_task: bool = False) -> None:
    """A job; `or_task`: or a task. Raises CausewayError 107."""
    _text(record.id, ID_MAX_CHARS, "a record's id")
    _within(record.due_ms, 0, COUNT_MAX, "a record's due_ms")
    for name, what in ((record.app, "app"), (record.connector, "connector"), (record.op, "op")):
        if not is_identifier(name) and not (or_task and what == "connector" and name == TASK):
            raise bad_request(f"a record's {what} is {IDENTIFIER_RULE}, got {name!r:.80}")
    if len(record.traceparent) > 64:
        raise bad_request("a record's traceparent is no traceparent")
    for line in (record.line, record.behind):
        if len(line.encode()) > LINE_MAX_BYTES:
            raise bad_request(f"a record's line has at most {LINE_MAX_BYTES} bytes")
    if record.behind and not record.line:
        raise bad_request("a record that waits for others stands in a line")
    _within(record.turn, 0, COUNT_MAX, "a record's turn")
    require_plain(record.payload, "a record's payload", PAYLOAD_MAX_BYTES)


def check_audit(request: AuditRequest) -> None:
    """Raises CausewayError 107."""
    if not 1 <= len(request.records) <= RECORDS_MAX:
        raise bad_request(f"1 to {RECORDS_MAX} audit records at once, got {len(request.records)}")
    for record in request.records:
        _within(record.at_ms, 0, COUNT_MAX, "at_ms")
        _text(record.id, ID_MAX_CHARS, "an audit record's id")
        if not record.id.startswith(f"{record.at_ms:016d}"):
            raise bad_request(f"an audit record's id begins with its time in 16 digits, got {record.id!r:.80}")
        for text, what in (
            (record.caller, "caller"),
            (record.name, "name"),
            (record.target, "target"),
            (record.outcome, "outcome"),
        ):
            if len(text.encode()) > AUDIT_MAX_BYTES:
                raise bad_request(f"an audit record's {what} has at most {AUDIT_MAX_BYTES} bytes")


def check_audit_page(request: AuditPageRequest) -> None:
    """Raises CausewayError 107."""
    _within(request.limit, 1, RECORDS_MAX, "limit")
    if len(request.before) > ID_MAX_CHARS:
        raise bad_request(f"before has at most {ID_MAX_CHARS} characters")


def check_timers(request: TimersRequest) -> tuple[int, str]:
    """Behind which time and key the page begins. Raises CausewayError 107."""
    _within(request.limit, 1, RECORDS_MAX, "limit")
    at, found, key = request.after.partition(":")
    if not request.after:
        return 0, ""
    if not found or not (at.isdecimal() and at.isascii() and len(at) <= CURSOR_DIGITS):
        raise bad_request("after is the cursor of a page of timers")
    return int(at), key


def check_claim(request: ClaimRequest) -> None:
    """Raises CausewayError 107."""
    _text(request.id, ID_MAX_CHARS, "id")
    _text(request.node, NODE_MAX_CHARS, "node")
    _within(request.lease_ms, 1, DURATION_MAX_MS, "lease_ms")


def check_settle(request: SettleRequest) -> None:
    """Raises CausewayError 107."""
    _text(request.id, ID_MAX_CHARS, "id")
    _within(request.attempt, 1, COUNT_MAX, "attempt")
    _within(request.delay_ms, 0, DURATION_MAX_MS, "delay_ms")
    if len(request.note) > NOTE_MAX_CHARS:
        raise bad_request(f"a note has at most {NOTE_MAX_CHARS} characters")
    if (entry := request.attempt_log) is not None:
        for number, what in (
            (entry.number, "number"),
            (entry.duration_ms, "duration_ms"),
            (entry.at_ms, "at_ms"),
            (entry.status, "status"),
        ):
            _within(number, 0, COUNT_MAX, f"{what} of an attempt")
        if entry.claim != request.attempt:
            raise bad_request(f"an attempt's claim is the one that is settled, {request.attempt}, got {entry.claim}")
        if len(entry.answer) > ANSWER_MAX_CHARS or len(entry.trace_id) > 32:
            raise bad_request(f"an attempt has at most {ANSWER_MAX_CHARS} characters of an answer, and a trace's id")


def check_claims(request: ClaimsRequest) -> None:
    """Raises CausewayError 107."""
    if not 1 <= len(request.claims) <= RECORDS_MAX:
        raise bad_request(f"1 to {RECORDS_MAX} claims at once, got {len(request.claims)}")
    for each in request.claims:
        check_claim(each)


def check_settles(request: SettlesRequest) -> None:
    """Raises CausewayError 107."""
    if not 1 <= len(request.settles) <= RECORDS_MAX:
        raise bad_request(f"1 to {RECORDS_MAX} ends of attempts at once, got {len(request.settles)}")
    for each in request.settles:
        check_settle(each)


def check_records(request: RecordsRequest) -> None:
    """Raises CausewayError 107."""
    _within(request.limit, 1, RECORDS_MAX, "limit")
    if len(request.after) > CURSOR_MAX_CHARS:
        raise bad_request(f"after has at most {CURSOR_MAX_CHARS} characters")
    _within(request.since_ms, 0, COUNT_MAX, "since_ms")
    _within(request.until_ms, 0, COUNT_MAX, "until_ms")
    if request.by_time and not (request.app and request.operation):
        raise bad_request("records are told by their time for one app and operation")
    for text, what in ((request.app, "app"), (request.operation, "operation")):
        if len(text) > OPERATION_MAX_CHARS:
            raise bad_request(f"{what} has at most {OPERATION_MAX_CHARS} characters")


def check_record_id(id: str) -> None:
    """Raises CausewayError 107."""
    _text(id, ID_MAX_CHARS, "id")


def check_redrive(request: RedriveRequest) -> None:
    """Raises CausewayError 107."""
    if not 1 <= len(request.ids) <= RECORDS_MAX:
        raise bad_request(f"1 to {RECORDS_MAX} records at once, got {len(request.ids)}")
    for each in request.ids:
        check_record_id(each)


def _append_item(item: AppendItem, prefixes: tuple[str, ...]) -> AppendItem:
    _text(item.id, ID_MAX_CHARS, "an item's id")
    if not item.id.startswith(prefixes):
        raise bad_request(f"an item's id begins with {' or '.join(prefixes)} here, got {item.id!r:.80}")
    _payload(item.data, item.info, item.tags)
    data = json_value(item.data)
    if data is item.data and item.info is None:
        return item
    return msgspec.structs.replace(item, data=data, info=_info(item.info))


def _info(info: ClientInfo | None) -> ClientInfo | None:
    if info is None:
        return None
    conn = None if info.conn_info is None else json_value(info.conn_info, "conn_info")
    chan = None if info.chan_info is None else json_value(info.chan_info, "chan_info")
    return msgspec.structs.replace(info, conn_info=conn, chan_info=chan)


def _outbox_item(item: JsonMap, index: int) -> OutboxItem | None:
    """The item, a publication with its data on one line; None for one of a kind that is unknown here."""
    match decode_item(item):
        case PublishItem() as publish:
            return check_publish(publish)
        case JobItem() as job:
            for name, what in ((job.connector, "connector"), (job.op, "op")):
                if not is_identifier(name):
                    raise bad_request(f"the {what} of item {index} is {IDENTIFIER_RULE}, got {name!r:.80}")
            if len(job.key.encode()) > LINE_MAX_BYTES:
                raise bad_request(f"the key of item {index} has at most {LINE_MAX_BYTES} bytes")
            return job
        case TaskItem() as task:
            check_task(task, f"item {index}")
            return task
        case ScheduleItem() | CancelItem() as timer:
            check_timer(timer, f"item {index}")
            return timer
        case None:
            _text(str(item.get("kind", "")), KIND_MAX_BYTES, f"the kind of item {index}")
            return None


def _payload(data: bytes, info: ClientInfo | None, tags: dict[str, str] | None) -> None:
    """One bound for all that a publication carries: with it in force, every feed message and page fits the bus."""
    size = len(data) + sum(len(key.encode()) + len(value.encode()) for key, value in (tags or {}).items())
    if info is not None:
        size += len(info.user.encode()) + len(info.client.encode()) + len(info.conn_info or b"") + len(info.chan_info or b"")
    if size > PAYLOAD_MAX_BYTES:
        raise bad_request(f"a publication has at most {PAYLOAD_MAX_BYTES} bytes, got {size}")


def _channel(channel: str) -> None:
    _text(channel, CHANNEL_MAX_BYTES, "channel")


def _retention(size: int, ttl_ms: int) -> None:
    _within(size, 1, COUNT_MAX, "size")
    _within(ttl_ms, 1, DURATION_MAX_MS, "ttl_ms")


def _text(text: str, max_bytes: int, what: str) -> None:
    if not 1 <= len(text.encode()) <= max_bytes:
        raise bad_request(f"{what} has 1 to {max_bytes} bytes, got {len(text.encode())}")


def _within(number: int, least: int, most: int, what: str) -> None:
    if not least <= number <= most:
        raise bad_request(f"{what} is {least} to {most}, got {number}")
