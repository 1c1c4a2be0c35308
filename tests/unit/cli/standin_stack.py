"""A stand-in for `causeway dev`: the real supervisor over stand-in processes.

STANDIN_DESK names a port where they can be killed with the token `token`.
`standin_stack.py DATA_DIR NAME[:KIND[:TRAIT,…]] …`; the first one takes NATS's place. STANDIN_TWINS names what takes the places of those of the
same names in the same way, each time that SIGUSR1 comes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from causeway_cli.dev.datadir import DataDirLock
from causeway_cli.dev.desk import DeskAt
from causeway_cli.dev.plan import ProcessSpec, StackPlan
from causeway_cli.dev.ports import Ports
from causeway_cli.dev.supervisor import Supervisor
from causeway_cli.dev.terminal import Terminal

SCRIPT = Path(__file__).with_name("standin_process.py")


def spec(described: str, port: int) -> ProcessSpec:
    name, kind, traits = (*described.split(":"), "", "")[:3]
    return ProcessSpec(
        service=name,
        name=name,
        kind=kind or "storage",
        command=(sys.executable, "-S", str(SCRIPT), str(port), *filter(None, traits.split(","))),
        env=os.environ,
        port=None,
        internal_port=port,
        health_url=f"http://127.0.0.1:{port}/readyz",
    )


lock = DataDirLock(Path(sys.argv[1]))
ports = Ports()
nats, *services = [spec(described, ports.find()) for described in sys.argv[2:]]
twins = {made.name: made for made in (spec(described, ports.find()) for described in os.environ.get("STANDIN_TWINS", "").split())}
plan = StackPlan("http://here", "http://here", "nats://here", "sqlite", nats, tuple(services), (), twins)


async def changes() -> AsyncIterator[list[str]]:
    seen = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, seen.set)
    terminal.say("looking for changes")
    while True:
        await seen.wait()
        seen.clear()
        yield list(twins)


desk = int(os.environ.get("STANDIN_DESK", "0"))
terminal = Terminal(sys.stdout.fileno(), colour=False)
supervisor = Supervisor(
    plan,
    version="1",
    data_dir=Path(sys.argv[1]),
    terminal=terminal,
    greeting="the stand-ins are ready",
    stop_seconds=1.0,
    changes=changes,
    trial_seconds=float(os.environ.get("STANDIN_TRIAL", "1")),
    desk=DeskAt("127.0.0.1", desk, "token", ()) if desk else None,
)
asyncio.run(supervisor.run())
terminal.say("stopped")
terminal.close()
