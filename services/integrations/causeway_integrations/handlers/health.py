"""How endpoints fare: attempts are gathered and told to storage each second; who failed for too long is disabled, and the stream of events hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import BreakerState, LifecycleEvent, NewRecord
from causeway_common.runtime import format_duration
from causeway_common.telemetry import get_logger
from causeway_integrations.domain.endpoints import ConfiguredState, KeptEndpoint, Seen, SeenAttempt
from causeway_integrations.domain.inbound import OWN_APP
from causeway_integrations.domain.outcome import Done, GivenUp, Outcome
from causeway_integrations.domain.webhook import CONNECTOR, DISABLED, Endpoint
from causeway_integrations.domain.work import Work
from causeway_integrations.ports import Breakers
from causeway_integrations.ports.endpoints import Announcer, EndpointBook

TELL_SECONDS: Final = 1.0
EVENT_TYPE: Final = "endpoint_disabled"
REASON_MAX_CHARS: Final = 200
ENDPOINTS_MAX: Final = 10_000
"""So many may wait to be told; of others only their records know until then."""

log = get_logger("integrations")


class EndpointHealth:
    """Gathers attempts, and disables.

    Args:
        book: the endpoints.
        breakers: where the other processes hear that one in the configuration is disabled.
        announcer: the stream of events.
        now_ms: the time of day.
        disable_after_ms: nothing but failures for so long disables.
    """

    def __init__(
        self,
        book: EndpointBook,
        breakers: Breakers,
        announcer: Announcer,
        *,
        now_ms: Callable[[], int],
        disable_after_ms: int,
    ) -> None:
        self._book, self._breakers, self._announcer = book, breakers, announcer
        self._now_ms, self._disable_after_ms = now_ms, disable_after_ms
        self._seen: dict[str, tuple[Endpoint, Seen]] = {}

    def saw(self, endpoint: Endpoint, attempt: SeenAttempt) -> None:
        """An attempt has ended; it is told within a second."""
        if endpoint.id in self._seen or len(self._seen) < ENDPOINTS_MAX:
            _, seen = self._seen.get(endpoint.id, (endpoint, Seen()))
            self._seen[endpoint.id] = endpoint, seen.with_attempt(attempt)

    async def step(self) -> float:
        """Tell what was seen. Raises CausewayError: storage is away; what was not told yet is told next time."""
        for name in list(self._seen):
            endpoint, seen = self._seen.pop(name)
            try:
                await self._tell(endpoint, seen)
            except CausewayError:
                self._merge_back(endpoint, seen)
                raise
        return TELL_SECONDS

    async def disable(self, endpoint: Endpoint, reason: str) -> None:
        """Send it nothing more, from any process, and have it announced: both or none. Raises CausewayError: storage is away."""
        log.warning(
            "an endpoint is disabled", app=endpoint.app, event_type=endpoint.event, id=endpoint.id, reason=reason[:REASON_MAX_CHARS]
        )
        now, reason = self._now_ms(), reason[:REASON_MAX_CHARS]
        payload = {"endpoint": endpoint.id, "app": endpoint.app, "reason": reason, "at_ms": now}
        record = NewRecord(id="", app=OWN_APP, connector=CONNECTOR, op=DISABLED, payload=payload)  # the commit gives it its id
        if not endpoint.name:
            await self._book.disable(
                endpoint.id, ConfiguredState(reason, now), msgspec.structs.replace(record, payload={**payload, "configured": True})
            )
            return

        def change(kept: KeptEndpoint) -> KeptEndpoint:
            return kept if kept.disabled else replace(kept, disabled=reason, disabled_ms=now)

        await self._book.change(endpoint.id, change, record)

    async def announce(self, work: Work) -> Outcome:
        """`webhook.disabled`: tell the stream of events. Raises CausewayError: it is tried again."""
        if work.app != OWN_APP:
            return GivenUp("integrations alone tell this")
        given = work.payload
        if given.get(
            "configured"
        ):  # its processes hear of it by the breakers; they are told before the event, and again at each try
            state = await self._book.disabled(str(given["endpoint"]))
            if state.disabled:
                shared = BreakerState(state="disabled", at_ms=state.at_ms, reason=state.disabled)
                self._breakers.share(CONNECTOR, str(given["endpoint"]), shared)
        event = LifecycleEvent(
            id=work.key,
            type=EVENT_TYPE,
            time_ms=int(given["at_ms"]),
            app=str(given["app"]),
            endpoint=str(given["endpoint"]),
            note=str(given["reason"]),
        )
        await self._announcer.tell(event)
        return Done("announced")

    async def _tell(self, endpoint: Endpoint, seen: Seen) -> None:
        if endpoint.name and await self._book.find(endpoint.id) is None:
            return
        health = await self._book.saw(endpoint.id, seen)
        since = health.failing_since_ms
        if since and max(seen.failed_ms, default=0) - since >= self._disable_after_ms:
            await self.disable(endpoint, f"nothing but failures for {format_duration(self._disable_after_ms)}")

    def _merge_back(self, endpoint: Endpoint, seen: Seen) -> None:
        """What could not be told comes before what was seen meanwhile."""
        _, newer = self._seen.get(endpoint.id, (endpoint, Seen()))
        for attempt in newer.attempts:
            seen = seen.with_attempt(attempt)
        self._seen[endpoint.id] = endpoint, seen
