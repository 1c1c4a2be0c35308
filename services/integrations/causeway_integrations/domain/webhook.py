"""Webhooks after Standard Webhooks 1.0 (https://www.standardwebhooks.com): events, endpoints, deliveries, and how an answer is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, ValidationError

from causeway_common.contracts.ids import derived_id
from causeway_common.contracts.messages import JsonMap, NewRecord
from causeway_integrations.domain.outcome import Done, Failed, GivenUp, Outcome, of_webhook
from causeway_integrations.domain.outside import AddressRefused, Answer, Answered, NotReached
from causeway_integrations.domain.work import Work

CONNECTOR: Final = "webhook"
EVENT: Final = "event"
DELIVER: Final = "deliver"
REPLAY: Final = "replay"
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver of one event of one app.

    Attributes:
        app: whose events.
        event: their type.
        url: where to.
        secret: signs: `whsec_` and base64 (HMAC, `v1`), or `whsk_` and base64 (ed25519, `v1a`); or a reference to it.
        previous_secret: signs too, while the receiver changes over; "" none.
        rate_limit: requests a second, of all processes together; 0: no limit.
        name: the id of one that was added while everything runs; "" of one in the configuration.
        older: more secrets that sign too.
        ordered: it gets the events of one key (the line that they were enqueued in) one after the other.
    """

    app: str
    event: str
    url: str
    secret: str = field(repr=False)
    previous_secret: str = field(default="", repr=False)
    rate_limit: float = 0
    name: str = ""
    older: tuple[str, ...] = field(default=(), repr=False)
    ordered: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that sign, the newest first."""
        return tuple(secret for secret in (self.secret, self.previous_secret, *self.older) if secret)

    @property
    def id(self) -> str:
        """Depends on app, event and URL, so that a changed secret keeps it."""
        return self.name or configured_id(self.app, self.event, self.url)


@lru_cache(maxsize=4096)
def configured_id(app: str, event: str, url: str) -> str:
    """The id of an endpoint of the configuration; asked for at each attempt."""
    return derived_id(app, event, url)


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


P = TypeVar("P", bound=_Payload)


class EventPayload(_Payload):
    """The payload of `webhook.event`."""

    type: str
    timestamp: str
    data: Any


class DeliverPayload(_Payload):
    """The payload of `webhook.deliver`: `id` is the `webhook-id` of every try, `body` the exact JSON of every try."""

    endpoint: str
    id: str
    body: str


def judged(answer: Answer, now_ms: int) -> Outcome:
    """What an attempt's answer means, by `outcome.of_webhook`; an address that is refused stays so."""
    match answer:
        case Answered(status):
            verdict = of_webhook(status)
            if verdict == "done":
                return Done(answer.note, status)
            if verdict == "retry":
                return Failed(answer.note, status, answer.retry_after_ms(now_ms))
            return GivenUp(answer.note, status, disable=verdict == "disable")
        case NotReached(why):
            return Failed(why)
        case AddressRefused(why):
            return GivenUp(why)


def parse_event(payload: JsonMap) -> EventPayload:
    """The payload of an event.

    Raises:
        ValueError: with the faults, in one line.
    """
    return _parsed(EventPayload, payload)


def parse_deliver(payload: JsonMap) -> DeliverPayload:
    """The payload of a delivery. Raises ValueError as `parse_event`."""
    return _parsed(DeliverPayload, payload)


def fan_out(work: Work, event: EventPayload, endpoints: tuple[Endpoint, ...], traceparent: str) -> list[NewRecord]:
    """One delivery per endpoint of this app and event.

    Ids and bodies depend on the event alone: a repeated fan-out makes the same deliveries again.

    Args:
        work: the event's.
        event: its payload.
        endpoints: all that are configured.
        traceparent: of the span that the deliveries belong to.
    """
    body = event.model_dump_json()
    found: list[NewRecord] = []
    for endpoint in endpoints:
        if (endpoint.app, endpoint.event) == (work.app, event.type):
            key = "msg_" + derived_id(work.id, endpoint.id)
            payload = {"endpoint": endpoint.id, "id": key, "body": body}
            record = NewRecord(id=key, app=work.app, connector=CONNECTOR, op=DELIVER, payload=payload, traceparent=traceparent)
            found.append(in_line(record, endpoint, work.line, work.turn))
    return found


def in_line(delivery: NewRecord, endpoint: Endpoint, line: str, turn: int) -> NewRecord:
    """A delivery in its place, where its endpoint wants order.

    That is the event's turn, behind the endpoint's others of that line, and behind events of earlier turns, whose deliveries are yet to be made.

    Args:
        delivery: to be made.
        endpoint: where it goes.
        line: the event's.
        turn: the event's.
    """
    if not (endpoint.ordered and line):
        return delivery
    return replace(delivery, line="w:" + derived_id(endpoint.id, line), turn=turn, behind=line)


def _parsed(model: type[P], payload: JsonMap) -> P:
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise ValueError(f"the payload is wrong: {told}") from error
