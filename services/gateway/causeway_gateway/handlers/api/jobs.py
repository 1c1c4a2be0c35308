"""What operators ask about jobs, tasks and inbound events: `jobs.list`, `jobs.show`, `jobs.redrive`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import Attempt, KeptRecord, RecordsRequest
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.handlers.api.inspecting import plain
from causeway_gateway.ports import RecordsDesk

State = Literal["pending", "retrying", "done", "dead"]


class ListJobs(Body, frozen=True):
    """Jobs in one state or in any (""), by id from behind `after` on; of one app, of one connector ("task": tasks) where these are given."""

    state: Literal["", "pending", "retrying", "done", "dead"] = ""
    app: str = ""
    connector: str = ""
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class JobShown(Body, frozen=True, omit_defaults=False):
    """A job. An app's own task has the connector "", and its `operation` is `task.NAME`. Times are ms since the epoch, 0: none."""

    id: str
    app: str
    connector: str
    op: str
    operation: str
    state: State
    tries: int
    created_ms: int
    next_at_ms: int
    ended_ms: int
    note: str
    traceparent: str


class JobList(Body, frozen=True, omit_defaults=False):
    """A page; `more`: there are others behind the last one."""

    jobs: list[JobShown]
    more: bool


class JobName(Body, frozen=True):
    """Which job."""

    id: str


class JobInFull(JobShown, frozen=True, kw_only=True, omit_defaults=False):
    """A job with its payload and what became of each attempt, the oldest first."""

    payload: Any
    attempts: list[Attempt]


class RedriveJobs(Body, frozen=True):
    """Have these dead jobs tried again, by a fresh schedule."""

    ids: list[str]


class Redriven(Body, frozen=True, omit_defaults=False):
    """Those that were dead."""

    redriven: list[str]


class JobOperations:
    """Answers operators. `desk`: the records."""

    def __init__(self, desk: RecordsDesk) -> None:
        self._desk = desk

    def table(self) -> Mapping[str, Row]:
        """By name."""
        return {
            "jobs.list": (ListJobs, JobList, self.list_jobs),
            "jobs.show": (JobName, JobInFull, self.show),
            "jobs.redrive": (RedriveJobs, Redriven, self.redrive),
        }

    async def list_jobs(self, request: ListJobs, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, 100."""
        asked = RecordsRequest(
            state=request.state, after=request.after, limit=request.limit, app=request.app, connector=request.connector
        )
        page = await self._desk.records(asked, deadline)
        return JobList(jobs=[JobShown(**_fields(each)) for each in page.records], more=page.more)

    async def show(self, request: JobName, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 104, there is no such job; 100."""
        found = await self._desk.record(request.id, deadline)
        if found is None:
            raise CausewayError(ErrorName.METHOD_NOT_FOUND, "there is no such job")
        return JobInFull(**_fields(found), payload=plain(found.record.payload), attempts=found.record.log)

    async def redrive(self, request: RedriveJobs, _caller: ApiCaller, deadline: Deadline) -> Body:
        """Raises CausewayError: 107, 100."""
        return Redriven(redriven=await self._desk.redrive(request.ids, deadline))


def _fields(kept: KeptRecord) -> dict[str, Any]:
    record = kept.record
    state: State = "retrying" if record.state == "pending" and kept.told else record.state
    return {
        "id": record.id,
        "app": record.app,
        "connector": record.connector,
        "op": record.op,
        "operation": f"{record.connector or 'task'}.{record.op}",
        "state": state,
        "tries": kept.tries,
        "created_ms": record.created_ms,
        "next_at_ms": kept.next_at_ms,
        "ended_ms": kept.ended_ms,
        "note": record.note,
        "traceparent": record.traceparent,
    }
