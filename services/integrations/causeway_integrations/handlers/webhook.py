"""The operations of the `webhook` connector: an event becomes deliveries, a delivery becomes one signed request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from causeway_common.contracts.messages import Record
from causeway_common.runtime import fault_point
from causeway_common.telemetry import current_traceparent
from causeway_integrations.domain.outcome import Done, GivenUp, Outcome
from causeway_integrations.domain.webhook import (
    DELIVER,
    EVENT,
    DeliverPayload,
    Endpoint,
    fan_out,
    judged,
    parse_deliver,
    parse_event,
)
from causeway_integrations.ports import Operation, Poster, Records


class WebhookConnector:
    """Standard Webhooks to the configured endpoints.

    Args:
        endpoints: all of them.
        records: where deliveries are made.
        poster: sends.
        now_ms: the time of day, for the signature's timestamp.
    """

    def __init__(self, endpoints: tuple[Endpoint, ...], records: Records, poster: Poster, now_ms: Callable[[], int]) -> None:
        self._endpoints, self._records, self._poster, self._now_ms = endpoints, records, poster, now_ms
        self._by_id = {endpoint.id: endpoint for endpoint in endpoints}

    def operations(self) -> Mapping[str, Operation]:
        """By name."""
        return {EVENT: self.event, DELIVER: self.deliver}

    async def event(self, record: Record) -> Outcome:
        """Make one delivery per endpoint of the event; a repeat makes none twice.

        Raises:
            CausewayError: storage is unavailable.
        """
        try:
            event = parse_event(record.payload)
        except ValueError as error:
            return GivenUp(str(error))
        deliveries = fan_out(record, event, self._endpoints, current_traceparent() or record.traceparent)
        for delivery in deliveries:  # one by one: each carries the body, together they may be too large for the bus
            await self._records.enqueue([delivery], message_id=delivery.id)
        return Done(f"{len(deliveries)} deliveries")

    async def deliver(self, record: Record) -> Outcome:
        """Send one signed request; id and body are the same at each try, the timestamp and so the signature are the try's own."""
        try:
            delivery = parse_deliver(record.payload)
        except ValueError as error:
            return GivenUp(str(error))
        endpoint = self._by_id.get(delivery.endpoint)
        if endpoint is None:
            return Done("the endpoint is configured no more")
        fault_point("integrations.deliver.before")
        answer = await self._poster.post(endpoint.url, self._headers(endpoint, delivery), delivery.body.encode())
        fault_point("integrations.deliver.after")
        return judged(answer)

    def _headers(self, endpoint: Endpoint, delivery: DeliverPayload) -> dict[str, str]:
        seconds = self._now_ms() // 1000
        signature = Webhook(endpoint.secret).sign(delivery.id, datetime.fromtimestamp(seconds, UTC), delivery.body)
        return {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature,
        }
