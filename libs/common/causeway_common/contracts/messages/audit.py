"""Audit records of operations, and pages of them."""

from __future__ import annotations

from causeway_common.contracts.messages.base import Message


class AuditRecord(Message, frozen=True):
    """One operation: who (`caller`, an API key's name) did what (`name`) to what (`target`), and how it ended ("ok" or an error's name).

    `id` begins with `at_ms` in 16 digits, so that ids sort by time.
    """

    id: str
    at_ms: int
    caller: str
    name: str
    target: str
    outcome: str
    traceparent: str = ""


class AuditRequest(Message, frozen=True):
    """Keep audit records; an id that exists already is left as it is."""

    records: list[AuditRecord]


class AuditReply(Message, frozen=True):
    """Durable."""


class AuditPageRequest(Message, frozen=True):
    """Audit records, the newest first, from below the id `before` on ("": from the newest)."""

    before: str = ""
    limit: int = 50


class AuditPageReply(Message, frozen=True):
    """A page of them; none: there are no more."""

    records: list[AuditRecord]
