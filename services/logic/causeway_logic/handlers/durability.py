"""The part of a handler's context that is durable: what runs later, and entities as more than one document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from causeway_common.contracts.messages import CancelItem, Document, NewRecord, QueryRequest
from causeway_common.telemetry import current_traceparent
from causeway_logic.domain.indexes import Condition, FoundEntity, Index, Page, Snapshot, conditions, order_of
from causeway_logic.domain.tasks import TaskName, find_task, item_of, timer_name
from causeway_logic.domain.timers import TIMER_KIND, marked, timer_state
from causeway_logic.domain.values import Channel, milliseconds
from causeway_logic.handlers.asked import ContextBase
from causeway_logic.handlers.commits import Proposal, committed

M = TypeVar("M")


class Durability(ContextBase):
    """Timers and tasks outside an edit, queries, snapshots."""

    __slots__ = ()

    @property
    def message_id(self) -> str:
        """What the ids of this call's commits, records and publications come from; of a task or event the same in each run."""
        return self._scope.identity.message_id

    async def query(
        self,
        model: type[M],
        *conditions_: Condition,
        order: Index[Any] | None = None,
        descending: bool = False,
        limit: int = 50,
        cursor: str = "",
    ) -> Page[M]:
        """Entities of one kind, found by its declared indexes.

        Args:
            model: of which kind.
            conditions_: comparisons of its indexes (`by_status == "open"`), at most 8; all must hold.
            order: the index that sorts; None: by id.
            descending: the other way round.
            limit: at most so many, 1 to 200 (50 where left out); a page may hold fewer (256 KiB) and then has a cursor.
            cursor: an earlier page's, for the page behind it.

        Raises:
            ValueError: an index is another kind's.
            CausewayError: 107 for a limit, a value or a cursor that cannot be; unavailable.
        """
        kind = self._scope.app.entity_type(model)
        request = QueryRequest(
            kind=kind.kind,
            where=conditions(kind.kind, conditions_),
            order=order_of(kind.kind, order),
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        reply = await self._scope.outside.storage.query(request, self.deadline)
        found = (
            FoundEntity(each.id, kind.shape.load(each.document.state), each.document.version)
            for each in reply.entities
            if each.document.state is not None
        )
        return Page(tuple(found), reply.cursor)

    async def snapshot(self, model: type[M], id: str, channel: str | Channel) -> Snapshot[M]:
        """As `Entity.snapshot`: a state with the position of a channel that goes with it."""
        return await self.entity(model, id).snapshot(channel)

    async def schedule(self, task: TaskName, payload: Any = None, *, at: datetime | None = None, name: str | None = None) -> None:
        """Have a task of the app run; durable before this returns. Inside a change use `draft.schedule`, which leaves with the commit.

        With a name it is a timer of the app: setting one of the same name again moves it, and `cancel` ends it. A handler that runs
        again asks once.

        Args:
            task: the function under `@app.task`, or its name.
            payload: its input, a model or a map; None for a task without one.
            at: when, with a time zone; None: at once.
            name: of the timer; left out, there is none, and it cannot be moved or cancelled.

        Raises:
            ValueError: the app has no such task, or the name is empty or longer than 255 bytes.
            TypeError: the payload is not what the task takes, or the time has no zone.
            CausewayError: unavailable: the outcome is unknown.
        """
        scope = self._scope
        found = find_task(scope.app.tasks, task)
        carried = found.payload(payload, scope.user)
        if name is None:
            record = NewRecord(
                id=scope.identity.next("task", found.name),
                app=scope.app.name,
                connector="",
                op=found.name,
                payload=carried,
                traceparent=current_traceparent(),
                due_ms=0 if at is None else milliseconds(at),
            )
            await scope.outside.storage.enqueue([record], self.deadline)
            return
        mark = scope.identity.next("timer", name)
        item = item_of(found, marked(carried, timer_name(name), mark), at, name)

        def propose(_document: Document) -> Proposal:
            return Proposal(timer_state(item, mark), (item,))

        await committed(scope, TIMER_KIND, name, propose)

    async def cancel(self, name: str) -> None:
        """Cancel the app's timer of this name, where there is one that has not fired; durable before this returns.

        Raises:
            ValueError: the name is empty or longer than 255 bytes.
            CausewayError: unavailable: the outcome is unknown.
        """
        item = CancelItem(name=timer_name(name))

        def propose(document: Document) -> Proposal | None:
            return None if document.state is None else Proposal({}, (item,), delete=True)

        await committed(self._scope, TIMER_KIND, name, propose)
