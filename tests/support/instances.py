"""Instances of an app beside those that `causeway dev` keeps: any version, started and ended by the test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import aiohttp

from support.nats import free_port
from support.stack import Stack

LOGIC = Path(sys.executable).with_name("causeway-logic")
START_SECONDS = 30.0


class Instance:
    """One `causeway-logic run` of `module:app` from a folder, with the rights of an app of the stack.

    Args:
        stack: the system.
        folder: where the module is, and its output goes.
        target: what is run.
        app: the app's name.
        env: added to the environment.
    """

    def __init__(self, stack: Stack, folder: Path, target: str, *, app: str, env: dict[str, str]) -> None:
        self._folder, self._target = folder, target
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = folder / f"instance-{self._port}.log"
        name = f"logic-{app}"
        variables = {
            "NATS__URL": stack.state()["nats_url"],
            "NATS__USER": name,
            "NATS__PASSWORD": password_of(stack, name),
            "INTERNAL__HOST": "127.0.0.1",
            "INTERNAL__PORT": str(self._port),
            "ANNOUNCE_INTERVAL": "500ms",
        }
        self._env = {**os.environ, **{f"CAUSEWAY_LOGIC_{key}": value for key, value in variables.items()}, **env}

    async def start(self) -> Self:
        """Start, and wait until it is ready: it answers, and is announced."""
        with self.log_path.open("ab") as log:
            command = [str(LOGIC), "run", self._target]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._env, cwd=self._folder)
        async with aiohttp.ClientSession() as http, asyncio.timeout(START_SECONDS):
            while True:
                assert self._process.poll() is None, self.log_path.read_text()
                try:
                    async with http.get(f"http://127.0.0.1:{self._port}/readyz") as response:
                        if response.status == 200:
                            return self
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)

    async def stop(self, signum: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end. Returns the exit code; 0 where it has ended before."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(signum)
        return await asyncio.to_thread(self._process.wait, 20)


def password_of(stack: Stack, user: str) -> str:
    """The password of a NATS user of a stack."""
    users = json.loads((stack.data_dir / "nats.conf").read_text())["authorization"]["users"]
    return str(next(each["password"] for each in users if each["user"] == user))
