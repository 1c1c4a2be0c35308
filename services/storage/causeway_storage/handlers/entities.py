"""get, commit."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final, assert_never

from causeway_common.bus import Call
from causeway_common.contracts.messages import CommitReply, CommitRequest, GetReply, GetRequest
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, current_traceparent
from causeway_storage.domain import checks
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.latency import durable
from causeway_storage.ports import Clock, Committed, Conflicted, Entities

PUBLISH: Final = "publish"
"""The kind of an item that publishes; `check_commit` let it through as a whole one."""
_commits: Final = Counters("storage").counter("commits", "commits by outcome: committed, repeat, conflict")


class EntityHandlers:
    """The verbs of the entities.

    Args:
        entities: where they are.
        access: who may.
        kick: starts the relay of an entity; must not wait.
        clock: the time of day.
    """

    def __init__(self, entities: Entities, access: Access, kick: Callable[[EntityKey], None], clock: Clock) -> None:
        self._entities, self._access, self._kick, self._clock = entities, access, kick, clock

    async def get(self, request: GetRequest, call: Call) -> GetReply:
        """One entity of the caller's own."""
        key = checks.check_entity(self._access.app(call), request.kind, request.id)
        return GetReply(document=await self._entities.load(key))

    async def commit(self, request: CommitRequest, call: Call) -> CommitReply:
        """State and outbox in one act; then the relay takes the outbox on."""
        app = self._access.app(call)
        key = checks.check_entity(app, request.kind, request.id)
        commit = checks.check_commit(request, traceparent=current_traceparent(), now_ms=self._clock())
        self._require_own_channels(app, commit)
        started = perf_counter_ns()
        outcome = await self._entities.commit(key, commit)
        durable(started, "commit")
        match outcome:
            case Committed(version, repeat, document):
                _commits.add(1, "repeat" if repeat else "committed")
                if not repeat:
                    fault_point("storage.commit.after_write")
                    if commit.items:
                        self._kick(key)
                return CommitReply(outcome="committed", version=version, repeat=repeat, document=document)
            case Conflicted(document):
                _commits.add(1, "conflict")
                return CommitReply(outcome="conflict", version=document.version, document=document)
            case other:
                assert_never(other)

    def _require_own_channels(self, app: str, commit: Commit) -> None:
        for item in commit.items:
            if item["kind"] == PUBLISH:
                self._access.owns(app, item["channel"])
