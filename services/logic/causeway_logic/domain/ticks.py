"""When something that runs again and again is due: an interval, or a cron line in UTC. Values in, values out; no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from causeway_common.runtime.durations import parse_duration

SHORTEST_MS: Final = 1000
"""No interval is shorter: each tick is a commit and a task."""
EVERY_KIND: Final = "every"
"""The kind of the hidden entities that hold the next tick; no app's model has this one (`RESERVED_KINDS`)."""
TICK: Final = "_tick"
"""In a task's payload: the tick that it was."""
_YEARS: Final = 8
"""A 29 February comes within so many years, over a century without a leap day too; a line that has no time by then never has one."""
_MONTHS: Final = {
    name: number
    for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_DAYS: Final = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_PART: Final = re.compile(r"(?:(\*)|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/(\d+))?")
_SUNDAY: Final = 7
"""Some write it so; here it is 0."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many milliseconds, counted from the Unix epoch: `1h` is each full hour UTC, on every machine and after every restart."""

    every_ms: int
    text: str

    def after(self, at_ms: int) -> int:
        """The first tick behind a time of day."""
        return (at_ms // self.every_ms + 1) * self.every_ms


@dataclass(frozen=True, slots=True)
class Cron:
    """The minutes that a cron line names, in UTC.

    As in crontab(5): where day of month and day of week are both restricted, either is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    text: str

    def after(self, at_ms: int) -> int:
        """The first tick behind a time of day.

        Raises:
            ValueError: there is none (30 February).
        """
        start = datetime.fromtimestamp(at_ms // 1000, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._days_from(start):
            earliest = start if day.date() == start.date() else day
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    tick = day.replace(hour=hour, minute=minute)
                    if tick >= earliest:
                        return int(tick.timestamp()) * 1000
        raise ValueError("a cron line that no day ever meets")

    def _days_from(self, start: datetime) -> Iterator[datetime]:
        day = start.replace(hour=0, minute=0)
        end = day + timedelta(days=366 * _YEARS)
        while day < end:
            if day.month in self.months and self._holds(day):
                yield day
            day += timedelta(days=1)

    def _holds(self, day: datetime) -> bool:
        by_month, by_week = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        return (by_month or by_week) if self.either_day else (by_month and by_week)


Ticks = Interval | Cron


def parse_ticks(text: str) -> Ticks:
    """Read a duration (`1h`) or a cron line (`0 3 * * *`: minute, hour, day of month, month, day of week).

    A field is `*`, a number, a name (`jan`, `mon`), a range `1-5`, each with a step `*/15`, or several of them with commas.

    Raises:
        ValueError: it is neither, an interval below one second, or a line that never comes.
    """
    fields = text.lower().split()
    if len(fields) == 1:
        every_ms = parse_duration(text)
        if every_ms < SHORTEST_MS:
            raise ValueError(f"an interval is at least 1s, got {text!r}")
        return Interval(every_ms, text)
    if len(fields) != 5:
        raise ValueError(f"{text!r} is neither a duration (1h) nor a cron line of five fields (0 3 * * *)")
    minutes, hours, days, months = (
        _field(fields[0], 0, 59, "minute"),
        _field(fields[1], 0, 23, "hour"),
        _field(fields[2], 1, 31, "day of the month"),
        _field(fields[3], 1, 12, "month", _MONTHS),
    )
    weekdays = frozenset(day % _SUNDAY for day in _field(fields[4], 0, 7, "day of the week", _DAYS))
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    cron = Cron(minutes, hours, days, months, weekdays, either, text)
    cron.after(0)
    return cron


def ticks_or(text: str, otherwise: Ticks) -> Ticks:
    """As `parse_ticks`; `otherwise` for a text that only a newer version can read."""
    try:
        return parse_ticks(text)
    except ValueError:
        return otherwise


def _field(text: str, least: int, most: int, what: str, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"the {what} of a cron line cannot be {part!r}")
        star, first, last, step = match.groups()
        low = least if star else _number(first, what, names)
        high = most if star or (step and not last) else _number(last or first, what, names)
        if not (least <= low <= high <= most) or step == "0":
            raise ValueError(f"the {what} of a cron line is {least} to {most}, got {part!r}")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, what: str, names: dict[str, int] | None) -> int:
    if text.isdecimal():
        return int(text)
    if names is None or text not in names:
        raise ValueError(f"the {what} of a cron line cannot be {text!r}")
    return names[text]
