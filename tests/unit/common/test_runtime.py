"""Fault points, lifecycle, health."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from causeway_common.runtime import FAULT_POINTS, Health, Lifecycle
from causeway_common.runtime.faults import FaultError, arm


@pytest.mark.parametrize(
    "env",
    [
        {"CAUSEWAY_FAULT": "storage.commit.after_write:1"},
        {"CAUSEWAY_FAULT": "no.such.point:1", "CAUSEWAY_TESTING": "1"},
        {"CAUSEWAY_FAULT": "storage.commit.after_write:0", "CAUSEWAY_TESTING": "1"},
        {"CAUSEWAY_FAULT": "storage.commit.after_write:x", "CAUSEWAY_TESTING": "1"},
    ],
)
def test_a_fault_is_refused_outside_tests_and_at_unknown_points(env: dict[str, str]) -> None:
    with pytest.raises(FaultError):
        arm(env)


def test_a_fault_point_kills_the_process_for_real_at_its_nth_passing() -> None:
    point = FAULT_POINTS[0]
    script = (
        "from causeway_common.runtime import fault_point\nfrom causeway_common.runtime.faults import arm\n"
        f"arm({{'CAUSEWAY_TESTING': '1', 'CAUSEWAY_FAULT': '{point}:2'}})\n"
        f"fault_point('{point}')\nprint('once', flush=True)\nfault_point('other')\nfault_point('{point}')\nprint('twice', flush=True)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "once\n")


async def test_parts_start_in_order_and_stop_in_reverse_a_failing_or_hanging_one_does_not_hold_the_rest() -> None:
    seen: list[str] = []
    lifecycle = Lifecycle()

    def part(name: str, *, fails: bool = False, hangs: bool = False) -> None:
        async def start() -> None:
            seen.append(f"+{name}")

        async def stop() -> None:
            seen.append(f"-{name}")
            if fails:
                raise RuntimeError(name)
            if hangs:
                await asyncio.Event().wait()

        lifecycle.add(name, start, stop, stop_seconds=0.05)

    part("a")
    part("b", fails=True)
    part("c", hangs=True)
    await lifecycle.start()
    await lifecycle.stop()

    assert seen == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_part_that_fails_to_start_ends_the_start_and_is_stopped_too() -> None:
    seen: list[str] = []
    lifecycle = Lifecycle()

    async def fails() -> None:
        raise OSError("taken")

    async def note() -> None:
        seen.append("stopped")

    lifecycle.add("a", fails, note)
    lifecycle.add("b", note, note)

    with pytest.raises(OSError, match="taken"):
        await lifecycle.start()
    await lifecycle.stop()

    assert seen == ["stopped"]


def test_readiness_is_every_check_and_neither_starting_nor_stopping() -> None:
    health, up = Health(), [False]
    health.check("bus", lambda: up[0])

    assert not health.report()[0]
    health.started = True
    assert health.report() == (False, {"bus": False, "started": True, "running": True})
    up[0] = True
    assert health.report()[0]
    health.stopping = True
    assert not health.report()[0]
