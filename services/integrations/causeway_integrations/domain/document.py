"""A document fetched from outside, and how long it may be kept (RFC 9111, section 5.2.2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """What a GET brought: status, body, and its Cache-Control header."""

    status: int
    body: bytes
    cache_control: str

    def max_age_ms(self, *, least: int, most: int, default: int) -> int:
        """How long it may be kept, within bounds (ms)."""
        found = _MAX_AGE.search(self.cache_control)
        return min(max(int(found[1]) * 1000 if found else default, least), most)
