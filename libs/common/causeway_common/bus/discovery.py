"""Makes a process visible to the standard `nats micro` tooling: it answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` (NATS ADR-32)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from causeway_common.bus.client import DirectClient
from causeway_common.bus.dispatch import Endpoint
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.subjects import DISCOVERY
from causeway_common.telemetry import get_logger

log = get_logger("bus")
VERBS: Final = ("PING", "INFO", "STATS")
_TYPES: Final = {verb: f"io.nats.micro.v1.{verb.lower()}_response" for verb in VERBS}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process is called there: its service, that one's version, its own id."""

    name: str
    version: str
    id: str


class Discovery:
    """Answers for one connection.

    Args:
        client: the connection.
        identity: of the process.
        endpoints: what it serves now.
    """

    def __init__(self, client: DirectClient, identity: Identity, endpoints: Callable[[], Iterable[Endpoint]]) -> None:
        self._client, self._identity, self._endpoints = client, identity, endpoints
        self._started = datetime.now(UTC).isoformat().replace("+00:00", "Z")

    async def start(self) -> None:
        """Answer, until the connection is closed."""
        name, own = self._identity.name, self._identity.id
        for verb in VERBS:
            answer = partial(self._asked, verb)
            for subject in (f"{DISCOVERY}.{verb}", f"{DISCOVERY}.{verb}.{name}", f"{DISCOVERY}.{verb}.{name}.{own}"):
                await self._client.subscribe_direct(subject, answer)

    def _asked(self, verb: str, _subject: str, reply: str, _body: bytes, _headers: bytes) -> None:
        if not reply:
            return
        identity = self._identity
        answer: dict[str, Any] = {
            "name": identity.name,
            "id": identity.id,
            "version": identity.version,
            "metadata": {},
            "type": _TYPES[verb],
        }
        if verb == "INFO":
            answer |= {"description": f"Causeway {identity.name}", "endpoints": [_described(each) for each in self._endpoints()]}
        elif verb == "STATS":
            answer |= {"started": self._started, "endpoints": [_counted(each) for each in self._endpoints()]}
        try:
            self._client.send(reply, json.dumps(answer).encode())
        except CausewayError as error:
            log.debug("a question of who is there could not be answered", reason=error.message)


def _named(endpoint: Endpoint) -> dict[str, Any]:
    fields = endpoint.verb.subject.fields(endpoint.subject) if endpoint.subject else {}
    name = "-".join([endpoint.verb.name, *(fields[key] for key in ("method",) if key in fields)])
    return {"name": name, "subject": endpoint.subject, "queue_group": endpoint.queue}


def _described(endpoint: Endpoint) -> dict[str, Any]:
    return {**_named(endpoint), "metadata": {}}


def _counted(endpoint: Endpoint) -> dict[str, Any]:
    """Times are in the metrics, which tell more than a mean does."""
    return {
        **_named(endpoint),
        "num_requests": endpoint.requests,
        "num_errors": endpoint.failed,
        "last_error": "",
        "processing_time": 0,
        "average_processing_time": 0,
    }
