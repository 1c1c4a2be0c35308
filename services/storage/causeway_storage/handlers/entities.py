"""get, query, trail, inspect, commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Final, assert_never

from msgspec.structs import replace

from causeway_common.bus import Call
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import (
    CommitReply,
    CommitRequest,
    FoundEntity,
    GetReply,
    GetRequest,
    InspectReply,
    InspectRequest,
    QueryReply,
    QueryRequest,
    TrailReply,
    TrailRequest,
    WaitingItems,
)
from causeway_common.runtime import fault_point
from causeway_common.telemetry import Counters, current_traceparent
from causeway_storage.domain import checks
from causeway_storage.domain.entity import Commit, EntityKey
from causeway_storage.domain.log import PAGE_MAX_BYTES
from causeway_storage.domain.packing import pack
from causeway_storage.domain.query import cursor_after, indexes_of, plan_query
from causeway_storage.domain.relay import PUBLISH
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.latency import durable
from causeway_storage.ports import Clock, Committed, Conflicted, Entities, Found

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
        key = checks.check_entity(self._access.keeper(call), request.kind, request.id)
        document = await self._entities.load(key)
        if 0 < document.version < request.at_least:
            raise unavailable(f"version {request.at_least} is not to be read yet")
        return GetReply(document=document)

    async def query(self, request: QueryRequest, call: Call) -> QueryReply:
        """Entities of the caller's own, over indexes that it declares."""
        app = self._access.keeper(call)
        checks.check_kind(request.kind)
        cursor_key = await self._entities.cursor_key()
        query = plan_query(app, request, cursor_key)
        self._access.declares(app, query.kind, indexes_of(query))
        found = await self._entities.query(query)
        page = page_of(found, request.fields)
        more = len(page) < len(found) or len(found) == query.limit
        cursor = cursor_after(found[len(page) - 1].entry, query, cursor_key) if more and page else ""
        return QueryReply(entities=page, cursor=cursor)

    async def trail(self, request: TrailRequest, call: Call) -> TrailReply:
        """Who made the last versions of one entity of the caller's own, or for the operator of any app's."""
        key = checks.check_entity(self._access.looks_at(call, request.app), request.kind, request.id)
        return TrailReply(versions=list(await self._entities.trail(key)))

    async def inspect(self, request: InspectRequest, call: Call) -> InspectReply:
        """One entity of any app with its last versions and its outbox, for operators. Each is read for itself."""
        key = checks.check_entity(self._access.inspects(call, request.app), request.kind, request.id)
        document, versions, outbox = await asyncio.gather(
            self._entities.load(key), self._entities.trail(key), self._entities.outbox(key)
        )
        waiting = [WaitingItems(list(each.items), each.at_ms, each.version, each.traceparent) for each in outbox]
        return InspectReply(document=document, versions=list(versions), outbox=waiting)

    async def commit(self, request: CommitRequest, call: Call) -> CommitReply:
        """State and outbox in one act; then the relay takes the outbox on."""
        app = self._access.keeper(call)
        key = checks.check_entity(app, request.kind, request.id)
        commit = checks.check_commit(request, traceparent=current_traceparent(), now_ms=self._clock())
        self._require_own_channels(app, commit)
        started = perf_counter_ns()
        outcome = await self._entities.commit(key, commit)
        durable(started, "commit")
        match outcome:
            case Committed(version, repeat, document, left):
                _commits.add(1, "repeat" if repeat else "committed")
                if not repeat:
                    fault_point("storage.commit.after_write")
                    if (commit.items or commit.delete) and not left:  # a deletion cancels timers
                        self._kick(key)
                return CommitReply(outcome="committed", version=version, repeat=repeat, document=document)
            case Conflicted(document):
                _commits.add(1, "conflict")
                return CommitReply(outcome="conflict", version=document.version, document=document)
            case other:
                assert_never(other)

    def _require_own_channels(self, app: str, commit: Commit) -> None:
        for item in commit.items:
            if item["kind"] == PUBLISH:  # `check_commit` let it through as a whole one
                self._access.owns(app, item["channel"])


def page_of(found: Sequence[Found], fields: Sequence[str]) -> list[FoundEntity]:
    """The entities as they are answered, those fields of their states; as many as fit a page, but one at least."""
    page: list[FoundEntity] = []
    size = 0
    for each in found:
        state = each.document.state or {}
        wanted = {name: value for name, value in state.items() if name in fields} if fields else state
        size += len(pack(wanted))
        if page and size > PAGE_MAX_BYTES:
            break
        page.append(FoundEntity(id=each.id, document=replace(each.document, state=wanted)))
    return page
