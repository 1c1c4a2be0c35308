"""Commits of one entity, on its stored form: propose, commit, and propose again on what came first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import CommitReply, CommitRequest, Document, IndexValue, JsonMap, OutboxItem
from causeway_common.telemetry import Counters
from causeway_logic.handlers.scope import Scope

CONFLICT_PAUSE_S: Final = 0.005
NEVER: Final = 2**53 - 1
"""A version that no entity reaches: a commit that expects it is answered as a repeat or as a conflict, and never carried out."""
ABSENT: Final = Document()

_conflicts: Final = Counters("logic").counter("edit_conflicts", "commits that another one came before")


class Proposal(msgspec.Struct, frozen=True):
    """What a commit is to write, and what leaves with it."""

    state: JsonMap
    items: tuple[OutboxItem, ...] = ()
    indexes: dict[str, IndexValue] = {}
    delete: bool = False


class Landed(msgspec.Struct, frozen=True):
    """Committed. `document`: what has become of it since an earlier run did it; None: the last proposal stands."""

    document: Document | None = None


Propose = Callable[[Document], Proposal | None]
"""From the entity as it is to what to write; None: nothing. It may raise, and may be asked several times."""


async def committed(scope: Scope, kind: str, id: str, propose: Propose, *, first: Document | None = None) -> Landed | None:
    """Commit what is proposed, once per place in the handler, however often the handler runs.

    Args:
        scope: the call.
        kind: of the entity.
        id: its id.
        propose: see `Propose`.
        first: propose on this before anything is loaded.

    Returns:
        None: nothing was proposed.

    Raises:
        CausewayError: unavailable: the outcome is unknown, or conflicts lasted until the deadline; or storage's refusal.
        Exception: what `propose` raises.
    """
    commit_id = scope.identity.commit_id(kind, id)
    storage = scope.outside.storage
    async with scope.locks.hold(kind, id):
        document = first
        if document is None and scope.rerun:
            asked = await _asked(scope, CommitRequest(kind=kind, id=id, expected=NEVER, commit_id=commit_id, state={}))
            if asked.outcome == "committed":
                return Landed(asked.document or await storage.get(kind, id, scope.deadline))
            document = asked.document or ABSENT
        if document is None:
            document = await storage.get(kind, id, scope.deadline)
        while True:
            proposal = propose(document)
            if proposal is None:
                return None
            reply = await _asked(scope, _request(scope, (kind, id), commit_id, document.version, proposal))
            if reply.outcome == "committed":
                if not reply.repeat or (reply.version == document.version + 1 and not scope.rerun):
                    return Landed()
                return Landed(reply.document or await storage.get(kind, id, scope.deadline))
            _conflicts.add()
            document = reply.document or await storage.get(kind, id, scope.deadline)
            await _back_off(scope, kind)


def _request(scope: Scope, key: tuple[str, str], commit_id: str, expected: int, proposal: Proposal) -> CommitRequest:
    return CommitRequest(
        kind=key[0],
        id=key[1],
        expected=expected,
        commit_id=commit_id,
        state=proposal.state,
        items=[encode_item(item) for item in proposal.items],
        by=scope.user,
        indexes=proposal.indexes,
        delete=proposal.delete,
    )


async def _asked(scope: Scope, request: CommitRequest) -> CommitReply:
    return await scope.outside.storage.commit(request, scope.deadline)


async def _back_off(scope: Scope, kind: str) -> None:
    """Full jitter between tries; processes that met once do not meet again in step.

    It does not grow: the document that the conflict brought ages meanwhile, and whoever waits longer loses to those that never had
    to wait (make bench, 64 processes: with pauses of up to 0.5 s some callers committed 50 times a second and others not once).
    """
    pause = scope.outside.jitter() * CONFLICT_PAUSE_S
    if pause >= scope.deadline.remaining():
        raise unavailable(f"other changes of this {kind} came first until the deadline")
    await scope.outside.pause(pause)
