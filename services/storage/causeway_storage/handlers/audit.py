"""audit, audit_page."""

from __future__ import annotations

from typing import Final

from causeway_common.bus import Call
from causeway_common.contracts.messages import AuditPageReply, AuditPageRequest, AuditRecord, AuditReply, AuditRequest
from causeway_storage.domain import checks
from causeway_storage.domain.stored import Operation
from causeway_storage.handlers.access import GATEWAY, Access
from causeway_storage.ports import AuditLog

FIELDS: Final = AuditRecord.__struct_fields__


class AuditHandlers:
    """The verbs of the audit records of operations.

    Args:
        log: where they are.
        access: who may.
    """

    def __init__(self, log: AuditLog, access: Access) -> None:
        self._log, self._access = log, access

    async def audit(self, request: AuditRequest, call: Call) -> AuditReply:
        """Keep what the gateways did for callers of their API."""
        self._access.service(call, GATEWAY)
        checks.check_audit(request)
        await self._log.record([Operation(**{name: getattr(each, name) for name in FIELDS}) for each in request.records])
        return AuditReply()

    async def audit_page(self, request: AuditPageRequest, call: Call) -> AuditPageReply:
        """A page, for operators."""
        self._access.operates(call)
        checks.check_audit_page(request)
        page = await self._log.page(request.before, request.limit)
        return AuditPageReply(records=[AuditRecord(**{name: getattr(each, name) for name in FIELDS}) for each in page])
