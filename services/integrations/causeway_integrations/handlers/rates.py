"""The rates of endpoints: tokens that this process took from what all share, used up one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from causeway_integrations.domain.rate import KeptRate, Lease, taken
from causeway_integrations.domain.webhook import Endpoint
from causeway_integrations.ports.endpoints import Rates

ENDPOINTS_MAX: Final = 10_000
"""So many leases are remembered; one that is forgotten is taken anew."""


class EndpointRates:
    """Who may send now.

    Args:
        rates: what all processes share; None: this one is alone.
        now_ms: the time of day.
    """

    def __init__(self, rates: Rates | None, now_ms: Callable[[], int]) -> None:
        self._rates, self._now_ms = rates, now_ms
        self._leases: dict[str, Lease] = {}
        self._alone: dict[str, KeptRate] = {}
        self._taking: dict[str, asyncio.Lock] = {}

    async def wait_ms(self, endpoint: Endpoint) -> int:
        """0: go ahead, a token is used up. Else: ask again after so long. Raises CausewayError: storage is away."""
        if not endpoint.rate_limit:
            return 0
        lock = self._taking.setdefault(endpoint.id, asyncio.Lock())
        async with lock:  # one takes for all that ask at once
            now = self._now_ms()
            lease = self._leases.get(endpoint.id)
            if lease is None or lease.until_ms <= now:
                lease = await self._take(endpoint, now)
            if lease.tokens:
                if lease.tokens > 1:
                    self._keep(endpoint.id, Lease(lease.tokens - 1, lease.until_ms))
                else:
                    self._leases.pop(endpoint.id, None)
                return 0
            self._keep(endpoint.id, lease)
            return max(lease.until_ms - now, 1)

    async def _take(self, endpoint: Endpoint, now_ms: int) -> Lease:
        if self._rates is not None:
            return await self._rates.take(endpoint.id, endpoint.rate_limit, now_ms)
        self._alone[endpoint.id], lease = taken(self._alone.get(endpoint.id), endpoint.rate_limit, now_ms)
        return lease

    def _keep(self, endpoint: str, lease: Lease) -> None:
        if len(self._leases) >= ENDPOINTS_MAX and endpoint not in self._leases:
            self._leases.clear()
            self._taking = {name: lock for name, lock in self._taking.items() if lock.locked()}
        self._leases[endpoint] = lease
