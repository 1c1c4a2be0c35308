"""Calls of apps' methods, and what becomes of one that nobody is there for: a temporary error, or a record of the app's (DESIGN section 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import NewRecord, RpcReply, RpcRequest
from causeway_common.telemetry import OpenSpan, get_logger
from causeway_gateway.domain.namespaces import Catalogue
from causeway_gateway.handlers import metrics
from causeway_gateway.ports import Apps, NobodyError, Records, Tasks

log = get_logger("gateway.calls")
ON_QUEUED_CALL: Final = "on_queued_call"
"""The task of every app that runs calls which were kept."""
QUEUE: Final = "queue"


class Calling:
    """Calls methods.

    Args:
        apps: the apps.
        catalogue: what they have declared.
        records: where calls are kept.
        tasks: where keeping them runs.
    """

    def __init__(self, apps: Apps, catalogue: Catalogue, records: Records, tasks: Tasks) -> None:
        self._apps, self._catalogue, self._records, self._tasks = apps, catalogue, records, tasks

    async def call(self, app: str, method: str, request: RpcRequest, deadline: Deadline, record_id: str) -> bytes:
        """The method's answer, or `{"queued": "<record_id>"}` where nobody is there and the method's calls are kept.

        Raises:
            CausewayError: the app's own; 100, also where it could not be kept; 107, it is too large for that.
        """
        try:
            return await self._apps.call(app, method, request, deadline)
        except NobodyError:
            if not self._is_kept(app, method):
                raise
        return (await self._keep(app, method, request, deadline, record_id)).data

    def begin(
        self,
        app: str,
        method: str,
        request: RpcRequest,
        deadline: Deadline,
        *,
        record_id: str,
        done: Callable[[RpcReply | CausewayError], None],
        parent: OpenSpan,
    ) -> None:
        """As `call`, but `done` is called once with the answer or the error, never before this returns.

        Raises:
            CausewayError: nothing was called, `done` is not.
        """
        if self._is_kept(app, method):
            done = self._or_keep(app, method, request, deadline, record_id, done)
        self._apps.begin_call(app, method, request, deadline, done=done, parent=parent)

    def _is_kept(self, app: str, method: str) -> bool:
        return self._catalogue.method(app, method).when_unavailable == QUEUE

    def _or_keep(  # noqa: PLR0917 - likewise
        self,
        app: str,
        method: str,
        request: RpcRequest,
        deadline: Deadline,
        record_id: str,
        done: Callable[[RpcReply | CausewayError], None],
    ) -> Callable[[RpcReply | CausewayError], None]:
        async def keep() -> None:
            try:
                answer: RpcReply | CausewayError = await self._keep(app, method, request, deadline, record_id)
            except CausewayError as error:
                answer = error
            done(answer)

        def ended(reply: RpcReply | CausewayError) -> None:
            if isinstance(reply, NobodyError):
                self._tasks.spawn(keep())
            else:
                done(reply)

        return ended

    async def _keep(self, app: str, method: str, request: RpcRequest, deadline: Deadline, record_id: str) -> RpcReply:
        payload = {
            "method": method,
            "user": request.user,
            "client": request.client,
            "data": msgspec.json.decode(request.data),
            "info": None if request.info is None else msgspec.json.decode(request.info),
        }
        record = NewRecord(id=record_id, app=app, connector="", op=ON_QUEUED_CALL, payload=payload)
        await self._records.enqueue(record, deadline)
        metrics.calls_kept.add()
        return RpcReply(data=msgspec.json.encode({"queued": record_id}))
