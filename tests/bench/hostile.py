"""What a bystander feels of bad load: its p99 from publishing to receiving, alone and while each attack of support/hostile.py lasts.

An attack runs in a process of its own, at the lowest priority, on the load generator's core: `python hostile.py NAME PORT KEY` is one.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.frames import client_frame
from bench.load import PONG, Peer, WrongError, open_all
from bench.plan import Plan
from bench.processes import LOADING, pinned
from bench.speaking import SECRET, connect
from bench.table import Pair, Row
from support.hostile import ATTACKS, CONFIG
from support.raw import Target

API_KEY: Final = "a-key-of-the-benchmark-alone"
CHANNEL: Final = "open:bystander"
PACE_SECONDS: Final = 0.001
WINDOW_SECONDS: Final = 1.0


class Bystander(Peer):
    """Publishes a number, waits until it comes back, and again."""

    __slots__ = ("_asked", "_done", "_number", "_stop", "took")

    def __init__(self) -> None:
        super().__init__()
        self.took: list[float] = []
        self._number, self._asked, self._stop = 1, 0.0, 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def watch(self, seconds: float) -> float:
        """The p99 in milliseconds over this time."""
        self.took, self._stop = [], time.perf_counter() + seconds
        self._done = asyncio.get_running_loop().create_future()
        self._publish()
        await asyncio.wait({self._done}, timeout=seconds + 10)
        if not self._done.done():
            self.fault("what was published did not come back")
        if self.faults:
            raise WrongError(f"a bystander: {self.faults}")
        ordered = sorted(self.took)
        return ordered[len(ordered) * 99 // 100] * 1e3

    def _publish(self) -> None:
        self._number, self._asked = self._number + 1, time.perf_counter()
        command = {"id": self._number, "publish": {"channel": CHANNEL, "data": self._number}}
        self.transport.write(client_frame(json.dumps(command).encode()))

    def frame(self, whole: bytes, payload: bytes) -> None:
        for line in payload.split(b"\n"):
            message: dict[str, Any] = json.loads(line)
            if not message:
                self.transport.write(PONG)
            elif "push" not in message:
                if message.get("publish") != {}:
                    self.fault(f"a publish was answered {line!r}")
            elif message["push"]["pub"]["data"] != self._number:
                self.fault(f"waiting for {self._number}, got {line!r}")
            else:
                now = time.perf_counter()
                self.took.append(now - self._asked)
                if now < self._stop:
                    asyncio.get_running_loop().call_later(PACE_SECONDS, self._publish)
                else:
                    self._done.set_result(None)


@contextmanager
def attacked(name: str, port: int) -> Iterator[None]:
    """An attack goes on for the block."""
    with pinned(LOADING):
        command = [sys.executable, __file__, name, str(port), API_KEY]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: os.nice(19))  # noqa: PLW1509 - no threads here
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{name}: the attack did not begin")
        yield
        if process.poll() is not None:
            raise WrongError(f"{name}: the attack ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


async def figures(plan: Plan) -> list[Row]:
    """One row for each attack."""
    pairs: dict[str, list[Pair]] = {attack.name: [] for attack in ATTACKS}
    for run in plan.runs("a bystander of bad load"):
        async with plan.stack(f"hostile-{run}") as stack:
            (stack.directory / "causeway.toml").write_text(f'[http_api]\nkey = "{API_KEY}"\n{CONFIG}')
            await stack.storage()
            gateway = await plan.gateway(stack)
            (bystander,) = await open_all(
                gateway.port, 1, lambda _n: connect("bystander", CHANNEL), 2, lambda _n, _got: Bystander()
            )
            await bystander.watch(WINDOW_SECONDS)  # warm
            alone = await bystander.watch(2 * WINDOW_SECONDS)
            for attack in ATTACKS:
                with attacked(attack.name, gateway.port):
                    pairs[attack.name].append(Pair(alone, await bystander.watch(WINDOW_SECONDS)))
            bystander.leave()
    note = "p99 from publishing to receiving (floor: alone); attacker and bystander share the load generator's core"
    return [Row(f"bystander: {name}", "ms", found, note=note if not at else "") for at, (name, found) in enumerate(pairs.items())]


async def attack(name: str, target: Target) -> None:
    """Again and again, until this process is ended."""
    found = next(each for each in ATTACKS if each.name == name)
    print("begun", flush=True)
    while True:
        codes = await found.run(target)
        if codes != found.codes:
            raise WrongError(f"{name} was answered {codes}, expected {found.codes}")


if __name__ == "__main__":
    asyncio.run(attack(sys.argv[1], Target(int(sys.argv[2]), SECRET, sys.argv[3])))
