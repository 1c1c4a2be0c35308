"""A real nats-server of a test's own, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

from nats.aio.client import Client

NATS_SERVER = Path(sys.executable).with_name("nats-server")


_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS = range(10_000 + _WORKER, 20_000, _WORKERS)
"""Below those that the kernel gives to outgoing connections, and that `causeway dev` takes: a port of these could be gone a moment later.
Each worker of a parallel run has its own: the port of a process that was killed and starts again is free for a moment.
"""
_given: set[int] = set()


def free_port() -> int:
    """A port of the loopback that nobody listens on right now, and that was not given before."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no port is free")


async def settled(client: Client) -> None:
    """Wait until the server knows the client's subscriptions.

    nats-py's flush may write its PING before a SUB that waits for the flusher; by the time of the second that one is out.
    """
    await client.flush()
    await client.flush()


class NatsServer:
    """nats-server with JetStream; `kill` and `start` again keep port and store."""

    def __init__(self, directory: Path, config: str = "") -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._directory, self._config = directory, config
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start and wait until it takes connections."""
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self._directory / "js"}" }}\n{self._config}\n'
        )
        with (self._directory / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([NATS_SERVER, "-c", config], stdout=log, stderr=log)
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                    continue
                writer.close()
                await writer.wait_closed()
                return

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
