"""Text for a terminal, and JSON from a command line. Pure."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

# C0 but the tab, DEL and C1, and surrogates that no encoding takes: written as JSON would, so that JSON stays JSON.
_HARMFUL: Final = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)) if code != 0x09}


def printable(text: str) -> str:
    """`text` with every control character but the tab written out: what a peer sends never moves the terminal's cursor."""
    return text.translate(_HARMFUL)


def compact_json(value: Any) -> str:
    """A JSON value on one line, safe to print."""
    return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def parse_json(text: str) -> Any:
    """The one JSON value (RFC 8259) that `text` is.

    Raises:
        ValueError: it is none; the message says where.
    """
    value = json.loads(text, parse_constant=_refuse)
    json.dumps(value, allow_nan=False)  # refuses a number that no float holds, such as 1e999
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
