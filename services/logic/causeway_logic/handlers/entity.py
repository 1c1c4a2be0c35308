"""One entity of an app: read it, create it, edit it by a change that runs again on a conflict, delete it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from causeway_common.contracts.messages import Document, JsonMap, SnapshotRequest
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.indexes import EntityType, Snapshot
from causeway_logic.domain.reject import Deleted, Reject
from causeway_logic.domain.shape import merged
from causeway_logic.domain.values import Channel
from causeway_logic.handlers.commits import ABSENT, Proposal, committed
from causeway_logic.handlers.scope import Scope

M = TypeVar("M")
Change = Callable[[Draft[M]], None]

NOT_FOUND: Final = 404
EXISTS: Final = 409
_PLAIN: Final = "a change is a plain function without await: it may run several times; await before or after the edit"


class Entity(Generic[M]):
    """A handle on one entity; made by `Context.entity`, does nothing by itself."""

    __slots__ = ("_id", "_scope", "_type")

    def __init__(self, scope: Scope, type_: EntityType[M], id: str) -> None:
        self._scope, self._type, self._id = scope, type_, id

    async def get(self) -> M:
        """The state as last committed. A rule that a change relies on belongs into the change, where a conflict repeats it.

        Raises:
            Reject: 404, there is none.
            CausewayError: storage is unavailable.
        """
        return self._state(await self._load())

    async def find(self) -> M | None:
        """As `get`, None where there is none."""
        document = await self._load()
        return None if document.state is None else self._state(document)

    async def create(self, state: M, change: Change[M] | None = None) -> M:
        """Commit a new entity.

        Args:
            state: its first state.
            change: a plain function that may finish the state, publish, enqueue and schedule.

        Returns:
            The state as committed.

        Raises:
            Reject: 409, it exists already; or what `change` raises.
            CausewayError: unavailable; the outcome is unknown and nothing but this call's own repeat may follow.
        """
        _require_plain(change)
        draft = self._draft(state, change)

        def propose(document: Document) -> Proposal:
            if document.state is not None:
                raise Reject(EXISTS, f"this {self._type.kind} exists already")
            return self._proposal(draft, self._type.shape.dump(draft.state))

        landed = await committed(self._scope, self._type.kind, self._id, propose, first=ABSENT)
        return draft.state if landed is None or landed.document is None else self._since(landed.document)

    async def edit(self, change: Change[M], *, initial: M | None = None, once: bool = True) -> M:
        """Commit a change of the entity with everything that leaves with it, all or nothing.

        A handler that runs again (a task, an event, a call that was sent twice) does not change twice: what it committed before is not
        proposed again, whatever it would propose now. For that it must edit the same entities in the same order each time, and what a
        change does must not depend on what else was read since (a log that has grown): such a change is one for `once=False`.

        Args:
            change: a plain function; it sees the current state and may raise. It runs again when another commit came first,
                so it must have no effect but on its draft. One that changes nothing commits nothing.
            initial: where there is no such entity the change starts from this, and creates it; None: that is a 404.
            once: False: the change is made in every run, so it must be one that does no harm when it is made again: it sets or takes
                in, and adds nothing up. What it publishes or schedules may then leave again.

        Returns:
            The state as committed.

        Raises:
            Reject: 404, there is none; or what `change` raises. `Deleted`: an earlier run committed this, and it was deleted since.
            TypeError: `change` awaits.
            CausewayError: unavailable: the outcome is unknown or conflicts lasted until the deadline.
        """
        _require_plain(change)
        shape, result = self._type.shape, initial

        def propose(document: Document) -> Proposal | None:
            nonlocal result
            if document.state is None and initial is not None:
                draft = self._draft(shape.load(shape.dump(initial)), change)  # its own: the change may run again
                stored = shape.dump(draft.state)
            else:
                state = self._state(document)
                known = shape.dump(state)
                draft = self._draft(state, change)
                stored = merged(document.state, known, shape.dump(draft.state))
            result = draft.state
            if stored == document.state and not draft.items:
                return None
            return self._proposal(draft, stored)

        landed = await committed(self._scope, self._type.kind, self._id, propose, once=once)
        if landed is not None and landed.document is not None:
            return self._since(landed.document)
        if result is None:
            raise AssertionError("unreachable: a commit that landed was proposed")
        return result

    async def delete(self, change: Change[M] | None = None) -> None:
        """Commit the end of the entity, with what leaves with it.

        Its timers stay unless the change cancels them.

        Args:
            change: a plain function that may look at the last state, publish, enqueue, schedule and cancel, and may raise to refuse.

        Raises:
            Reject: 404, there is none; or what `change` raises.
            CausewayError: as `edit`.
        """
        _require_plain(change)

        def propose(document: Document) -> Proposal:
            return Proposal({}, self._draft(self._state(document), change).items, delete=True)

        await committed(self._scope, self._type.kind, self._id, propose)

    async def snapshot(self, channel: str | Channel) -> Snapshot[M]:
        """The state, and the position of a channel that goes with it: exact where only this entity publishes there.

        A client that got both subscribes from the position and misses nothing, and sees nothing twice.

        Args:
            channel: of a namespace that the app declares with history: its full name, or one that a pattern made.

        Raises:
            Reject: 404, there is none.
            CausewayError: unavailable, or the channel is not the app's.
        """
        request = SnapshotRequest(kind=self._type.kind, id=self._id, channel=str(channel))
        reply = await self._scope.outside.storage.snapshot(request, self._scope.deadline)
        return Snapshot(self._state(reply.document), reply.document.version, reply.head.head, reply.head.epoch)

    def _draft(self, state: M, change: Change[M] | None) -> Draft[M]:
        draft = Draft(state, self._scope.app, self._scope.user)
        result: Any = change(draft) if change else None
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError(_PLAIN)
        return draft

    def _proposal(self, draft: Draft[M], stored: JsonMap) -> Proposal:
        return Proposal(stored, draft.items, self._type.values(draft.state))

    def _since(self, document: Document) -> M:
        """What has become of what an earlier run committed."""
        if document.state is None:
            raise Deleted(self._type.kind)
        return self._type.shape.load(document.state)

    async def _load(self) -> Document:
        return await self._scope.outside.storage.get(self._type.kind, self._id, self._scope.deadline)

    def _state(self, document: Document) -> M:
        if document.state is None:
            raise Reject(NOT_FOUND, f"no such {self._type.kind}")
        return self._type.shape.load(document.state)


def _require_plain(change: Change[Any] | None) -> None:
    if inspect.iscoroutinefunction(change):
        raise TypeError(_PLAIN)
