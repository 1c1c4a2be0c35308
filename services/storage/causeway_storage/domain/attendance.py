"""Rules of an attendance: a document for each key with the gateways that hold it, and what its turning on and off has to tell.

From held by nobody to held by somebody is one transition, back is the other; state and what leaves with it (the outbox) are one
document, written by one conditional update. A holder is one life of a gateway. Fields that this process does not know stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from causeway_common.contracts.codec import json_value
from causeway_common.contracts.errors import bad_request
from causeway_common.contracts.ids import ID_LIFETIME_MS, derived_id
from causeway_common.contracts.messages import Attend, AttendRequest, ClientInfo, JsonMap, LifecycleEvent
from causeway_common.contracts.names import CHANNEL_MAX_BYTES, namespace_of

_NODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHANGES_MAX: Final = 256
USER_MAX_BYTES: Final = 64 * 1024
CLIENT_MAX_BYTES: Final = 64
INFO_MAX_BYTES: Final = 256 * 1024
LEAVE_MAX_MS: Final = 3_600_000
OUTBOX_MAX: Final = 64
"""Elements that one key may have waiting. Beyond, only what it is in the end is told, once there is place."""
LAST: Final = 2**53
"""The number of the release by a clearing: nothing of that life comes after it."""

EVENTS: Final[dict[str, tuple[str, str]]] = {
    "user": ("connected", "disconnected"),
    "subscription": ("subscribed", "unsubscribed"),
    "channel": ("first_join", "last_leave"),
}
"""What is told where a key turns on and off, by scope."""
MEMBER: Final = "member"
LEAVE: Final = "leave"

KEY: Final = "key"
INFO: Final = "info"
HOLDERS: Final = "holders"
NUMBER: Final = "number"
TOLD: Final = "told"
OUTBOX: Final = "outbox"


@dataclass(frozen=True, slots=True)
class Change:
    """A checked change: `key` names the document, `number` counts the changes of one life of a gateway."""

    key: str
    number: int
    attend: Attend


@dataclass(frozen=True, slots=True)
class Sending:
    """What leaves with a transition: an event, or a leave (`info` set) of a client whose gateway is gone."""

    event: LifecycleEvent
    info: ClientInfo | None = None


def holder_of(node: str, life: int) -> str:
    """The name of one life of a gateway."""
    return f"{node}.{life}"


def node_of(holder: str) -> str:
    """The gateway of a holder."""
    return holder.partition(".")[0]


def check_attend(request: AttendRequest) -> tuple[str, tuple[Change, ...]]:
    """The holder and its numbered changes.

    Raises:
        CausewayError: 107, with the place.
    """
    if not _NODE.fullmatch(request.node):
        raise bad_request(f"node is no id of a process: {request.node!r:.80}")
    if not (0 < request.life < LAST and 0 < request.first < LAST and request.leave_ms <= LEAVE_MAX_MS):
        raise bad_request("life and first count from 1, leave_ms is at most an hour")
    if len(request.changes) > CHANGES_MAX:
        raise bad_request(f"at most {CHANGES_MAX} changes at once, got {len(request.changes)}")
    changes = tuple(_change(request.first + index, each) for index, each in enumerate(request.changes))
    return holder_of(request.node, request.life), changes


def plan_change(document: JsonMap | None, holder: str, change: Change, now_ms: int) -> JsonMap | None:
    """The document after a change; None where it has seen that number."""
    found = document or {}
    entry = found.get(HOLDERS, {}).get(holder)
    if entry is not None and entry[0] >= change.number:
        return None
    return _written(found, change.attend, holder, [change.number, change.attend.held, now_ms], now_ms)


def plan_clear(document: JsonMap | None, holder: str, now_ms: int) -> JsonMap | None:
    """The document after its holder was cleared; None where it does not hold."""
    if document is None or not document.get(HOLDERS, {}).get(holder, (0, False))[1]:
        return None
    written = _written(document, _attend_of(document), holder, [LAST, False, now_ms], now_ms)
    return _telling(written, LEAVE, now_ms) if written[KEY]["scope"] == MEMBER else written


def holders_of(document: JsonMap) -> frozenset[str]:
    """Those that hold the key."""
    return frozenset(holder for holder, entry in document[HOLDERS].items() if entry[1])


def sendings_of(document: JsonMap) -> tuple[Sending, ...]:
    """What waits to leave, oldest first, up to the first that only a newer version knows."""
    found: list[Sending] = []
    attend = _attend_of(document)
    for each in document.get(OUTBOX, ()):
        kind: str = each["type"]
        if kind != LEAVE and kind not in EVENTS.get(attend.scope, ()):
            break
        event = LifecycleEvent(
            id=each["id"],
            type=kind,
            time_ms=each["at"],
            user=attend.user,
            client=attend.client,
            channel=attend.channel,
            namespace=namespace_of(attend.channel) if attend.channel else "",
        )
        found.append(Sending(event, attend.info if kind == LEAVE else None))
    return tuple(found)


def sent(document: JsonMap, ids: frozenset[str], now_ms: int) -> JsonMap:
    """The document without these in its outbox; what found no place in it before may follow now."""
    return _reconciled({**document, OUTBOX: [each for each in document[OUTBOX] if each["id"] not in ids]}, now_ms)


def oldest_ms(document: JsonMap) -> int | None:
    """Since when the oldest of the outbox waits; None where it is empty."""
    return min((each["at"] for each in document[OUTBOX]), default=None)


def idle_since_ms(document: JsonMap) -> int | None:
    """Since when nobody holds the key and nothing waits to leave; None where that is not so."""
    if document[OUTBOX] or holders_of(document):
        return None
    return max((entry[2] for entry in document[HOLDERS].values()), default=0)


def _written(found: JsonMap, attend: Attend, holder: str, entry: list[Any], now_ms: int) -> JsonMap:
    before: dict[str, list[Any]] = found.get(HOLDERS, {})
    kept = {name: each for name, each in before.items() if each[1] or each[2] > now_ms - ID_LIFETIME_MS}
    named: JsonMap = {"scope": attend.scope, "user": attend.user, "channel": attend.channel, "client": attend.client}
    document: JsonMap = {KEY: named, NUMBER: 0, TOLD: False, OUTBOX: [], **found, HOLDERS: {**kept, holder: entry}}
    if attend.info is not None:
        document[INFO] = msgspec.to_builtins(attend.info, builtin_types=(bytes,))
    return _reconciled(document, now_ms)


def _reconciled(document: JsonMap, now_ms: int) -> JsonMap:
    """What was told last, and what is: where they differ, and there is place, it is told."""
    scope, on = document[KEY]["scope"], bool(holders_of(document))
    if scope not in EVENTS or on == document[TOLD] or len(document[OUTBOX]) >= OUTBOX_MAX:
        return document
    return {**_telling(document, EVENTS[scope][not on], now_ms), TOLD: on}


def _telling(document: JsonMap, kind: str, now_ms: int) -> JsonMap:
    # By the time of day where that is higher: a key that was forgotten and comes back must not repeat its old numbers.
    number = max(document[NUMBER] + 1, now_ms)
    key = document[KEY]
    element = derived_id("attendance", key["scope"], key["user"], key["channel"], key["client"], str(number))
    return {**document, NUMBER: number, OUTBOX: [*document[OUTBOX], {"id": element, "type": kind, "at": now_ms}]}


def _attend_of(document: JsonMap) -> Attend:
    key, info = document[KEY], document.get(INFO)
    client = None if info is None else ClientInfo(**info)
    return Attend(scope=key["scope"], held=False, user=key["user"], channel=key["channel"], client=key["client"], info=client)


def _change(number: int, attend: Attend) -> Change:
    if attend.scope not in EVENTS and attend.scope != MEMBER:
        raise bad_request(f"this storage knows no scope {attend.scope!r:.40}")
    for text, most, what in (
        (attend.user, USER_MAX_BYTES, "user"),
        (attend.channel, CHANNEL_MAX_BYTES, "channel"),
        (attend.client, CLIENT_MAX_BYTES, "client"),
    ):
        if len(text.encode()) > most:
            raise bad_request(f"the {what} of a change has at most {most} bytes")
    if attend.scope == MEMBER and attend.held:
        attend = msgspec.structs.replace(attend, info=_checked(attend.info))
    return Change(derived_id(attend.scope, attend.user, attend.channel, attend.client), number, attend)


def _checked(info: ClientInfo | None) -> ClientInfo:
    if info is None:
        raise bad_request("a member has its info")
    conn = None if info.conn_info is None else json_value(info.conn_info, "conn_info")
    chan = None if info.chan_info is None else json_value(info.chan_info, "chan_info")
    size = len(info.user.encode()) + len(info.client.encode()) + len(conn or b"") + len(chan or b"")
    if size > INFO_MAX_BYTES:
        raise bad_request(f"a member's info has at most {INFO_MAX_BYTES} bytes, got {size}")
    return msgspec.structs.replace(info, conn_info=conn, chan_info=chan)
