"""What a process tells of itself: every figure has its source, the loop's delay is the longest of late, and leaving is told."""

from __future__ import annotations

import asyncio

from causeway_common.bus import Bus
from causeway_common.contracts.codec import decode
from causeway_common.contracts.errors import unavailable
from causeway_common.contracts.messages import Figures, MethodFigures
from causeway_common.contracts.subjects import FIGURES as SUBJECT
from causeway_common.runtime import LoopDelay, Telling
from causeway_common.telemetry import FIGURES, Counters, read_figures
from causeway_common.telemetry.counters import count_of
from causeway_common.telemetry.figures import Total

UNITS = {"1", "1/s", "By", "By/s", "ms", "s", "%"}


class FakeBus:
    """Notes what is told on which subject."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Figures]] = []
        self.away = False

    def send_raw(self, subject: str, body: bytes) -> None:
        if self.away:
            raise unavailable("the fake is away")
        self.told.append((subject, decode(body, Figures)))


def telling(bus: FakeBus) -> Telling:
    made: Bus = bus  # type: ignore[assignment]  # of a connection it sends alone
    return Telling(
        made,
        service="gateway",
        node="n1",
        version="1.2.0",
        methods=lambda: [MethodFigures(app="a", method="m", version="", calls=1, errors=0, rejected=0, time_ms=1)],
    )


def test_every_figure_says_what_it_is_and_has_one_source() -> None:
    for figure in FIGURES.values():
        assert figure.text
        assert figure.unit in UNITS
        assert bool(figure.gauge) != bool(figure.total)


def test_counters_are_read_by_their_labels_value_too() -> None:
    counter = Counters("figures_test").counter("things", "of the tests")
    counter.add(3, "ok")
    counter.add(2, "dead")
    name = "figures_test.things"
    assert [count_of(name), count_of(name, only="dead"), count_of(name, without="ok"), count_of("figures_test.none")] == [
        5,
        2,
        2,
        None,
    ]
    assert [Total("a").key, Total("a", only="b").key, Total("a", without="b").key] == ["a", "a:b", "a:!b"]


def test_a_reading_holds_what_this_process_has_and_nothing_else() -> None:
    Counters("storage").gauge("write_queue", "of the tests", lambda: 7)

    reading = read_figures()
    assert reading.gauges["storage.write_queue"] == 7
    assert "integrations.calls" not in reading.totals or reading.totals["integrations.calls"] >= 0


def test_the_loops_delay_is_the_longest_of_the_last_seconds() -> None:
    now = [0.0]
    delay = LoopDelay(lambda: now[0])
    delay.looked(0.0)
    now[0] = 0.3
    delay.looked(0.25)
    assert delay.milliseconds == 50
    now[0] = 2.1
    delay.looked(2.09)
    now[0] = 2.2
    delay.looked(2.2)
    assert delay.milliseconds == 50, "of the two seconds before too"
    now[0] = 4.3
    delay.looked(4.3)
    assert delay.milliseconds == 0


async def test_figures_are_told_at_once_and_that_it_leaves_at_last() -> None:
    bus = FakeBus()
    told = telling(bus)
    await told.start()
    await asyncio.sleep(0)
    await told.stop()

    assert [(subject, figures.left) for subject, figures in bus.told] == [
        (SUBJECT.at(service="gateway", node="n1"), False),
        (SUBJECT.at(service="gateway", node="n1"), True),
    ]
    first = bus.told[0][1]
    assert (first.version, first.methods[0].calls) == ("1.2.0", 1)
    assert first.gauges["process.rss"] > 0
    assert first.gauges.keys() >= {"process.cpu", "process.loop_delay"}


async def test_a_bus_that_is_away_is_no_fault() -> None:
    bus = FakeBus()
    bus.away = True
    told = telling(bus)
    await told.start()
    await asyncio.sleep(0)
    await told.stop()

    assert bus.told == []
