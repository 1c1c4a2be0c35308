"""What an operation is given: the same for a call that waits and for one try of a job."""

from __future__ import annotations

from dataclasses import dataclass

from causeway_common.contracts.messages import JsonMap


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt.

    Attributes:
        app: on whose behalf.
        connector: whose operation.
        op: its name.
        payload: as `contracts.connectors` has it; checked by the operation.
        key: the same at every try: what makes the effect once at a peer that honours it. Letters, digits, `_`, `-`; at most 64.
        id: of the record, or of the call.
        created_ms: when it was asked for first.
        attempt: the try, from 1.
        traceparent: of what caused it.
        line: in which line of its app it stands, and
        turn: its place there; "" and 0: in none.
        waits: somebody waits for the answer; a job's next try comes by its schedule.
        limit_ms: so long somebody waits; 0: it is not known.
    """

    app: str
    connector: str
    op: str
    payload: JsonMap
    key: str
    id: str
    created_ms: int
    attempt: int = 1
    traceparent: str = ""
    waits: bool = False
    limit_ms: int = 0
    line: str = ""
    turn: int = 0
