"""What operators ask about endpoints of webhooks: `webhooks.*`, forwarded by the gateway, which has checked the key and audits."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from causeway_common.bus import Call
from causeway_common.contracts.errors import CausewayError, ErrorName, bad_request
from causeway_common.contracts.messages import CallReply, CallRequest, JsonMap
from causeway_common.contracts.names import IDENTIFIER_RULE, is_app_name
from causeway_integrations.domain.endpoints import (
    PER_EVENT_MAX,
    SECRET_BYTES,
    ConfiguredState,
    KeptEndpoint,
    Seen,
    check_url,
    endpoint_id,
    rotated,
    secret_of,
)
from causeway_integrations.domain.webhook import Endpoint, judged
from causeway_integrations.handlers.replays import replay_of
from causeway_integrations.handlers.webhook import WebhookConnector, seen_attempt
from causeway_integrations.ports import Records
from causeway_integrations.ports.endpoints import Destinations, EndpointBook, Sealer

GATEWAY: Final = "gateway"
TEST_TYPE: Final = "webhook.test"
URL_MAX_CHARS: Final = 2048
EVENT_MAX_CHARS: Final = 200
BY_OPERATOR: Final = "disabled by an operator"
ANSWER_MARGIN_S: Final = 0.5
T = TypeVar("T", bound=msgspec.Struct)


class Add(msgspec.Struct, frozen=True):
    """Of `add`."""

    app: str
    event: str
    url: str
    rate_limit: float = 0
    ordered: bool = False


class Of(msgspec.Struct, frozen=True):
    """Which endpoint."""

    id: str


class Rotate(Of, frozen=True):
    """Of `rotate`."""

    overlap_ms: int = 0


class Since(Of, frozen=True):
    """Of `replay`."""

    since_ms: int = 0
    until_ms: int = 0


class List(msgspec.Struct, frozen=True):
    """Of `list`."""

    app: str = ""


class EndpointOperations:
    """Answers them. An unknown endpoint is 104, what is wrong is 107.

    Args:
        book: the endpoints.
        connector: sends, and knows those of the configuration.
        records: where replays are made.
        destinations: which URLs requests may go to.
        sealer: encrypts secrets before they are written down.
        now_ms: the time of day.
        random: so many random bytes.
    """

    def __init__(
        self,
        book: EndpointBook,
        connector: WebhookConnector,
        records: Records,
        destinations: Destinations,
        sealer: Sealer,
        *,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._book, self._connector, self._records, self._destinations = book, connector, records, destinations
        self._sealer, self._now_ms, self._random = sealer, now_ms, random
        self._table: Mapping[str, Callable[[JsonMap, Call], Awaitable[JsonMap]]] = {
            "add": self._add,
            "list": self._list,
            "show": self._show,
            "test": self._test,
            "rotate": self._rotate,
            "enable": self._enable,
            "disable": self._disable,
            "remove": self._remove,
            "replay": self._replay,
        }

    async def call(self, request: CallRequest, call: Call) -> CallReply:
        """The answer.

        Raises:
            CausewayError: 103, not the gateway asks; 104, no such operation or endpoint; 107, what was asked is wrong; 100, storage is away.
        """
        if call.fields["caller"] != GATEWAY:
            raise CausewayError(ErrorName.PERMISSION_DENIED)
        operation = self._table.get(call.fields["op"])
        if operation is None:
            raise CausewayError(ErrorName.METHOD_NOT_FOUND)
        return CallReply(payload=await operation(request.payload, call))

    async def _add(self, payload: JsonMap, _call: Call) -> JsonMap:
        asked = _read(payload, Add)
        if not is_app_name(asked.app):
            raise bad_request(f"app: an app's name is {IDENTIFIER_RULE}")
        if not 1 <= len(asked.event) <= EVENT_MAX_CHARS or not asked.event.isprintable():
            raise bad_request(f"event: has 1 to {EVENT_MAX_CHARS} printable characters, such as chat.message.created")
        await self._check(asked.url)
        name = endpoint_id(asked.app, asked.event, asked.url)
        there = [each.id for each in await self._book.hearing(asked.app, asked.event)]
        there += [
            each.id
            for each in self._connector.configured
            if (each.app, each.event, each.url) == (asked.app, asked.event, asked.url)
        ]
        if len(there) >= PER_EVENT_MAX:
            raise bad_request(f"{asked.app} has {PER_EVENT_MAX} endpoints of this event already, which is the most")
        secret = secret_of(self._random(SECRET_BYTES))
        kept = KeptEndpoint(
            id=name,
            app=asked.app,
            event=asked.event,
            url=asked.url,
            secret=self._sealer.seal(secret),
            created_ms=self._now_ms(),
            rate_limit=asked.rate_limit,
            ordered=asked.ordered,
        )
        if Endpoint(asked.app, asked.event, asked.url, "").id in there or not await self._book.add(kept):
            raise bad_request(f"this endpoint is there already, as {name} or in the configuration (rotate gives one a new secret)")
        return {"id": name, "secret": secret}

    async def _check(self, url: str) -> None:
        if len(url) > URL_MAX_CHARS:
            raise bad_request(f"url: has at most {URL_MAX_CHARS} characters")
        try:
            check_url(url)
        except ValueError as error:
            raise bad_request(f"url: {error}") from error
        if refusal := await self._destinations.refusal(url):
            raise bad_request(f"url: {refusal}")

    async def _list(self, payload: JsonMap, _call: Call) -> JsonMap:
        asked = _read(payload, List)
        shown = [_shown(each) for each in await self._book.all()]
        shown += [self._shown_configured(each) for each in self._connector.configured]
        return {"endpoints": sorted((each for each in shown if asked.app in ("", each["app"])), key=lambda each: str(each["id"]))}

    async def _show(self, payload: JsonMap, _call: Call) -> JsonMap:
        name = _read(payload, Of).id
        configured = self._configured(name)
        kept = None if configured else await self._there(name)
        health = await self._book.health(name)
        shown = self._shown_configured(configured) if configured else _shown(kept) if kept else {}
        previous = max((each.until_ms for each in kept.older), default=0) if kept else 0
        return {
            **shown,
            "attempts": [msgspec.to_builtins(each) for each in health.attempts],
            "failing_since_ms": health.failing_since_ms,
            "previous_secret_until_ms": previous if previous > self._now_ms() else 0,
        }

    async def _test(self, payload: JsonMap, call: Call) -> JsonMap:
        endpoint = await self._endpoint(_read(payload, Of).id)
        now = self._now_ms()
        timestamp = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        data = {"app": endpoint.app, "event": endpoint.event, "endpoint": endpoint.id}
        body = json.dumps({"type": TEST_TYPE, "timestamp": timestamp, "data": data}, separators=(",", ":"))
        name = "test_" + self._random(12).hex()
        answer = await self._connector.post(endpoint, name, body, max(call.deadline.remaining() - ANSWER_MARGIN_S, ANSWER_MARGIN_S))
        ended = self._now_ms()
        attempt = seen_attempt(name, answer, judged(answer, ended), now, ended)
        return dict(msgspec.to_builtins(attempt))

    async def _rotate(self, payload: JsonMap, _call: Call) -> JsonMap:
        asked = _read(payload, Rotate)
        self._refuse_configured(asked.id)
        secret, now = secret_of(self._random(SECRET_BYTES)), self._now_ms()
        sealed = self._sealer.seal(secret)
        if await self._book.change(asked.id, lambda kept: rotated(kept, sealed, now + asked.overlap_ms, now)) is None:
            raise _unknown()
        return {"id": asked.id, "secret": secret}

    async def _enable(self, payload: JsonMap, _call: Call) -> JsonMap:
        name, now = _read(payload, Of).id, self._now_ms()
        configured = self._configured(name)
        if configured is None:
            await self._there(name)
        await self._book.saw(name, Seen(ok_ms=now))
        if configured:
            await self._book.disable(name, ConfiguredState(at_ms=now))
            self._connector.enable(configured)
        elif await self._book.change(name, lambda kept: replace(kept, disabled="", disabled_ms=0, enabled_ms=now)) is None:
            raise _unknown()
        return {"id": name}

    async def _disable(self, payload: JsonMap, _call: Call) -> JsonMap:
        name, now = _read(payload, Of).id, self._now_ms()
        self._refuse_configured(name)
        if await self._book.change(name, lambda kept: replace(kept, disabled=BY_OPERATOR, disabled_ms=now)) is None:
            raise _unknown()
        return {"id": name}

    async def _remove(self, payload: JsonMap, _call: Call) -> JsonMap:
        name = _read(payload, Of).id
        self._refuse_configured(name)
        if not await self._book.remove(name):
            raise _unknown()
        return {"id": name}

    async def _replay(self, payload: JsonMap, _call: Call) -> JsonMap:
        asked = _read(payload, Since)
        endpoint = await self._endpoint(asked.id)
        until_ms = asked.until_ms or self._now_ms()
        if until_ms < asked.since_ms:
            raise bad_request("the range ends before it begins: until_ms is earlier than since_ms")
        replay = replay_of(endpoint, asked.since_ms, until_ms, self._random(12).hex())
        record = replay.record()
        await self._records.enqueue([record], message_id=record.id)
        return {"replay": replay.replay}

    async def _endpoint(self, id: str) -> Endpoint:
        return self._configured(id) or (await self._there(id)).endpoint(self._now_ms())

    async def _there(self, id: str) -> KeptEndpoint:
        found = await self._book.find(id) if id else None
        if found is None:
            raise _unknown()
        return found

    def _configured(self, id: str) -> Endpoint | None:
        return next((each for each in self._connector.configured if each.id == id), None)

    def _refuse_configured(self, id: str) -> None:
        if self._configured(id):
            raise bad_request("this endpoint stands in the configuration: change it there")

    def _shown_configured(self, each: Endpoint) -> dict[str, Any]:
        disabled = self._connector.disabled(each.id)
        return {
            "id": each.id,
            "app": each.app,
            "event": each.event,
            "url": each.url,
            "configured": True,
            "disabled": disabled,
            "disabled_ms": 0,
            "created_ms": 0,
            "rate_limit": each.rate_limit,
            "ordered": each.ordered,
        }


def _shown(kept: KeptEndpoint) -> dict[str, Any]:
    names = ("id", "app", "event", "url", "disabled", "disabled_ms", "created_ms", "rate_limit", "ordered")
    return {"configured": False, **{name: getattr(kept, name) for name in names}}


def _read(payload: JsonMap, kind: type[T]) -> T:
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from error


def _unknown() -> CausewayError:
    return CausewayError(ErrorName.METHOD_NOT_FOUND, "there is no such endpoint")
