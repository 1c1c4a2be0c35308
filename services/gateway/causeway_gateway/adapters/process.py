"""How this process is: its age, CPU and memory, for the server API's `info`."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Final

STATM: Final = Path("/proc/self/statm")


class ProcessFigures:
    """Figures of this process since it started."""

    def __init__(self) -> None:
        self._started = self._asked = time.monotonic()
        self._cpu = time.process_time()

    @property
    def uptime(self) -> int:
        """Seconds since the start."""
        return int(time.monotonic() - self._started)

    @property
    def cpu(self) -> float:
        """Percent of one core since this was asked last."""
        now, cpu = time.monotonic(), time.process_time()
        share = 100 * (cpu - self._cpu) / max(now - self._asked, 0.001)
        self._asked, self._cpu = now, cpu
        return round(share, 1)

    @property
    def rss(self) -> int:
        """Resident memory in bytes; where the system does not tell it, the most there ever was."""
        try:
            return int(STATM.read_text().split()[1]) * resource.getpagesize()
        except (OSError, ValueError, IndexError):
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
