"""How many connections there may be, in all and from one address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from causeway_gateway.adapters import metrics


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """A request that is answered with an HTTP error and nothing else."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


class Limits:
    """Counts connections.

    Args:
        total: connections of this gateway; 0: no limit.
        per_address: connections of one IPv4 address or one IPv6 /64; 0: no limit.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total, self._per_address = total, per_address
        self._count = 0
        self._by_network: dict[str, int] = {}

    def take(self, address: str) -> None:
        """One connection more.

        Raises:
            Refused: 503 or 429.
        """
        if self._total and self._count >= self._total:
            metrics.refused.add(1, "connection_limit")
            raise Refused(503, "too many connections, see client.connection_limit", {"Retry-After": "1"})
        if self._per_address:
            network = network_of(address)
            held = self._by_network.get(network, 0)
            if held >= self._per_address:
                metrics.refused.add(1, "connection_limit_per_ip")
                raise Refused(429, "too many connections from this address, see client.connection_limit_per_ip")
            self._by_network[network] = held + 1
        self._count += 1

    def give(self, address: str) -> None:
        """One connection fewer."""
        self._count -= 1
        if self._per_address:
            network = network_of(address)
            held = self._by_network[network] - 1
            if held:
                self._by_network[network] = held
            else:
                del self._by_network[network]


def network_of(address: str) -> str:
    """What one client can be assumed to hold: an IPv4 address, a /64 of IPv6."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
