"""A load balancer of the plain kind: TCP, round robin over the gateways that say they are ready, no sticky sessions.

And the gateways behind it: each a process with a port of its own, made as `causeway dev` makes its own one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp

from support.nats import free_port
from support.stack import Stack

PROBE_SECONDS = 0.05
START_SECONDS = 30.0


class Gateway:
    """One gateway of a stack, beside the stack's own."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.name, self.port, self.internal_port = name, free_port(), free_port()
        self._log = stack.log_path.with_name(f"{name}.log")
        like = Path(f"/proc/{stack.pid('gateway-1')}")
        self._command = (like / "cmdline").read_text().rstrip("\0").split("\0")
        pairs = (like / "environ").read_text().rstrip("\0").split("\0")
        inherited = dict(pair.split("=", 1) for pair in pairs)
        inherited.pop("CAUSEWAY_PARENT_FD", None)  # a pipe of the supervisor's
        self._env = inherited | {
            "CAUSEWAY_GATEWAY_HTTP_SERVER__PORT": str(self.port),
            "CAUSEWAY_GATEWAY_INTERNAL__PORT": str(self.internal_port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)
        async with asyncio.timeout(START_SECONDS):
            while not await self.ready():
                assert self._process.poll() is None, self._log.read_text()[-3000:]
                await asyncio.sleep(0.02)

    async def ready(self) -> bool:
        """Whether it says that it is."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2)) as session,
                session.get(f"http://127.0.0.1:{self.internal_port}/readyz") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def leave(self, signum: int = signal.SIGTERM) -> int:
        """Have it leave, and wait for its end. Returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signum)
        return await asyncio.to_thread(self._process.wait, START_SECONDS)

    async def replace(self) -> None:
        """Have it leave in order, and start it anew."""
        assert await self.leave() == 0, self._log.read_text()[-3000:]
        await self.start()

    def kill(self) -> None:
        """End it, whatever it does; its port is free then."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Balancer:
    """Takes connections and passes their bytes on."""

    def __init__(self, gateways: list[Gateway]) -> None:
        self._gateways, self._turn = gateways, itertools.count()
        self._ready: list[Gateway] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(lambda *ends: self._spawn(self._serve(*ends)), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        await self._look()
        self._spawn(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self) -> None:
        answers = await asyncio.gather(*(gateway.ready() for gateway in self._gateways))
        self._ready = [gateway for gateway, ready in zip(self._gateways, answers, strict=True) if ready]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            writer.transport.abort()
            return
        await asyncio.gather(_pass(reader, found[1]), _pass(found[0], writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """To the next gateway that is ready; where it takes nobody any more, to the one after it."""
        ready, turn = self._ready, next(self._turn)
        for number in range(len(ready)):
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ready[(turn + number) % len(ready)].port)
        return None


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        writer.transport.abort()
    finally:
        writer.close()


@asynccontextmanager
async def balanced(stack: Stack, count: int = 2) -> AsyncIterator[tuple[Balancer, list[Gateway]]]:
    """So many gateways of a running stack behind a balancer."""
    gateways = [Gateway(stack, f"balanced-{number}") for number in range(1, count + 1)]
    async with AsyncExitStack() as ends:
        for gateway in gateways:
            ends.callback(gateway.kill)
        await asyncio.gather(*(gateway.start() for gateway in gateways))
        yield await ends.enter_async_context(Balancer(gateways)), gateways
