"""Audit records of what callers of the server API did: written with the operation, answered after both.

Not of what reads, and not of publications and calls: the log and the apps know those.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from causeway_common.bus import Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AuditRecord
from causeway_common.telemetry import current_traceparent, get_logger
from causeway_gateway.domain.keyring import WRITES, ApiCaller
from causeway_gateway.handlers import metrics
from causeway_gateway.handlers.api import bodies as b
from causeway_gateway.ports import AuditTrail

log = get_logger("gateway.api")
AUDITED: Final = WRITES | {"subscribe", "unsubscribe", "disconnect", "refresh", "revoke", "history_remove"}
TARGETS: Final = (
    "user",
    "client",
    "session",
    "jti",
    "channel",
    "app",
    "method",
    "version",
    "share_permille",
    "ids",
    "id",
    "event",
    "expire_at_ms",
)
TARGET_MAX_CHARS: Final = 1000
AUDIT_SECONDS: Final = 2.0


class Auditor:
    """Keeps the audit records of the API's methods.

    Args:
        trail: where they go.
        new_id: makes random ids.
        wall: milliseconds since the Unix epoch.
    """

    def __init__(self, trail: AuditTrail, new_id: Callable[[], str], wall: Callable[[], int]) -> None:
        self._trail, self._new_id, self._wall = trail, new_id, wall

    @asynccontextmanager
    async def around(self, method: str, request: b.Body, caller: ApiCaller) -> AsyncIterator[None]:
        """Do the operation inside; its record is durable behind the block, or the log has it as an error."""
        if method not in AUDITED:
            yield
            return
        outcome = ErrorName.INTERNAL.value
        try:
            yield
            outcome = "ok"
        except CausewayError as error:
            outcome = error.name.value
            raise
        finally:
            await self._keep(method, target_of(request), caller, outcome)

    async def _keep(self, method: str, target: str, caller: ApiCaller, outcome: str) -> None:
        now = self._wall()
        record = AuditRecord(
            id=f"{now:016d}-{self._new_id()}",
            at_ms=now,
            caller=caller.name,
            name=method,
            target=target,
            outcome=outcome,
            traceparent=current_traceparent(),
        )
        try:
            await self._trail.audit(record, Deadline.after(AUDIT_SECONDS))
        except CausewayError as error:  # what was done is done: it is told where it can be told
            metrics.audit_lost.add()
            log.error(  # noqa: TRY400 - where it was raised tells nothing
                "an audit record could not be kept and stands here alone",
                caller=caller.name,
                operation=method,
                target=target,
                outcome=outcome,
                reason=error.message,
            )


def target_of(request: b.Body) -> str:
    """What a request acts on, as `user=ann channel=chat:1`."""
    given = ((name, getattr(request, name, None)) for name in TARGETS)
    return " ".join(f"{name}={value}" for name, value in given if value)[:TARGET_MAX_CHARS]
