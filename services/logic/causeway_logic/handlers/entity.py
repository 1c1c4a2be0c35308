"""One entity of an app: read it, create it, edit it by a change that runs again on a conflict."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import CommitReply, CommitRequest, Document, JsonMap
from causeway_common.telemetry import Counters
from causeway_logic.domain.draft import Draft
from causeway_logic.domain.reject import Reject
from causeway_logic.domain.shape import Shape, merged
from causeway_logic.handlers.scope import Scope

M = TypeVar("M")
Change = Callable[[Draft[M]], None]

CONFLICT_PAUSE_S: Final = 0.005
NEVER: Final = 2**53 - 1
"""The highest version that storage takes a question about; no entity gets there."""
NOT_FOUND: Final = 404
EXISTS: Final = 409
_PLAIN: Final = "a change is a plain function without await: it may run several times; await before or after the edit"

_conflicts: Final = Counters("logic").counter("edit_conflicts", "commits that another one came before")


class Committed(NamedTuple):
    """A commit of an earlier run, and the document as it is now."""

    now: Document


class Entity(Generic[M]):
    """A handle on one entity; made by `Context.entity`, does nothing by itself."""

    __slots__ = ("_id", "_scope", "_shape")

    def __init__(self, scope: Scope, shape: Shape[M], id: str) -> None:
        self._scope, self._shape, self._id = scope, shape, id

    async def get(self) -> M:
        """The state as last committed. A rule that a change relies on belongs into the change, where a conflict repeats it.

        Raises:
            Reject: 404, there is none.
            CausewayError: storage is unavailable.
        """
        return self._state(await self._load())

    async def create(self, state: M, change: Change[M] | None = None) -> M:
        """Commit a new entity.

        Args:
            state: its first state.
            change: a plain function that may finish the state, publish and enqueue.

        Returns:
            The state as committed.

        Raises:
            Reject: 409, it exists already; or what `change` raises.
            CausewayError: unavailable; the outcome is unknown and nothing but this call's own repeat may follow.
        """
        _require_plain(change)
        commit_id = self._scope.identity.commit_id(self._shape.kind, self._id)
        async with self._scope.locks.hold(self._shape.kind, self._id):
            draft = self._draft(state, change)
            request = self._request(0, commit_id, self._shape.dump(draft.state), draft)
            reply = await self._commit(request)
            if reply.outcome == "conflict":
                raise Reject(EXISTS, f"this {self._shape.kind} exists already")
            return await self._committed(reply, request, draft)

    async def edit(self, change: Change[M]) -> M:
        """Commit a change of the entity with everything that leaves with it, all or nothing.

        Args:
            change: a plain function; it sees the current state and may raise. It runs again when another commit came first,
                so it must have no effect but on its draft. One that changes nothing commits nothing.

        Returns:
            The state as committed.

        Raises:
            Reject: 404, there is none; or what `change` raises.
            TypeError: `change` awaits.
            CausewayError: unavailable: the outcome is unknown or conflicts lasted until the deadline.
        """
        _require_plain(change)
        commit_id = self._scope.identity.commit_id(self._shape.kind, self._id)
        async with self._scope.locks.hold(self._shape.kind, self._id):
            document = await self._before(commit_id)
            if isinstance(document, Committed):
                return self._state(document.now)
            while True:
                draft, state = self._proposal(document, change)
                if state == document.state and not draft.items:
                    return draft.state
                request = self._request(document.version, commit_id, state, draft)
                reply = await self._commit(request)
                if reply.outcome == "committed":
                    return await self._committed(reply, request, draft)
                _conflicts.add()
                document = reply.document or await self._load()
                await self._back_off()

    async def _before(self, commit_id: str) -> Document | Committed:
        """The document that a change begins with; in a rerun, where this commit is there already, what has become of it."""
        if not self._scope.rerun:
            return await self._load()
        # A commit id is looked for before the version is compared: one on a version that there cannot be is the question for it.
        probe = CommitRequest(kind=self._shape.kind, id=self._id, expected=NEVER, commit_id=commit_id, state={})
        reply = await self._commit(probe)
        document = reply.document or await self._load()
        return Committed(document) if reply.outcome == "committed" else document

    def _proposal(self, document: Document, change: Change[M]) -> tuple[Draft[M], JsonMap]:
        """The draft after the change, and the state to store: its own fields, and those it does not know as they were."""
        state = self._state(document)
        known = self._shape.dump(state)
        draft = self._draft(state, change)
        stored: JsonMap = merged(document.state, known, self._shape.dump(draft.state))
        return draft, stored

    def _draft(self, state: M, change: Change[M] | None) -> Draft[M]:
        draft = Draft(state, self._scope.app)
        result: Any = change(draft) if change else None
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError(_PLAIN)
        return draft

    def _request(self, expected: int, commit_id: str, state: JsonMap, draft: Draft[M]) -> CommitRequest:
        return CommitRequest(
            kind=self._shape.kind,
            id=self._id,
            expected=expected,
            commit_id=commit_id,
            state=state,
            items=[encode_item(item) for item in draft.items],
            by=self._scope.user,
        )

    async def _committed(self, reply: CommitReply, request: CommitRequest, draft: Draft[M]) -> M:
        """Our own proposal stands, unless an earlier run of the same request committed: then what has become of it."""
        if not reply.repeat or reply.version == request.expected + 1:
            return draft.state
        return self._state(reply.document or await self._load())

    async def _back_off(self) -> None:
        """Full jitter between tries; processes that met once do not meet again in step.

        It does not grow: the document that the conflict brought ages meanwhile, and whoever waits longer loses to those that never had
        to wait (make bench, 64 processes: with pauses of up to 0.5 s some callers committed 50 times a second and others not once).
        """
        pause = self._scope.outside.jitter() * CONFLICT_PAUSE_S
        if pause >= self._scope.deadline.remaining():
            raise unavailable(f"other changes of this {self._shape.kind} came first until the deadline")
        await self._scope.outside.pause(pause)

    async def _commit(self, request: CommitRequest) -> CommitReply:
        return await self._scope.outside.storage.commit(request, self._scope.deadline)

    async def _load(self) -> Document:
        return await self._scope.outside.storage.get(self._shape.kind, self._id, self._scope.deadline)

    def _state(self, document: Document) -> M:
        if document.state is None:
            raise Reject(NOT_FOUND, f"no such {self._shape.kind}")
        return self._shape.load(document.state)


def _require_plain(change: Change[Any] | None) -> None:
    if inspect.iscoroutinefunction(change):
        raise TypeError(_PLAIN)
