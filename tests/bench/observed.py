"""A process with instruments: `python observed.py <report file> [--profile] [logic] …`, a gateway or an app. All else in it is the product.

SIGUSR1 begins a window; SIGUSR2 ends it and writes the report: the loop's lag (a heartbeat each millisecond), the collector's work,
and with --profile cProfile's and the types of what lives.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import json
import pstats
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

BEAT_SECONDS = 0.001
TYPES_SHOWN = 40


class Instruments:
    """What is measured inside one process."""

    def __init__(self, report: Path, *, profile: bool) -> None:
        self._report, self._profiled = report, profile
        self._profile = cProfile.Profile()
        self._gaps: list[float] = []
        self._collections: list[tuple[int, float]] = []
        self._began = self._window = self._beat_at = 0.0
        gc.callbacks.append(self._collected)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, inside the loop."""
        loop.add_signal_handler(signal.SIGUSR1, self._begin)
        loop.add_signal_handler(signal.SIGUSR2, self._end)
        self._beat_at = time.perf_counter()
        self._beat(loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.perf_counter()
        self._gaps.append(now - self._beat_at)
        self._beat_at = now
        loop.call_later(BEAT_SECONDS, self._beat, loop)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._collections.append((info["generation"], time.perf_counter() - self._began))

    def _begin(self) -> None:
        self._gaps.clear()
        self._collections.clear()
        self._window = time.perf_counter()
        if self._profiled:
            self._profile = cProfile.Profile()
            self._profile.enable()

    def _end(self) -> None:
        if self._profiled:
            self._profile.disable()
        elapsed = time.perf_counter() - self._window
        gaps, collections = list(self._gaps), list(self._collections)
        began = time.perf_counter()
        gc.collect()
        full = time.perf_counter() - began
        found: dict[str, Any] = {
            "seconds": elapsed,
            "gaps": gaps,
            "collections": collections,
            "full_seconds": full,
            "tracked": len(gc.get_objects()),
        }
        if self._profiled:
            text = io.StringIO()
            pstats.Stats(self._profile, stream=text).sort_stats("tottime").print_stats(60)
            found["profile"] = text.getvalue()
            types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
            found["types"] = dict(types.most_common(TYPES_SHOWN))
        whole = self._report.with_suffix(".whole")
        whole.write_text(json.dumps(found))
        whole.rename(self._report)


def main() -> None:
    """Run the gateway, or the app."""
    report, *rest = sys.argv[1:]
    sys.argv[1:] = [argument for argument in rest if argument not in {"--profile", "logic"}]
    instruments, new_loop = Instruments(Path(report), profile="--profile" in rest), uvloop.new_event_loop

    def observed_loop() -> uvloop.Loop:
        loop = new_loop()
        loop.call_soon(instruments.watch, loop)
        return loop

    uvloop.new_event_loop = observed_loop
    if "logic" in rest:
        from causeway_logic.__main__ import main as service
    else:
        from causeway_gateway.__main__ import main as service

    service()


if __name__ == "__main__":
    main()
