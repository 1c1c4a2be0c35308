"""Wrong keys cost patience: whoever tried several has to wait, as an address and not as a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from causeway_gateway.adapters import metrics
from causeway_gateway.adapters.limits import Refused, network_of

FAILURES_MAX: Final = 10
WINDOW_MS: Final = 60_000
ADDRESSES_MAX: Final = 10_000


class Attempts:
    """Counts wrong keys by address (an IPv6 /64 is one).

    Args:
        clock: monotonic milliseconds.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._failures: dict[str, list[int]] = {}

    def check(self, address: str) -> None:
        """Raises Refused: 429, there were `FAILURES_MAX` wrong keys from there within a minute; a right one waits too."""
        found = self._recent(network_of(address))
        if len(found) >= FAILURES_MAX:
            metrics.refused.add(1, "console_attempts")
            seconds = (found[0] + WINDOW_MS - self._clock()) // 1000 + 1
            raise Refused(429, "too many wrong keys from this address", {"Retry-After": str(seconds)})

    def failed(self, address: str) -> None:
        """A wrong key came from there."""
        network = network_of(address)
        found = self._recent(network)
        self._failures.pop(network, None)
        self._failures[network] = [*found, self._clock()]
        while len(self._failures) > ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]

    def _recent(self, network: str) -> list[int]:
        since = self._clock() - WINDOW_MS
        return [at for at in self._failures.get(network, ()) if at > since]
