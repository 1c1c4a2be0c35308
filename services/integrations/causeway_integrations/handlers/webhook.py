"""The operations of the `webhook` connector: an event becomes deliveries, a delivery becomes one signed request."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

from causeway_common.contracts.messages import BreakerState
from causeway_common.runtime import fault_point
from causeway_common.telemetry import current_traceparent, get_logger
from causeway_integrations.domain.api import Bucket
from causeway_integrations.domain.outcome import Done, GivenUp, Outcome, Postponed
from causeway_integrations.domain.outside import Outgoing
from causeway_integrations.domain.secrets import Reveal
from causeway_integrations.domain.webhook import (
    CONNECTOR,
    DELIVER,
    EVENT,
    DeliverPayload,
    Endpoint,
    fan_out,
    judged,
    parse_deliver,
    parse_event,
)
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Breakers, Operation, Outside, Records

log = get_logger("integrations")
PRIVATE: Final = "whsk_"
MAX_PAYLOAD: Final = 200 * 1024


class WebhookConnector:
    """Standard Webhooks to the configured endpoints. One that answered 410 gets nothing more, from any process.

    Args:
        endpoints: all of them.
        records: where deliveries are made.
        outside: sends.
        breakers: where endpoints are disabled.
        now_ms: the time of day, for the signature's timestamp.
        reveal: secrets by reference.
        max_payload: bytes of an event's body.
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
    ) -> None:
        self._max_payload = max_payload
        self._endpoints, self._records, self._outside = endpoints, records, outside
        self._breakers, self._now_ms, self._reveal = breakers, now_ms, reveal
        self._buckets = {endpoint.id: Bucket(endpoint.rate_limit) for endpoint in endpoints}
        self._by_id = {endpoint.id: endpoint for endpoint in endpoints}
        self._disabled: dict[str, str] = {}

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {EVENT: self.event, DELIVER: self.deliver}

    def destination(self, work: Work) -> str:
        """The endpoint of a delivery; events have slots of their own."""
        endpoint = work.payload.get("endpoint") if work.op == DELIVER else None
        return endpoint if isinstance(endpoint, str) and endpoint in self._by_id else ""

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
        deliveries = fan_out(work, event, self._endpoints, current_traceparent() or work.traceparent)
        for delivery in deliveries:  # one by one: each carries the body, together they may be too large for the bus
            await self._records.enqueue([delivery], message_id=delivery.id)
        return Done(f"{len(deliveries)} deliveries", reply={"deliveries": len(deliveries)})

    async def deliver(self, work: Work) -> Outcome:
        """Send one signed request; id and body are the same at each try, the timestamp and so the signature are the try's own."""
        try:
            delivery = parse_deliver(work.payload)
        except ValueError as error:
            return GivenUp(str(error))
        endpoint = self._by_id.get(delivery.endpoint)
        if endpoint is None:
            return Done("the endpoint is configured no more")
        if endpoint.app != work.app:
            return GivenUp(f"the endpoint is none of {work.app}'s")
        if reason := self._disabled.get(endpoint.id):
            return GivenUp(f"the endpoint is disabled: {reason}")
        if wait := self._buckets[endpoint.id].wait_ms(self._now_ms()):
            return Postponed("the rate limit of the endpoint is reached", wait)
        fault_point("integrations.deliver.before")
        answer = await self._outside.send(Outgoing("POST", endpoint.url, self._headers(endpoint, delivery), delivery.body.encode()))
        fault_point("integrations.deliver.after")
        outcome = judged(answer, self._now_ms())
        if isinstance(outcome, GivenUp) and outcome.disable:
            self._disable(endpoint, outcome.note)
        return outcome

    def _disable(self, endpoint: Endpoint, reason: str) -> None:
        log.warning("an endpoint wants nothing more and is disabled", app=endpoint.app, event_type=endpoint.event, id=endpoint.id)
        state = BreakerState(state="disabled", at_ms=self._now_ms(), reason=reason[:200])
        self.heard(endpoint.id, state)
        self._breakers.share(CONNECTOR, endpoint.id, state)

    def _headers(self, endpoint: Endpoint, delivery: DeliverPayload) -> dict[str, str]:
        seconds = self._now_ms() // 1000
        secrets = [self._reveal(secret) for secret in (endpoint.secret, endpoint.previous_secret) if secret]
        return {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signature(secret, delivery.id, seconds, delivery.body) for secret in secrets),
        }


def signature(secret: str, message: str, seconds: int, body: str) -> str:
    """One signature of Standard Webhooks: `v1` with a `whsec_`, `v1a` with a `whsk_` secret."""
    if secret.startswith(PRIVATE):
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE))[:32])
        return "v1a," + base64.b64encode(key.sign(f"{message}.{seconds}.{body}".encode())).decode()
    return Webhook(secret).sign(message, datetime.fromtimestamp(seconds, UTC), body)
