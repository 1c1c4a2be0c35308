"""Durations in configuration: a number and a unit, `300ms`, `5s`, `2m`, `1h`, `7d`; in the code whole milliseconds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS: Final = 36_500 * 86_400_000
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_RULE: Final = "a duration is a number and ms, s, m, h or d, such as 300ms or 7d"


def parse_duration(text: Any) -> int:
    """Milliseconds of a duration's text, at most a hundred years.

    Raises:
        ValueError: it is not of that form, or no whole number of milliseconds.
    """
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(_RULE)
    milliseconds = float(match[1]) * _UNITS[match[2]]
    if milliseconds > LONGEST_MS:
        raise ValueError(f"{_RULE}; the longest is {LONGEST_MS // _UNITS['d']}d")
    if milliseconds != int(milliseconds):
        raise ValueError(f"{_RULE}; the smallest step is 1ms")
    return int(milliseconds)


def format_duration(milliseconds: int) -> str:
    """The shortest text that `parse_duration` reads back as this many milliseconds."""
    for unit, size in reversed(_UNITS.items()):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0s"


Duration = Annotated[int, BeforeValidator(parse_duration)]
"""A settings field in milliseconds, written as text."""
