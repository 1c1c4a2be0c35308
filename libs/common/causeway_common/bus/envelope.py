"""The headers of a request: trace, deadline, message id; written and read as one block, since the hot path goes by here twice a call."""

from __future__ import annotations

import re
from typing import Final

from causeway_common.bus.client import header_block, parse_headers
from causeway_common.telemetry import names

DEADLINE_HEADER: Final = "Cw-Deadline-Ms"
ID_HEADER: Final = "Cw-Id"
ERROR_HEADER: Final = "Nats-Service-Error-Code"

# make bench: reading headers line by line into a map, and writing them from one, were 4 of an RPC's 86 µs
_PLAIN: Final = re.compile(
    rb"NATS/1\.0\r\nCw-Deadline-Ms: ([0-9]{1,9})\r\n(?:traceparent: ([!-~]+)\r\n)?(?:Cw-Id: ([!-~]+)\r\n)?\r\n"
)


def written(left_ms: int, traceparent: str, message_id: str) -> bytes:
    """The header block of a request."""
    if message_id:
        headers = {
            DEADLINE_HEADER: str(left_ms),
            **({names.TRACEPARENT: traceparent} if traceparent else {}),
            ID_HEADER: message_id,
        }
        return header_block(headers)
    if traceparent:
        return b"NATS/1.0\r\nCw-Deadline-Ms: %d\r\ntraceparent: %b\r\n\r\n" % (left_ms, traceparent.encode())
    return b"NATS/1.0\r\nCw-Deadline-Ms: %d\r\n\r\n" % left_ms


def read(block: bytes) -> tuple[int | None, str, str]:
    """What a header block says, whoever wrote it: milliseconds until the deadline (None: none is said), traceparent, message id."""
    if plain := _PLAIN.fullmatch(block):
        left, traceparent, message_id = plain.groups(b"")
        return int(left), traceparent.decode(), message_id.decode()
    headers = parse_headers(block) if block else {}
    left_text = headers.get(DEADLINE_HEADER, "")
    left_ms = int(left_text) if left_text.isascii() and left_text.isdigit() and len(left_text) <= 9 else None
    return left_ms, headers.get(names.TRACEPARENT, ""), headers.get(ID_HEADER, "")
