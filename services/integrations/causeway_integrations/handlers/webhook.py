"""The operations of the `webhook` connector: an event becomes deliveries, a delivery becomes one signed request."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from causeway_common.contracts.ids import ID_MAX_CHARS
from causeway_common.contracts.messages import BreakerState
from causeway_common.runtime import fault_point
from causeway_common.telemetry import current_traceparent, get_logger
from causeway_integrations.domain.endpoints import ANSWER_MAX_CHARS, PREFIX, SeenAttempt
from causeway_integrations.domain.outcome import Done, GivenUp, Outcome, Postponed
from causeway_integrations.domain.outside import Answer, Answered, Outgoing
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.domain.webhook import (
    CONNECTOR,
    DELIVER,
    EVENT,
    Endpoint,
    fan_out,
    judged,
    parse_deliver,
    parse_event,
)
from causeway_integrations.domain.work import Work
from causeway_integrations.handlers.health import EndpointHealth
from causeway_integrations.handlers.rates import EndpointRates
from causeway_integrations.ports import Breakers, Operation, Outside, Records
from causeway_integrations.ports.endpoints import EndpointBook, Rates

log = get_logger("integrations")
PRIVATE: Final = "whsk_"
SHARED: Final = "whsec_"
MAX_PAYLOAD: Final = 200 * 1024


class WebhookConnector:
    """Standard Webhooks to the endpoints of the configuration and to those that operators added. One that answered 410 gets nothing more.

    Args:
        endpoints: all of the configuration.
        records: where deliveries are made.
        outside: sends.
        breakers: where endpoints are disabled.
        now_ms: the time of day, for the signature's timestamp.
        reveal: secrets by reference.
        max_payload: bytes of an event's body.
        book: the endpoints that operators added; read for each event and delivery, so that no change is missed.
        health: told of each attempt; disables.
        rates: shares the rates of endpoints; None: this process is alone.
    """

    def __init__(
        self,
        endpoints: tuple[Endpoint, ...],
        records: Records,
        outside: Outside,
        breakers: Breakers,
        *,
        now_ms: Callable[[], int],
        reveal: Reveal,
        max_payload: int = MAX_PAYLOAD,
        book: EndpointBook | None = None,
        health: EndpointHealth | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._max_payload = max_payload
        self._endpoints, self._records, self._outside = endpoints, records, outside
        self._breakers, self._now_ms, self._reveal = breakers, now_ms, reveal
        self._book, self._health = book, health
        self._rates = EndpointRates(rates, now_ms)
        self._by_id = {endpoint.id: endpoint for endpoint in endpoints}
        self._disabled: dict[str, str] = {}

    @property
    def configured(self) -> tuple[Endpoint, ...]:
        """The endpoints of the configuration."""
        return self._endpoints

    def disabled(self, endpoint: str) -> str:
        """Why an endpoint of the configuration is disabled; "" where it is not."""
        return self._disabled.get(endpoint, "")

    def enable(self, endpoint: Endpoint) -> None:
        """Send to an endpoint of the configuration again, from every process."""
        state = BreakerState(state="closed", at_ms=self._now_ms())
        self.heard(endpoint.id, state)
        self._breakers.share(CONNECTOR, endpoint.id, state)

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {EVENT: self.event, DELIVER: self.deliver}

    def destination(self, work: Work) -> str:
        """The endpoint of a delivery; events have slots of their own."""
        endpoint = work.payload.get("endpoint") if work.op == DELIVER else None
        if not isinstance(endpoint, str):
            return ""
        return endpoint if endpoint in self._by_id or (endpoint.startswith(PREFIX) and len(endpoint) <= ID_MAX_CHARS) else ""

    def heard(self, endpoint: str, state: BreakerState | None) -> None:
        """What a process shared about an endpoint."""
        if state is not None and state.state == "disabled":
            self._disabled[endpoint] = state.reason
        else:
            self._disabled.pop(endpoint, None)

    async def event(self, work: Work) -> Outcome:
        """Make one delivery per endpoint of the event; a repeat makes none twice.

        Raises:
            CausewayError: storage is unavailable.
        """
        try:
            event = parse_event(work.payload)
        except ValueError as error:
            return GivenUp(str(error))
        if (size := len(event.model_dump_json().encode())) > self._max_payload:
            return GivenUp(f"the event has {size} bytes, at most {self._max_payload} are sent to a webhook")
        kept = await self._book.hearing(work.app, event.type) if self._book else []
        configured = (each for each in self._endpoints if each.id not in self._disabled)
        endpoints = (*configured, *(each.endpoint(self._now_ms()) for each in kept if not each.disabled))
        deliveries = fan_out(work, event, endpoints, current_traceparent() or work.traceparent)
        for delivery in deliveries:  # one by one: each carries the body, together they may be too large for the bus
            await self._records.enqueue([delivery], message_id=delivery.id)
        return Done(f"{len(deliveries)} deliveries", reply={"deliveries": len(deliveries)})

    async def deliver(self, work: Work) -> Outcome:
        """Send one signed request; id and body are the same at each try, the timestamp and so the signature are the try's own."""
        try:
            delivery = parse_deliver(work.payload)
        except ValueError as error:
            return GivenUp(str(error))
        endpoint, disabled = await self._found(delivery.endpoint)
        if endpoint is None:
            return Done("the endpoint is configured no more")
        if endpoint.app != work.app:
            return GivenUp(f"the endpoint is none of {work.app}'s")
        if disabled:
            return GivenUp(f"the endpoint is disabled: {disabled}")
        if wait := await self._rates.wait_ms(endpoint):
            return Postponed("the rate limit of the endpoint is reached", wait)
        fault_point("integrations.deliver.before")
        began = self._now_ms()
        answer = await self.post(endpoint, delivery.id, delivery.body)
        fault_point("integrations.deliver.after")
        outcome = judged(answer, self._now_ms())
        if self._health is not None:
            self._health.saw(endpoint, seen_attempt(delivery.id, answer, outcome, began, self._now_ms()))
        if isinstance(outcome, GivenUp) and outcome.disable:
            await self._disable(endpoint, outcome.note)
        return outcome

    async def post(self, endpoint: Endpoint, id: str, body: str, timeout_s: float | None = None) -> Answer:
        """Send one signed request, whatever the endpoint's state; every failure is an answer."""
        headers = self._headers(endpoint, id, body)
        return await self._outside.send(Outgoing("POST", endpoint.url, headers, body.encode(), timeout_s))

    async def _found(self, id: str) -> tuple[Endpoint | None, str]:
        """An endpoint, and why it is disabled."""
        if id in self._by_id or self._book is None or not id.startswith(PREFIX):
            return self._by_id.get(id), self._disabled.get(id, "")
        kept = await self._book.find(id)
        return (kept.endpoint(self._now_ms()), kept.disabled) if kept else (None, "")

    async def _disable(self, endpoint: Endpoint, reason: str) -> None:
        state = BreakerState(state="disabled", at_ms=self._now_ms(), reason=reason[:200])
        if self._health is not None:
            await self._health.disable(endpoint, reason)
        elif not endpoint.name:
            log.warning(
                "an endpoint wants nothing more and is disabled", app=endpoint.app, event_type=endpoint.event, id=endpoint.id
            )
            self._breakers.share(CONNECTOR, endpoint.id, state)
        if not endpoint.name:
            self.heard(endpoint.id, state)

    def _headers(self, endpoint: Endpoint, id: str, body: str) -> dict[str, str]:
        seconds = self._now_ms() // 1000
        secrets = [self._reveal(secret) for secret in endpoint.secrets]
        return {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signature(secret, id, seconds, body) for secret in secrets),
        }


def seen_attempt(id: str, answer: Answer, found: Outcome, began_ms: int, now_ms: int) -> SeenAttempt:
    """A request and its answer as an endpoint's health keeps it; `found`: how the answer was judged."""
    outcome = "done" if isinstance(found, Done) else "dead" if isinstance(found, GivenUp) else "retry"
    status = answer.status if isinstance(answer, Answered) else 0
    return SeenAttempt(id, began_ms, max(now_ms - began_ms, 0), outcome, status, found.note[:ANSWER_MAX_CHARS])


def signature(secret: str, message: str, seconds: int, body: str) -> str:
    """One signature of Standard Webhooks: `v1` with a `whsec_`, `v1a` with a `whsk_` secret."""
    signed = f"{message}.{seconds}.{body}".encode()
    if secret.startswith(PRIVATE):
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE))[:32])
        return "v1a," + base64.b64encode(key.sign(signed)).decode()
    shared = base64.b64decode(secret.removeprefix(SHARED))
    return "v1," + base64.b64encode(hmac.digest(shared, signed, "sha256")).decode()
