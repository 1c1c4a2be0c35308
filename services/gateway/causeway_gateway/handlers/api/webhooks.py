"""The endpoints of webhooks for operators, `webhooks.*`: integrations keep them, and answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from causeway_common.bus import Deadline
from causeway_common.contracts.verbs import WEBHOOKS
from causeway_gateway.domain.keyring import ApiCaller
from causeway_gateway.handlers.api.answers import Row
from causeway_gateway.handlers.api.bodies import Body
from causeway_gateway.ports import WebhookDesk

R = TypeVar("R", bound=Body)
OVERLAP_MAX_MS: Final = 30 * 24 * 3600 * 1000


class AddEndpoint(Body, frozen=True):
    """Send an app's events of one type to a URL. `rate_limit`: requests a second, 0: no limit. `ordered`: those of one key one after the other."""

    app: str
    event: str
    url: str
    rate_limit: Annotated[float, msgspec.Meta(ge=0)] = 0
    ordered: bool = False


class EndpointSecret(Body, frozen=True, omit_defaults=False):
    """The endpoint and the secret that signs from now on. It is told here and never again."""

    id: str
    secret: str


class EndpointShown(Body, frozen=True, omit_defaults=False):
    """An endpoint. `disabled`: why, "" where it is not. `configured`: by the file. Times are ms since the epoch, 0: none."""

    id: str
    app: str
    event: str
    url: str
    configured: bool
    disabled: str
    disabled_ms: int
    created_ms: int
    rate_limit: float
    ordered: bool = False


class ListEndpoints(Body, frozen=True):
    """All endpoints, or those of an app."""

    app: str = ""


class EndpointList(Body, frozen=True, omit_defaults=False):
    """By id."""

    endpoints: list[EndpointShown]


class EndpointName(Body, frozen=True):
    """Which endpoint."""

    id: str


class EndpointAttempt(Body, frozen=True, omit_defaults=False):
    """One request: `outcome` done, retry or dead; `status` 0: there was no answer, and `answer` says why."""

    webhook_id: str
    at_ms: int
    duration_ms: int
    outcome: str
    status: int
    answer: str


class EndpointInFull(EndpointShown, frozen=True, kw_only=True, omit_defaults=False):
    """With its last attempts, the newest last, since when all fail, and until when a secret before this one signs too."""

    attempts: list[EndpointAttempt]
    failing_since_ms: int
    previous_secret_until_ms: int


class RotateSecret(Body, frozen=True):
    """Give it a new secret; the one until now signs beside it for so long."""

    id: str
    overlap_ms: Annotated[int, msgspec.Meta(ge=0, le=OVERLAP_MAX_MS)] = 24 * 3600 * 1000


class ReplayEvents(Body, frozen=True):
    """Deliver the app's events of this type again that came from `since_ms` on, up to `until_ms`; 0: until now."""

    id: str
    since_ms: Annotated[int, msgspec.Meta(ge=0)]
    until_ms: Annotated[int, msgspec.Meta(ge=0)] = 0


class Replaying(Body, frozen=True, omit_defaults=False):
    """It is under way. The `webhook-id` of each delivery begins with this id."""

    replay: str


class WebhookOperations:
    """Answers operators. `desk`: integrations."""

    def __init__(self, desk: WebhookDesk) -> None:
        self._desk = desk

    def table(self) -> Mapping[str, Row]:
        """By name."""
        rows: dict[str, tuple[type[Body], type[Body]]] = {
            "add": (AddEndpoint, EndpointSecret),
            "list": (ListEndpoints, EndpointList),
            "show": (EndpointName, EndpointInFull),
            "test": (EndpointName, EndpointAttempt),
            "rotate": (RotateSecret, EndpointSecret),
            "enable": (EndpointName, EndpointName),
            "disable": (EndpointName, EndpointName),
            "remove": (EndpointName, EndpointName),
            "replay": (ReplayEvents, Replaying),
        }
        return {f"{WEBHOOKS}.{op}": self._row(op, request, result) for op, (request, result) in rows.items()}

    def _row(self, op: str, request: type[Body], result: type[R]) -> Row:
        async def forward(asked: Body, _caller: ApiCaller, deadline: Deadline) -> Body:
            payload: dict[str, Any] = {name: getattr(asked, name) for name in asked.__struct_fields__}
            return msgspec.convert(await self._desk.webhooks(op, payload, deadline), result)

        return request, result, forward
