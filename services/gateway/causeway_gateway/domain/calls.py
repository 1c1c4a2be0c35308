"""How often each method of each app was called here, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import MethodFigures

KNOWN_MAX: Final = 5_000
TOLD_MAX: Final = 200
FAILED_CODE: Final = 100
"""The code of faults: internal and unavailable. Every other is the app's own no."""


class CallCounts:
    """Counts calls by app, method and the version that was asked first ("": the app as a whole); names are those of manifests."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = {}
        self._changed: dict[tuple[str, str, str], None] = {}

    def add(self, app: str, method: str, version: str, error: CausewayError | None, ms: int) -> None:
        """One call has ended."""
        key = (app, method, version)
        row = self._counts.get(key)
        if row is None:
            if len(self._counts) >= KNOWN_MAX:
                return
            row = self._counts[key] = [0, 0, 0, 0]
        row[0] += 1
        row[3] += ms
        if error is not None:
            row[1 if error.code == FAILED_CODE else 2] += 1
        self._changed[key] = None

    def changed(self) -> Sequence[MethodFigures]:
        """Those that were called since they were told last, a bounded number at a time."""
        keys = list(self._changed)[:TOLD_MAX]
        for key in keys:
            del self._changed[key]
        return [self._told(key) for key in keys]

    def _told(self, key: tuple[str, str, str]) -> MethodFigures:
        app, method, version = key
        calls, errors, rejected, ms = self._counts[key]
        return MethodFigures(app=app, method=method, version=version, calls=calls, errors=errors, rejected=rejected, time_ms=ms)
