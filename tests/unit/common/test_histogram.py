"""Histograms as Prometheus reads them: cumulative buckets, a count and a sum, whatever was measured."""

from __future__ import annotations

from bisect import bisect_right

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.telemetry import prometheus_text
from causeway_common.telemetry.counters import BOUNDS_S, Counters, Histogram


@given(st.lists(st.floats(0, 10) | st.sampled_from(BOUNDS_S), max_size=50))
def test_each_bucket_counts_what_took_no_longer_than_its_bound(times: list[float]) -> None:
    histogram = Histogram("causeway_test_seconds", "of a test", "verb")
    for each in times:
        histogram.add(each, "append")
    (family,) = histogram.collect()
    samples = {(each.name, each.labels.get("le", "")): each.value for each in family.samples}
    if not times:
        assert samples == {}
        return

    for bound in BOUNDS_S:
        assert samples["causeway_test_seconds_bucket", f"{bound:g}"] == bisect_right(sorted(times), bound)
    assert samples["causeway_test_seconds_bucket", "+Inf"] == samples["causeway_test_seconds_count", ""] == len(times)
    assert samples["causeway_test_seconds_sum", ""] == pytest.approx(sum(times))


def test_it_stands_among_the_metrics_of_the_process() -> None:
    made = Counters("test").histogram("waiting", "of a test", label="verb")
    try:
        made.add(0.003, "commit")
        text = prometheus_text()[0].decode()
    finally:
        prometheus_client.REGISTRY.unregister(made)

    assert "# TYPE causeway_test_waiting_seconds histogram" in text
    assert 'causeway_test_waiting_seconds_bucket{le="0.002",verb="commit"} 0.0' in text
    assert 'causeway_test_waiting_seconds_bucket{le="0.005",verb="commit"} 1.0' in text
