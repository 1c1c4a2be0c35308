"""Versions that run side by side and do not agree: said once, when the second of them is heard of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from causeway_common.contracts.compatibility import breaks
from causeway_common.telemetry import get_logger
from causeway_gateway.domain.routing import Alive

log = get_logger("gateway.apps")
TOLD_MAX: Final = 1_000
LINES_MAX: Final = 20


class Disagreements:
    """Tells the log."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], None] = {}

    def look(self, living: Mapping[str, Sequence[Alive]]) -> None:
        """Other versions live; the highest of an app first."""
        for app, versions in living.items():
            for line in broken(versions):
                if (app, line) in self._told:
                    continue
                self._told[app, line] = None
                log.warning("versions of an app that run side by side do not agree", app=app, breaks=line)
                if len(self._told) > TOLD_MAX:
                    del self._told[next(iter(self._told))]


def broken(versions: Sequence[Alive]) -> Iterator[str]:
    """What each version breaks of the next lower one; the highest first."""
    for new, old in pairwise(versions):
        found = breaks(old.manifest, new.manifest)
        yield from (f"{new.version} breaks {old.version}: {line}" for line in found[:LINES_MAX])
        if len(found) > LINES_MAX:
            yield f"{new.version} breaks {old.version}: and {len(found) - LINES_MAX} more"
