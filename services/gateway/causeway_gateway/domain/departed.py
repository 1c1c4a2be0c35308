"""Who has left which channel lately, so that a leave that comes twice is told once.

It comes twice where a gateway died between telling it and storage's hearing of it, where it was held dead and was not, or where storage
itself died between telling it and noting that it did.
"""

from __future__ import annotations

from typing import Final

KEPT_MAX: Final = 16_384


class Departed:
    """A bounded memory; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], None] = {}

    def news(self, channel: str, client: str, *, joined: bool) -> bool:
        """Whether this join or leave of a client is to be told: all joins, and a leave behind no other since its join."""
        key = (channel, client)
        if joined:
            self._left.pop(key, None)
            return True
        if key in self._left:
            return False
        self._left[key] = None
        if len(self._left) > KEPT_MAX:
            del self._left[next(iter(self._left))]
        return True
