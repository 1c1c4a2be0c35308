"""Deliveries that cannot be decoded: kept as jobs that die at once, so that they are told, listed and shown like any other dead one."""

from __future__ import annotations

from typing import Final

from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import NewRecord
from causeway_integrations.domain.inbound import OWN_APP
from causeway_integrations.ports import Records

CONNECTOR: Final = "poison"
"""No connector has this name: its jobs are dead with their first delivery."""
BODY_MAX_BYTES: Final = 1024


async def keep_poison(records: Records, subject: str, body: bytes) -> None:
    """Make a record of what came under this subject; the same body is the same record.

    Raises:
        CausewayError: storage is away.
    """
    name = "poison:" + derived_id(subject, body.hex())
    payload = {"subject": subject, "body": body[:BODY_MAX_BYTES], "size": len(body)}
    await records.enqueue([NewRecord(id=name, app=OWN_APP, connector=CONNECTOR, op="delivery", payload=payload)], message_id=name)
