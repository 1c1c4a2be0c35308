"""The transports' counters (`causeway.gateway.*`)."""

from __future__ import annotations

from typing import Final

from causeway_common.telemetry import Counters

_counters: Final = Counters("gateway")
refused: Final = _counters.counter("connections.refused", "requests answered with an HTTP error, by reason", label="reason")
dropped: Final = _counters.counter(
    "connections.dropped", "connections dropped before their first request, by reason", label="reason"
)
unbelieved: Final = _counters.counter(
    "addresses.unbelieved", "addresses of clients that came from no trusted proxy, by who said them", label="header"
)
throttled: Final = _counters.counter("accept.throttled", "times that new connections were left waiting, by reason", label="reason")
