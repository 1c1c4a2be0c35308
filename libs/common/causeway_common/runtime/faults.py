"""Named fault points: places where a test may have the process die, for real, by SIGKILL.

`CAUSEWAY_FAULT=<point>:<nth>` kills the process the nth time it passes the point; refused unless `CAUSEWAY_TESTING=1`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from typing import Final

FAULT_POINTS: Final = (
    "storage.commit.before_write",
    "storage.commit.after_write",
    "storage.relay.before_append",
    "storage.append.before_write",
    "storage.append.after_write",
    "storage.feed.after",
    "storage.relay.before_record",
    "storage.relay.after_record",
    "storage.relay.before_timer",
    "storage.relay.after_timer",
    "storage.timers.before_record",
    "storage.timers.after_record",
    "storage.timers.after_fired",
    "storage.delivery.before",
    "storage.delivery.after",
    "storage.relay.before_clear",
    "storage.relay.after_clear",
    "storage.snapshot.after_append",
    "storage.attend.after_write",
    "storage.attend.before_clear",
    "storage.clear.after_page",
    "logic.task.after_claim",
    "logic.task.before_settle",
    "logic.task.after_settle",
    "integrations.deliver.before",
    "integrations.deliver.after",
    "integrations.settle.after",
    "integrations.attempt.before",
    "integrations.attempt.after",
    "integrations.hook.before",
    "integrations.hook.after",
)


class FaultError(Exception):
    """`CAUSEWAY_FAULT` cannot be honoured."""


class _Armed:
    def __init__(self, point: str, nth: int) -> None:
        self.point, self.left, self.lock = point, nth, threading.Lock()

    def passed(self, name: str) -> None:
        if name != self.point:
            return
        with self.lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


_armed: _Armed | None = None


def arm(env: Mapping[str, str]) -> None:
    """Read `CAUSEWAY_FAULT`. Called once at the start of every process.

    Raises:
        FaultError: it is set without `CAUSEWAY_TESTING=1`, or names no point of `FAULT_POINTS`.
    """
    global _armed  # noqa: PLW0603 - a fault point is a place in the code, not in an object
    text = env.get("CAUSEWAY_FAULT", "")
    if not text:
        return
    if env.get("CAUSEWAY_TESTING") != "1":
        raise FaultError("CAUSEWAY_FAULT is honoured only with CAUSEWAY_TESTING=1")
    point, _, nth = text.partition(":")
    if point not in FAULT_POINTS or not (nth or "1").isdecimal() or int(nth or "1") < 1:
        raise FaultError(f"CAUSEWAY_FAULT is <point>:<nth>, nth from 1, the point one of {', '.join(FAULT_POINTS)}; got {text!r}")
    _armed = _Armed(point, int(nth or "1"))


def fault_point(name: str) -> None:
    """Die here, if a test asked for it."""
    if _armed is not None:
        _armed.passed(name)
