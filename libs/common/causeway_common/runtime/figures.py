"""What a process tells of itself while it runs: how late its event loop is, its CPU and memory, and every two seconds all its figures."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from causeway_common.bus import Bus
from causeway_common.contracts.codec import encode
from causeway_common.contracts.errors import CausewayError
from causeway_common.contracts.messages import Figures, MethodFigures
from causeway_common.contracts.subjects import FIGURES
from causeway_common.runtime.ids import now_ms
from causeway_common.telemetry import Counters, get_logger, read_figures

log = get_logger("figures")
STATM: Final = Path("/proc/self/statm")
TELL_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.1


class ProcessFigures:
    """Age, CPU and memory of this process since it started."""

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


class LoopDelay:
    """How late the event loop is with what is due: the longest delay of the last `TELL_SECONDS` to twice that.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now = self._before = 0.0
        self._since = clock()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on."""
        self._look_at(self._clock() + LOOK_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def milliseconds(self) -> float:
        """The longest delay."""
        return round(1000 * max(self._now, self._before), 2)

    def looked(self, due: float) -> None:
        """What was due at `due` runs now."""
        now = self._clock()
        self._now = max(self._now, now - due)
        if now - self._since >= TELL_SECONDS:
            self._before, self._now, self._since = self._now, 0.0, now

    def _look_at(self, due: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look, due)

    def _look(self, due: float) -> None:
        self.looked(due)
        self._look_at(self._clock() + LOOK_SECONDS)


class Telling:
    """Tells the figures of this process on the bus, at most once: who listens has them, and nobody need.

    Args:
        bus: the connection.
        service: of this process, as its subject names it.
        node: its id.
        version: of its distribution.
        app_version: of the app that it serves, "" for none.
        methods: what a gateway has counted since it was asked last.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        service: str,
        node: str,
        version: str,
        app_version: str = "",
        methods: Callable[[], Sequence[MethodFigures]] = tuple,
    ) -> None:
        self._bus, self._subject = bus, FIGURES.at(service=service, node=node)
        self._version, self._app_version, self._methods = version, app_version, methods
        self._process, self._delay, self._started_ms = ProcessFigures(), LoopDelay(), now_ms()
        self._task: asyncio.Task[None] | None = None
        Counters("process").gauge(
            "loop_delay", "the longest that the event loop was late", lambda: self._delay.milliseconds, unit="ms"
        )

    async def start(self) -> None:
        """Tell them now, and again every `TELL_SECONDS`."""
        self._delay.start()
        self._task = asyncio.get_running_loop().create_task(self._tell_on())

    async def stop(self) -> None:
        """Tell that this process leaves."""
        self._delay.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._tell(left=True)

    async def _tell_on(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(TELL_SECONDS)

    def _tell(self, *, left: bool = False) -> None:
        reading = read_figures()
        figures = Figures(
            version=self._version,
            app_version=self._app_version,
            started_ms=self._started_ms,
            totals=dict(reading.totals),
            gauges={**reading.gauges, "process.cpu": self._process.cpu, "process.rss": self._process.rss},
            methods=list(self._methods()),
            left=left,
        )
        try:
            self._bus.send_raw(self._subject, encode(figures))
        except CausewayError as error:
            log.debug("the figures of this process could not be told", reason=error.message)
