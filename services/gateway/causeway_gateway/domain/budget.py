"""How often one connection may publish: so many in each second, by namespace."""

from __future__ import annotations

WINDOW_MS = 1000


class Budget:
    """Counts in windows of a second; holds nothing for a namespace without a limit."""

    __slots__ = ("_spent",)

    def __init__(self) -> None:
        self._spent: dict[str, tuple[int, int]] = {}

    def spend(self, name: str, limit: int, now: int) -> bool:
        """Take one at `now` (ms). Returns whether it was there."""
        window = now // WINDOW_MS
        at, count = self._spent.get(name, (window, 0))
        count = count + 1 if at == window else 1
        self._spent[name] = (window, count)
        return count <= limit
