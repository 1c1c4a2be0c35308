"""The verbs of the audit records: who may write and read them, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from causeway_common.bus import Call, Deadline
from causeway_common.contracts.errors import CausewayError, ErrorName
from causeway_common.contracts.messages import AuditPageRequest, AuditRecord, AuditRequest, Manifest, NamespaceSpec
from causeway_storage.adapters.memory import MemoryAuditLog, MemoryDatabase
from causeway_storage.handlers.access import Access
from causeway_storage.handlers.audit import AuditHandlers

RECORD = AuditRecord(
    id="0000000000000005-a", at_ms=5, caller="ops", name="disconnect", target="user=ann", outcome="ok", traceparent="t"
)
changed = msgspec.structs.replace


class NoApps:
    """No manifests."""

    manifests: Mapping[str, Manifest] = {}
    namespaces: Mapping[str, tuple[str, NamespaceSpec]] = {}


@pytest.fixture
def handlers() -> AuditHandlers:
    return AuditHandlers(MemoryAuditLog(MemoryDatabase()), Access(NoApps()))


async def call(caller: str) -> Call:
    return Call({"caller": caller, "verb": "x"}, "", Deadline(asyncio.get_running_loop().time()))


async def test_gateways_write_the_operator_reads_the_newest_first_in_pages_and_a_repeat_is_one(handlers: AuditHandlers) -> None:
    later = changed(RECORD, id="0000000000000006-a", at_ms=6)
    for _ in range(2):
        await handlers.audit(AuditRequest(records=[RECORD, later]), await call("gateway"))

    operator = await call("operator")
    assert (await handlers.audit_page(AuditPageRequest(), operator)).records == [later, RECORD]
    assert (await handlers.audit_page(AuditPageRequest(limit=1), operator)).records == [later]
    assert (await handlers.audit_page(AuditPageRequest(before=later.id), operator)).records == [RECORD]
    assert (await handlers.audit_page(AuditPageRequest(before=RECORD.id), operator)).records == []
    assert (await handlers.audit_page(AuditPageRequest(), await call("gateway"))).records == [later, RECORD]


async def test_nobody_else_writes_or_reads(handlers: AuditHandlers) -> None:
    for caller in ("chat", "integrations", "operator"):
        with pytest.raises(CausewayError) as caught:
            await handlers.audit(AuditRequest(records=[RECORD]), await call(caller))
        assert caught.value.name is ErrorName.PERMISSION_DENIED
    for caller in ("chat", "integrations"):
        with pytest.raises(CausewayError) as caught:
            await handlers.audit_page(AuditPageRequest(), await call(caller))
        assert caught.value.name is ErrorName.PERMISSION_DENIED


@pytest.mark.parametrize(
    "request_",
    [
        AuditRequest(records=[]),
        AuditRequest(records=[RECORD] * 257),
        AuditRequest(records=[changed(RECORD, id="x")]),
        AuditRequest(records=[changed(RECORD, at_ms=6)]),
        AuditRequest(records=[changed(RECORD, at_ms=-1)]),
        AuditRequest(records=[changed(RECORD, target="x" * 4097)]),
        AuditRequest(records=[changed(RECORD, id=RECORD.id + "x" * 256)]),
    ],
)
async def test_audit_records_that_break_a_bound_are_refused(handlers: AuditHandlers, request_: AuditRequest) -> None:
    with pytest.raises(CausewayError) as caught:
        await handlers.audit(request_, await call("gateway"))
    assert caught.value.code == 107


@pytest.mark.parametrize("request_", [AuditPageRequest(limit=0), AuditPageRequest(limit=257), AuditPageRequest(before="x" * 257)])
async def test_pages_that_break_a_bound_are_refused(handlers: AuditHandlers, request_: AuditPageRequest) -> None:
    with pytest.raises(CausewayError) as caught:
        await handlers.audit_page(request_, await call("operator"))
    assert caught.value.code == 107
