"""Commits of one entity, on its stored form: propose, commit, and propose again on what came first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from causeway_common.contracts.codec import encode_item
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import CommitReply, CommitRequest, Document, IndexValue, JsonMap, OutboxItem
from causeway_common.telemetry import Counters, get_logger
from causeway_logic.handlers.scope import Scope

log = get_logger("logic")
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


Key = tuple[str, str]
Propose = Callable[[Document], Proposal | None]
"""From the entity as it is to what to write; None: nothing. It may raise, and may be asked several times."""


async def committed(
    scope: Scope, kind: str, id: str, propose: Propose, *, first: Document | None = None, once: bool = True
) -> Landed | None:
    """Commit what is proposed, once per place in the handler, however often the handler runs.

    Args:
        scope: the call.
        kind: of the entity.
        id: its id.
        propose: see `Propose`.
        first: propose on this before anything is loaded.
        once: False: once in each run of the handler.

    Returns:
        None: nothing was proposed.

    Raises:
        CausewayError: unavailable: the outcome is unknown, or conflicts lasted until the deadline; or storage's refusal.
        Exception: what `propose` raises.
    """
    key, commit_id = (kind, id), scope.identity.commit_id(kind, id) if once else scope.outside.new_id()
    rerun = scope.rerun and once
    storage = scope.outside.storage
    async with scope.locks.hold(kind, id):
        before = first or await (_rerun(scope, key, commit_id) if rerun else _guessed(scope, key, commit_id, propose))
        if isinstance(before, Landed):
            return before
        document = before or await storage.get(kind, id, scope.deadline)
        met = before is not None and first is None
        while True:
            proposal = propose(document)
            if proposal is None:
                return None
            reply = await _asked(scope, _request(scope, key, commit_id, document.version, proposal))
            if reply.outcome == "committed":
                if reply.repeat and (rerun or reply.version != document.version + 1):
                    return Landed(reply.document or await storage.get(kind, id, scope.deadline))
                if not met:  # where others edit it too, the next guess would be wrong as well
                    _keep(scope, key, reply.version, proposal)
                return Landed()
            _conflicts.add()
            met = True
            document = reply.document or await storage.get(kind, id, scope.deadline)
            await _back_off(scope, kind)


async def _rerun(scope: Scope, key: Key, commit_id: str) -> Landed | Document:
    """What an earlier run has committed; else the entity as it is."""
    asked = await _asked(scope, CommitRequest(kind=key[0], id=key[1], expected=NEVER, commit_id=commit_id, state={}))
    if asked.outcome == "committed":
        return Landed(asked.document or await scope.outside.storage.get(*key, scope.deadline))
    return asked.document or ABSENT


async def _guessed(scope: Scope, key: Key, commit_id: str, propose: Propose) -> Landed | Document | None:
    """Commit on what this process committed last; else the entity as it is, None where that is not known."""
    document = scope.documents.take(*key, scope.outside.now_ms())
    if document is None:
        return None
    try:
        proposal = propose(document)
    except Exception as error:  # noqa: BLE001 - raised again on the entity as it is, if it holds there
        log.debug("a change refused a guess, it is asked again", reason=str(error))
        return None
    if proposal is None:
        return None
    reply = await _asked(scope, _request(scope, key, commit_id, document.version, proposal))
    if reply.outcome == "conflict":
        _conflicts.add()
        return reply.document
    if reply.repeat and reply.version != document.version + 1:
        return Landed(reply.document or await scope.outside.storage.get(*key, scope.deadline))
    _keep(scope, key, reply.version, proposal)
    return Landed()


def _keep(scope: Scope, key: Key, version: int, proposal: Proposal) -> None:
    if not proposal.delete:
        scope.documents.keep(*key, Document(version=version, state=proposal.state), scope.outside.now_ms())


def _request(scope: Scope, key: Key, commit_id: str, expected: int, proposal: Proposal) -> CommitRequest:
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
        remember_ms=scope.remember_ms,
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
