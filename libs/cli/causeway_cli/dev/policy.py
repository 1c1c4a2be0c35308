"""When a process that died is started again. Pure: times are arguments."""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 10.0
DEATHS_AT_ONCE: Final = 2
FIRST_DELAY_SECONDS: Final = 0.5
LAST_DELAY_SECONDS: Final = 5.0


class RestartPolicy:
    """At once, until the third death within 10 s; from then 0.5 s, doubling to 5 s, until the process has lived for 10 s."""

    def __init__(self) -> None:
        self._deaths: list[float] = []
        self._delay = 0.0

    def died(self, started: float, now: float) -> float:
        """How long to wait before the next start.

        Args:
            started: when the process that died was started, in seconds of any clock that does not go back.
            now: when it died.

        Returns:
            Seconds, 0 for at once.
        """
        if now - started >= WINDOW_SECONDS:
            self._deaths, self._delay = [], 0.0
        self._deaths = [death for death in self._deaths if now - death < WINDOW_SECONDS] + [now]
        if self._delay:
            self._delay = min(self._delay * 2, LAST_DELAY_SECONDS)
        elif len(self._deaths) > DEATHS_AT_ONCE:
            self._delay = FIRST_DELAY_SECONDS
        return self._delay
