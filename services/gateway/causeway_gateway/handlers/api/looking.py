"""What operators look through: timers that wait (`timers.list`), what operators did (`audit.list`), and the events of the system (`events.tail`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import LifecycleEvent, TimersRequest, WaitingTimer
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.handlers.api.inspecting import plain
from causeway_gateway.handlers.api.streaming import Lines, Mailbox, Mailboxes, StreamRow
from causeway_gateway.ports import AuditLog, EventStream, KeptEvent, TimersDesk

log = get_logger("gateway.api")
LIMIT_MAX: Final = 200


class ListTimers(Body, frozen=True):
    """Timers that wait, the soonest first, from behind a page's `next` on: of one app, kind of entity and entity where these are given."""

    app: str = ""
    kind: str = ""
    id: str = ""
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 50


class TimerShown(Body, frozen=True, omit_defaults=False):
    """A timer of an entity: at `at_ms` (ms since the epoch) the app's `task` is called. `version`: of the entity that set it."""

    app: str
    kind: str
    id: str
    name: str
    task: str
    at_ms: int
    set_ms: int
    version: int
    payload: Any
    traceparent: str


class TimerList(Body, frozen=True, omit_defaults=False):
    """A page; `next` "": there are no more."""

    timers: list[TimerShown]
    next: str


class ListAudit(Body, frozen=True):
    """What operators did, the newest first, from before the id `before` on."""

    before: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 50


class AuditShown(Body, frozen=True, omit_defaults=False):
    """One operation: whose key, what, on what, and how it ended ("ok" or an error's name)."""

    id: str
    at_ms: int
    caller: str
    operation: str
    target: str
    outcome: str
    traceparent: str


class AuditList(Body, frozen=True, omit_defaults=False):
    """A page; none: there are no more."""

    records: list[AuditShown]


class TailEvents(Body, frozen=True):
    """The events of the system, of some types or of all (none), from a time on (0: from now on)."""

    types: Annotated[list[str], msgspec.Meta(max_length=32)] = []
    since_ms: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 0


class LookingOperations:
    """Answers operators.

    Args:
        timers: those of entities.
        audit: the audit records.
        events: the stream of events.
        mailboxes: of those who follow it.
    """

    def __init__(self, timers: TimersDesk, audit: AuditLog, events: EventStream, mailboxes: Mailboxes) -> None:
        self._timers, self._audit, self._events, self._mailboxes = timers, audit, events, mailboxes

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "timers.list": (ListTimers, TimerList, self.list_timers),
            "audit.list": (ListAudit, AuditList, self.list_audit),
        }

    def streams(self) -> Mapping[str, StreamRow]:
        """Likewise, what goes on."""
        return {"events.tail": (TailEvents, self.tail)}

    async def list_timers(self, request: ListTimers, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, 100."""
        asked = TimersRequest(app=request.app, kind=request.kind, entity=request.id, after=request.after, limit=request.limit)
        page = await self._timers.timers(asked, deadline)
        return TimerList(timers=[_timer(each) for each in page.timers], next=page.cursor)

    async def list_audit(self, request: ListAudit, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, 100."""
        return AuditList(
            records=[
                AuditShown(
                    id=each.id,
                    at_ms=each.at_ms,
                    caller=each.caller,
                    operation=each.name,
                    target=each.target,
                    outcome=each.outcome,
                    traceparent=each.traceparent,
                )
                for each in await self._audit.audit_page(request.before, request.limit, deadline)
            ]
        )

    async def tail(self, request: TailEvents, _caller: ApiCaller, _deadline: Deadline) -> Lines:
        """Raises CausewayError: 100."""
        since = datetime.fromtimestamp(request.since_ms / 1000, UTC) if request.since_ms else await self._events.end()
        mailbox = self._mailboxes.open()
        mailbox.put({"type": "begin"})
        telling = asyncio.get_running_loop().create_task(self._tell(mailbox, since, frozenset(request.types)))

        async def close() -> None:
            self._mailboxes.close(mailbox)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

        return Lines(mailbox, close)

    async def _tell(self, mailbox: Mailbox, since: int | datetime, types: frozenset[str]) -> None:
        try:
            async for kept in self._events.messages(since):
                line = _event(kept)
                if not types or line["event"] in types:
                    await mailbox.room()
                    mailbox.put(line)
        except CausewayError as error:
            log.info("a tail of the events ends", reason=error.message)
            mailbox.end("the events cannot be read, ask again")


def _timer(each: WaitingTimer) -> TimerShown:
    return TimerShown(
        app=each.app,
        kind=each.kind,
        id=each.entity,
        name=each.name,
        task=each.task,
        at_ms=each.at_ms,
        set_ms=each.set_ms,
        version=each.version,
        payload=plain(each.payload),
        traceparent=each.traceparent,
    )


def _event(kept: KeptEvent) -> dict[str, Any]:
    """An event's line: its type stands in `event`. Fields of a newer version's are left out."""
    event: dict[str, Any] = msgspec.to_builtins(decode(kept.body, LifecycleEvent))
    return {"sequence": kept.sequence, **event, "type": "event", "event": event["type"]}
