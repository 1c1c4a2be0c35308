"""`fax.send {to, text}` through an HTTP gateway that honours `Idempotency-Key`.

[integrations.connectors.fax]
url = "https://fax.example.com/v1/faxes"
token = "env:FAX_TOKEN"
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from causeway_integrations.ports.kit import (
    ATTEMPT_MS,
    AddressRefused,
    Answered,
    Connector,
    Done,
    Failed,
    GivenUp,
    Kit,
    NotReached,
    Outcome,
    Outgoing,
    Work,
    bad_request,
    nowhere,
)

SCHEDULE = [0, 10_000, 60_000, 600_000]


def connector(settings: Mapping[str, Any], kit: Kit) -> Connector:
    """The entry point. Raises ValueError where a setting is missing or unknown."""
    if set(settings) != {"url", "token"}:
        raise ValueError("url and token are needed, and nothing else")
    fax = Fax(str(settings["url"]), str(settings["token"]), kit)
    return Connector("fax", {"send": fax.send}, kit.schedule(SCHEDULE), ATTEMPT_MS, nowhere)


class Fax:
    """The operations."""

    def __init__(self, url: str, token: str, kit: Kit) -> None:
        self._url, self._token, self._kit = url, token, kit

    async def send(self, work: Work) -> Outcome:
        """Send it, with the same key at every try."""
        to, text = work.payload.get("to"), work.payload.get("text")
        if not isinstance(to, str) or not to.lstrip("+").isdigit() or not isinstance(text, str):
            raise bad_request("fax.send takes a number `to` and a `text`")
        headers = {
            "authorization": f"Bearer {self._kit.reveal(self._token)}",
            "content-type": "application/json",
            "idempotency-key": work.key,
        }
        answer = await self._kit.http.send(Outgoing("POST", self._url, headers, json.dumps({"to": to, "text": text}).encode()))
        match answer:
            case Answered(status) if status < 300:
                return Done(answer.note, status, {"accepted": True})
            case Answered(status) if status >= 500 or status == 429:
                return Failed(answer.note, status, answer.retry_after_ms(self._kit.now_ms()))
            case Answered(status):
                return GivenUp(answer.note, status, code=422)
            case NotReached(why):
                return Failed(why)
            case AddressRefused(why):
                return GivenUp(why)
