"""The rate of an endpoint that several processes share: never more than it allows, whatever their clocks say, and never stuck."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from causeway_integrations.domain.rate import KeptRate, Lease, taken
from causeway_integrations.domain.webhook import Endpoint
from causeway_integrations.handlers.rates import EndpointRates

START_MS = 1_700_000_000_000


class Shared:
    """What all processes share; `asked` counts how often they did."""

    def __init__(self) -> None:
        self.kept: KeptRate | None = None
        self.asked = 0

    async def take(self, endpoint: str, rate: float, now_ms: int) -> Lease:
        self.asked += 1
        self.kept, lease = taken(self.kept, rate, now_ms)
        return lease


@given(
    rate=st.sampled_from([0.5, 1.0, 3.0, 20.0, 400.0]),
    skews=st.lists(st.integers(-3000, 3000), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700), st.integers(1, 40)), max_size=60),
)
async def test_several_processes_together_never_exceed_the_rate(
    rate: float, skews: list[int], steps: list[tuple[int, int, int]]
) -> None:
    """Property: in t seconds at most rate * (t + 1 + what the clocks differ by) + 1 requests."""
    shared, now, sent = Shared(), START_MS, 0
    clocks = [lambda skew=skew: now + skew for skew in skews]
    processes = [EndpointRates(shared, clock) for clock in clocks]
    endpoint = Endpoint("chat", "e", "https://a.example", "whsec_", rate_limit=rate)
    for which, elapsed, count in steps:
        now += elapsed
        for _ in range(count):
            sent += await processes[which % len(processes)].wait_ms(endpoint) == 0
        seconds = (now - START_MS + max(skews) - min(skews)) / 1000
        assert sent <= rate * seconds + max(rate, 1.0) + 1


async def test_a_lone_process_reaches_its_rate_asks_seldom_and_a_wait_that_is_over_is_over() -> None:
    shared, now = Shared(), START_MS
    process = EndpointRates(shared, lambda: now)
    endpoint = Endpoint("chat", "e", "https://a.example", "whsec_", rate_limit=100)
    sent, end = 0, START_MS + 10_000
    while now < end:
        wait = await process.wait_ms(endpoint)
        sent += wait == 0
        now += wait

    assert sent >= 1000
    assert shared.asked <= 2 * sent / 25 + 2, "tokens are taken several at once"
