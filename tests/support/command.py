"""The command line as a process of its own, against a stack."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.stack import Stack


class Command:
    """A `causeway` command as a process, its output gathered as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.out, self.err = process, "", ""
        self._reading = asyncio.gather(self._read("out", process.stdout), self._read("err", process.stderr))

    async def _read(self, name: str, stream: asyncio.StreamReader | None) -> None:
        assert stream
        async for line in stream:
            setattr(self, name, getattr(self, name) + line.decode())

    async def ended(self) -> int:
        """Wait for its end. Returns the exit code."""
        await self._reading
        return await self.process.wait()


@asynccontextmanager
async def command(stack: Stack, *arguments: str) -> AsyncIterator[Command]:
    """`causeway` with these arguments for the block; killed behind it where it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "causeway_cli",
        *arguments,
        "--data-dir",
        str(stack.data_dir),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Command(process)
    try:
        yield started
    finally:
        if process.returncode is None:
            process.kill()
        await started.ended()
