"""When recurring tasks are due, and that they run once each time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway_common.contracts.errors import unavailable
from causeway_logic import App, Context, Retry
from causeway_logic.domain.ticks import Cron, parse_ticks, ticks_or
from unit.logic.durable import DurableBench, KilledError

HOUR_MS = 3_600_000
ran: list[int] = []


def shop(version: str = "1.0.0", ticks: str = "1h") -> App:
    app = App("shop", version=version)

    @app.every(ticks, retry=Retry(["1s"], jitter=0))
    async def tidy(ctx: Context) -> None:
        ran.append(int(ctx.now().timestamp() * 1000))

    return app


@pytest.fixture
def bench() -> DurableBench:
    ran.clear()
    return DurableBench(shop())


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("line", "now", "then"),
    [
        ("0 3 * * *", "2025-01-01T02:59:59", "2025-01-01T03:00:00"),
        ("0 3 * * *", "2025-01-01T03:00:00", "2025-01-02T03:00:00"),
        ("*/15 * * * *", "2025-01-01T03:00:00", "2025-01-01T03:15:00"),
        ("5/20 9-17 * * mon-fri", "2025-01-03T17:45:00", "2025-01-06T09:05:00"),
        ("0 0 29 2 *", "2025-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
        ("0 0 13 * fri", "2025-01-04T00:00:00", "2025-01-10T00:00:00"),
        ("0 0 * * 7", "2025-01-01T00:00:00", "2025-01-05T00:00:00"),
        ("30 6,18 1 jan,jul *", "2025-01-01T18:30:00", "2025-07-01T06:30:00"),
        ("1h", "2025-01-01T02:59:59", "2025-01-01T03:00:00"),
        ("90m", "2025-01-01T00:00:00", "2025-01-01T01:30:00"),
    ],
)
def test_a_tick_is_the_next_time_that_the_line_names(line: str, now: str, then: str) -> None:
    assert parse_ticks(line).after(at(now)) == at(then)


@pytest.mark.parametrize(
    "line", ["", "1ms", "soon", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
             "a * * * *", "5-1 * * * *", "0 0 30 feb *", "1-2-3 * * * *", "mon * * * *"],
)  # fmt: skip
def test_a_line_that_never_comes_or_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_ticks(line)


fields = st.tuples(
    st.sampled_from(["*", "*/7", "0", "13,44", "10-20/3"]),
    st.sampled_from(["*", "0", "3-5", "*/6"]),
    st.sampled_from(["*", "1", "15,31", "*/10"]),
    st.sampled_from(["*", "feb", "1-3", "12"]),
    st.sampled_from(["*", "sun", "1-5", "7"]),
)


@given(fields, st.integers(0, 4_000_000_000_000))
def test_between_now_and_the_next_tick_lies_none(parts: tuple[str, ...], now_ms: int) -> None:
    cron = parse_ticks(" ".join(parts))
    assert isinstance(cron, Cron)
    tick = cron.after(now_ms)

    assert tick > now_ms
    assert named(cron, tick)
    for minute in range(now_ms // 60_000 + 1, min(tick // 60_000, now_ms // 60_000 + 500)):
        assert not named(cron, minute * 60_000)


def named(cron: Cron, tick_ms: int) -> bool:
    """As crontab(5) says it, field by field."""
    time = datetime.fromtimestamp(tick_ms / 1000, UTC)
    by_month, by_week = time.day in cron.days, time.isoweekday() % 7 in cron.weekdays
    day = (by_month or by_week) if cron.either_day else (by_month and by_week)
    return time.minute in cron.minutes and time.hour in cron.hours and time.month in cron.months and day and time.second == 0


async def test_each_tick_runs_once_over_all_instances(bench: DurableBench) -> None:
    await asyncio.gather(bench.recurring.ensure(), bench.recurring.ensure())
    await bench.recurring.ensure()
    for _ in range(3):
        bench.move(3600)
        await bench.run_due()
        await bench.recurring.ensure()

    assert len(ran) == 3
    assert len(bench.storage.timers) == 1


async def test_ticks_that_passed_while_all_was_down_run_once(bench: DurableBench) -> None:
    await bench.recurring.ensure()
    bench.move(5 * 3600 + 10)
    await bench.run_due()
    assert len(ran) == 1
    (timer,) = bench.storage.timers.values()

    assert timer.at_ms == (bench.time_ms // HOUR_MS + 1) * HOUR_MS


async def test_a_tick_whose_run_fails_or_dies_is_tried_again_and_moves_on_once(bench: DurableBench) -> None:
    await bench.recurring.ensure()
    bench.records.die_before_settle = 1
    bench.move(3600)
    with pytest.raises(KilledError):
        await bench.run_due()
    bench.move(40)
    await bench.run_due()

    assert len(ran) == 2  # one tick, at least once
    assert bench.states == ["done"]
    assert bench.storage.versions["every", "tidy"] == 2


async def test_a_tick_that_comes_late_moves_nothing_back(bench: DurableBench) -> None:
    await bench.recurring.ensure()
    bench.move(3600)
    (first,) = bench.storage.records
    newer = DurableBench(shop("1.10.0", "10m"), bench.storage)
    newer.move(3600)
    await newer.recurring.ensure()
    (timer,) = bench.storage.timers.values()
    bench.time_ms -= 900_000  # a process whose clock is behind
    await bench.deliver(first)

    assert len(ran) == 1
    assert bench.storage.timers.popitem()[1] == timer
    assert bench.storage.versions["every", "tidy"] == 2


async def test_changed_ticks_take_the_place_of_the_old_ones_and_the_higher_version_rules(bench: DurableBench) -> None:
    await bench.recurring.ensure()
    newer = DurableBench(shop("1.10.0", "10m"), bench.storage)
    await newer.recurring.ensure()
    await bench.recurring.ensure()  # 1.0.0 starts again

    (timer,) = bench.storage.timers.values()
    assert timer.at_ms == (bench.time_ms // 600_000 + 1) * 600_000
    bench.move(600)
    await bench.run_due()  # the older version runs a tick of the newer one's
    (timer,) = bench.storage.timers.values()
    assert timer.at_ms == (bench.time_ms // 600_000 + 1) * 600_000


async def test_while_storage_is_away_the_timers_are_asked_for_again(bench: DurableBench) -> None:
    async def away(*_: object) -> object:
        raise unavailable("away")

    get, bench.storage.get = bench.storage.get, away  # type: ignore[method-assign,assignment]
    with pytest.raises(Exception, match="away"):
        await bench.recurring.ensure()
    bench.storage.get = get  # type: ignore[method-assign]
    assert await bench.recurring.ensure() > 0
    assert len(bench.storage.timers) == 1


def test_ticks_that_only_a_newer_version_can_read_leave_ones_own() -> None:
    own = parse_ticks("1h")

    assert ticks_or("every full moon", own) is own
    assert ticks_or("10m", own).after(0) == 600_000
